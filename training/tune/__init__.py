"""``belowline-train tune``: thresholds from a site's own decisions."""
