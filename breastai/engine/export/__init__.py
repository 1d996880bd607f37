"""Exports: other formats, each proved to give the same answers."""
