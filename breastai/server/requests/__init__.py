"""Requests: a function for each."""
