"""Files: where everything lies on disk, and how it gets there unharmed."""
