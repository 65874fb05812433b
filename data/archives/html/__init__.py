"""Reads saved HTML pages: comments by their markup or from JSON-LD, article text, plain text of elements."""
