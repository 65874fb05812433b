"""Metrics with intervals, slices, bias over named groups, plots and the model card."""
