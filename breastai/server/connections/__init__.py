"""Connections: who is connected, and what is sent to them."""
