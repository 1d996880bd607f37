"""Jobs: the worker processes, and what waits for them."""
