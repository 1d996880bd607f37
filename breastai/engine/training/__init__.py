"""Training: one run, from its images to its last epoch."""
