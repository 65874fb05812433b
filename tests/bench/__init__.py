"""Benchmarks of speed, load and growth, with peers for comparison: ``make bench``."""
