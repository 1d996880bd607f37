"""More than one run: cross-validation, and whatever else is made of related runs."""
