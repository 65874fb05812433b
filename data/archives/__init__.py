"""Readers of archives of comments, one room for each kind of file; ``readers`` finds the format."""
