"""Shares estimated from comments that were not all looked at with the same probability, with intervals that hold for few and for all.

The estimate is Horvitz and Thompson's (in Hájek's form): sums of weights, 1 over the probability of being looked at. The interval is
Korn and Graubard's (1998), exact (Clopper-Pearson) for an effective number of comments: how many equally weighted, independent ones would
have the same variance. That variance is the linearised one over clusters, as comments under one article are alike; never more than Kish's
effective number, because few heavy draws that happen to agree have a small variance and say little. A bootstrap has width zero where all
or none are hits, which is the rule at a strict threshold. What is estimated is a later day's share, so nothing is taken off for comments
that were looked at with certainty.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, t

from belowline.training.measure.metrics import Bools, Floats, known_or_none

_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Share:
    """A share (0..1) with its 95 % interval, the number of comments behind it and their effective number; NaN where there are none."""

    value: float
    low: float
    high: float
    n: int
    effective: float

    def as_dict(self) -> dict[str, float | None]:
        """Plain numbers for JSON; None for NaN."""
        return {name: known_or_none(value) for name, value in asdict(self).items()}


UNKNOWN = Share(float("nan"), 0.0, 1.0, 0, 0.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """Comments with their weights [n] and clusters [n]."""

    weights: Floats
    clusters: npt.NDArray[np.intp]

    def share(self, hits: Bools, of: Bools) -> Share:
        """The share of ``hits`` [n] among the comments ``of`` [n]."""
        if not of.any():
            return UNKNOWN
        hit, weights = hits[of], self.weights[of]
        # Rounding must not hide that all are hits.
        value = float(hit.all()) if hit.all() or not hit.any() else float(np.average(hit, weights=weights))
        effective = _effective(hit, value, weights, self.clusters[of])
        low, high = exact(value, effective)
        return Share(value, low, high, len(hit), effective)

    def part(self, rows: Bools) -> "Sample":
        """The comments ``rows`` [n] alone."""
        return Sample(self.weights[rows], self.clusters[rows])


def exact(value: float, effective: float) -> tuple[float, float]:
    """The 95 % Clopper-Pearson interval of a share among so many comments, which need be no whole number."""
    hits, misses = value * effective, (1 - value) * effective
    low = float(beta.ppf(_TAIL, hits, misses + 1)) if hits > 0 else 0.0
    high = float(beta.ppf(1 - _TAIL, hits + 1, misses)) if misses > 0 else 1.0
    return low, high


def _effective(hit: Bools, value: float, weights: Floats, clusters: npt.NDArray[np.intp]) -> float:
    _, own = np.unique(clusters, return_inverse=True)
    groups = int(own.max()) + 1
    if groups < 2:
        return 0.0
    if value in (0.0, 1.0):  # no variance tells how alike a cluster is: it may be one comment copied
        number = _kish(np.bincount(own, weights))
    else:
        off = np.bincount(own, weights * (hit - value)) / weights.sum()
        variance = groups / (groups - 1) * float((off**2).sum())
        number = min(_kish(weights), value * (1 - value) / max(variance, 1e-12))
    return number * float(t.ppf(_TAIL, len(hit) - 1) / t.ppf(_TAIL, groups - 1)) ** 2


def _kish(weights: npt.NDArray[Any]) -> float:
    return float(weights.sum() ** 2 / (weights**2).sum())
