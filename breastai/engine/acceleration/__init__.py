"""Acceleration: machine code for the processor, and which layer is computed how."""
