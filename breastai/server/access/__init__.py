"""Access: who may connect, and which places may be read."""
