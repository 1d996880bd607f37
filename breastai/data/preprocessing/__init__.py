"""Preprocessing: an image as a model sees it, made once and cached."""
