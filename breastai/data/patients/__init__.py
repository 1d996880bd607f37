"""Patients: who is shown, which breast in which view, and what a table says of each image."""
