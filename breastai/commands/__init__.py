"""The commands of the command line: one noun per module, each with `register(app)`, and what they share."""
