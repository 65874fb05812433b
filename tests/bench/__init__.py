"""Benchmarks of speed, load and growth, with peers beside: ``make bench``."""
