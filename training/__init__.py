"""Mixing corpora, fine-tuning, measuring, exporting; the command ``belowline-train``."""
