"""Phantoms: made-up breast images for trying things out."""
