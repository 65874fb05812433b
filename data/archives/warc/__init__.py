"""Reads web archives (WARC)."""
