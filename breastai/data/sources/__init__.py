"""Sources of cases: where images and their labels are listed."""
