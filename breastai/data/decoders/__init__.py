"""Decoders: the content of an image file to pixels, a header and frames."""
