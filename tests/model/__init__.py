"""Tests of belowline.model."""
