"""Torch: building, training, judging and exporting networks on an ordinary processor."""
