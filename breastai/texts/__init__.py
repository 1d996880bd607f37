"""TEXTS. Every text a user can read, one file a language; whoever adds a file adds a language."""
