"""Shares estimated from comments that were reviewed with different probabilities, with 95 % intervals.

The estimate is that of Horvitz and Thompson in Hájek's form: each comment weighs 1 over the probability of its review.
The interval is that of Korn and Graubard (1998): Clopper-Pearson for an effective number of comments.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, t

from belowline.training.measure.bootstrap import Bools, Floats

_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Share:
    """A share (0..1) with its interval, the number of comments and their effective number.

    ``value`` is NaN without comments.
    """

    value: float
    low: float
    high: float
    n: int
    effective: float


UNKNOWN = Share(float("nan"), 0.0, 1.0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """Weights [n] and clusters [n] of comments."""

    weights: Floats
    clusters: npt.NDArray[np.intp]

    def share(self, hits: Bools, of: Bools) -> Share:
        """Estimate the share of ``hits`` [n] among the comments ``of`` [n]."""
        if not of.any():
            return UNKNOWN
        hit, weights = hits[of], self.weights[of]
        # Rounding must not hide that all comments, or none, are hits.
        value = float(hit.all()) if hit.all() or not hit.any() else float(np.average(hit, weights=weights))
        effective = _effective(hit, value, weights, self.clusters[of])
        low, high = exact(value, effective)
        return Share(value, low, high, len(hit), effective)


def exact(value: float, effective: float) -> tuple[float, float]:
    """Return the 95 % Clopper-Pearson interval of a share among ``effective`` comments, any positive number."""
    hits, misses = value * effective, (1 - value) * effective
    low = float(beta.ppf(_TAIL, hits, misses + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - _TAIL, hits + 1, misses)) if misses > 0 else 1.0
    return low, high


def _effective(hit: Bools, value: float, weights: Floats, clusters: npt.NDArray[np.intp]) -> float:
    _, own = np.unique(clusters, return_inverse=True)
    groups = int(own.max()) + 1
    if groups < 2:
        return 0.0
    if value in (0.0, 1.0):
        # Without variance nothing shows how alike a cluster is: it may be one comment, copied.
        number = _kish(np.bincount(own, weights).astype(np.float64))
    else:
        deviation = np.bincount(own, weights * (hit - value)) / weights.sum()
        variance = groups / (groups - 1) * float((deviation**2).sum())
        # A few heavy comments that happen to agree have a small variance, so Kish's number is the upper bound.
        number = min(_kish(weights), value * (1 - value) / max(variance, 1e-12))
    return number * float(t.ppf(_TAIL, len(hit) - 1) / t.ppf(_TAIL, groups - 1)) ** 2


def _kish(weights: Floats) -> float:
    return float(weights.sum() ** 2 / (weights**2).sum())
