"""Moderators' decisions as examples for training."""
