"""Duplicates: identical and near-identical images."""
