"""Other front doors than the page's: each an extra, each over the same services and behind the same rule."""
