"""The server: talks to browsers, scripts and the worker process, and never computes."""
