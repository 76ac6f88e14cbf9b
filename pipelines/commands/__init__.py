"""Commands of the terminal, a file a subject."""
