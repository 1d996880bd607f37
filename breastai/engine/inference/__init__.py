"""Inference: jobs that ask a network and change nothing."""
