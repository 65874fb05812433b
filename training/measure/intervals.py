"""Resamples of rows and the intervals of measured values: bootstrap, Wilson, and Clopper-Pearson for weighted rows."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binomtest, t

NAN = float("nan")
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.uint8]
RESAMPLES = 200
# Resampled rows computed at a time: few enough to stay in the processor's cache.
_CELLS = 400_000
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured value."""

    value: float  # NaN if it could not be measured
    low: float = NAN  # 2.5th percentile over the resamples; NaN for a value without sampling error
    high: float = NAN  # 97.5th percentile
    n: int = 0  # number of examples
    note: str = ""  # details that a reader needs to judge the value, or the reason why it is missing


# --- bootstrap ---


def resampled(clusters: npt.NDArray[np.intp], resamples: int, seed: int = 0) -> Counts:
    """Return the counts [1 + resamples, n] of each row: 1 in the first line, its cluster's in the others."""
    rng = np.random.default_rng(seed)
    size = int(clusters.max()) + 1
    counts = np.ones((resamples + 1, len(clusters)), dtype=np.uint8)
    for line in counts[1:]:
        drawn = np.bincount(rng.integers(0, size, size), minlength=size)
        line[:] = drawn.astype(np.uint8)[clusters]
    return counts


def in_chunks(counts: Counts, weights: Floats) -> Iterator[Floats]:
    """Yield ``counts`` [k, n] times ``weights`` [n], some resamples at a time."""
    some = max(1, _CELLS // max(1, len(weights)))
    for start in range(0, len(counts), some):
        yield counts[start : start + some] * weights


def percentiles(draws: Floats) -> tuple[float, float]:
    """Return the 95 % interval of bootstrap values; NaN values, of resamples without both classes, are left out."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return NAN, NAN
    low, high = np.percentile(known, (2.5, 97.5))
    return float(low), float(high)


def measurement(draws: Floats, n: int, note: str = "") -> Measurement:
    """Return the value ``draws[0]`` with its interval over the other ``draws`` [1 + resamples]."""
    return Measurement(float(draws[0]), *percentiles(draws[1:]), n, note)


# --- shares ---


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a share; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    interval = binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)


UNKNOWN = Measurement(NAN, 0.0, 1.0)
"""A share without comments."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Weights [n] and clusters [n] of comments that were reviewed with different probabilities."""

    weights: Floats
    clusters: npt.NDArray[np.intp]

    def share(self, hits: Bools, of: Bools) -> Measurement:
        """Estimate the share of ``hits`` [n] among the comments ``of`` [n].

        The estimate is that of Horvitz and Thompson in Hájek's form, the interval that of Korn and Graubard (1998):
        Clopper-Pearson for an effective number of comments.
        """
        if not of.any():
            return UNKNOWN
        hit, weights = hits[of], self.weights[of]
        # Rounding must not hide that all comments, or none, are hits.
        value = float(hit.all()) if hit.all() or not hit.any() else float(np.average(hit, weights=weights))
        effective = _effective(hit, value, weights, self.clusters[of])
        low, high = exact(value, effective)
        return Measurement(value, low, high, len(hit))


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
