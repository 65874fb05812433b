"""Reference implementation of the expected calibration error."""

import numpy as np

from belowline.training.measure.intervals import Floats
from belowline.training.measure.metrics import BINS, bins


def calibration_error(target: Floats, probability: Floats) -> float:
    """Return the expected calibration error over 15 bins of equal width, weighted by their sizes."""
    return float(np.abs(np.bincount(bins(probability), probability - target, BINS)).sum() / len(target))
