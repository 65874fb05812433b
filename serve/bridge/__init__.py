"""Bridges: comments that wait in another system, moderated there by belowline."""
