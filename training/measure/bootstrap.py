"""The bootstrap: resamples of rows and of whole clusters, intervals, and a measured value with its interval."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NAN = float("nan")
Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.uint8]
_RESAMPLES = 200
# Resampled rows computed at a time: few enough to stay in the processor's cache.
_CELLS = 400_000


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured value.

    Attributes:
        value: NaN where it could not be measured; ``note`` then says why.
        low: 2.5th percentile over 200 bootstrap resamples; NaN for a value without sampling error.
        high: 97.5th percentile.
        n: Number of examples.
        fp32: The same value of the fp32 twin; NaN where it was not measured.
        note: Details that a reader needs to judge the value.
    """

    value: float
    low: float = NAN
    high: float = NAN
    n: int = 0
    fp32: float = NAN
    note: str = ""


def missing(note: str) -> Measurement:
    """Return a value that was not measured, with the reason."""
    return Measurement(NAN, note=note)


def bootstrapped(
    statistic: Callable[..., float], *columns: Array, note: str = "", seed: int = 0
) -> Measurement:
    """Return ``statistic`` of aligned ``columns`` [n, ...], n at least 1, with its interval over resamples of the rows.

    Resamples for which the statistic is NaN, such as the AUC of one class, are left out of the interval.
    """
    size = len(columns[0])
    draws = []
    for some in resamples(size, seed):
        for counts in some:
            rows = np.repeat(np.arange(size), counts.astype(np.intp))
            draws.append(statistic(*(column[rows] for column in columns)))
    low, high = percentiles(np.array(draws, dtype=np.float64))
    return Measurement(float(statistic(*columns)), low, high, size, note=note)


def resamples(size: int, seed: int) -> Iterator[Floats]:
    """Yield the counts [k, size] of each row in 200 resamples, some resamples at a time."""
    rng = np.random.default_rng(seed)
    some = max(1, _CELLS // size)
    for done in range(0, _RESAMPLES, some):
        rows = min(some, _RESAMPLES - done)
        drawn = rng.integers(0, size, (rows, size)) + np.arange(rows)[:, None] * size
        yield np.bincount(drawn.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)


def cluster_resamples(clusters: npt.NDArray[np.intp], resamples: int, seed: int) -> Counts:
    """Return the counts [1 + resamples, n] of each row: 1 in the first line, those of its whole cluster in the others."""
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
