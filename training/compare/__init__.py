"""``belowline-train compare``: models on the same rows, and the gates of a candidate."""
