"""The report of a run: gathered, laid out, rendered."""
