"""Logs: the audit log and the log of the server."""
