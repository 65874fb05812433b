"""``belowline-train compare``: whether a model is better, and whether it may take the place of another."""
