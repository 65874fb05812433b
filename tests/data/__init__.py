"""Tests of belowline.data."""
