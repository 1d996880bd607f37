"""Recognition: what a folder or file is, told from names, tables and headers before anything else is read."""
