"""Akismet's protocol."""
