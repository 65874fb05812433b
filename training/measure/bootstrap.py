"""One measured figure with its bootstrap interval."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from belowline.training.measure.metrics import percentiles, resamples

NAN = float("nan")
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured.

    Attributes:
        value: The figure; NaN where it could not be measured, and ``note`` says why.
        low: 2.5th percentile over 200 bootstrap resamples; NaN for what has no sampling error.
        high: 97.5th percentile.
        n: How many examples it is of.
        fp32: The same figure of the fp32 twin; NaN where it was not measured.
        note: What a reader must know to judge it.
    """

    value: float
    low: float = NAN
    high: float = NAN
    n: int = 0
    fp32: float = NAN
    note: str = ""


def missing(note: str) -> Figure:
    """A figure that was not measured, and why."""
    return Figure(NAN, note=note)


def bootstrapped(statistic: Callable[..., float], *columns: Array, note: str = "", seed: int = 0) -> Figure:
    """``statistic`` of aligned ``columns`` [n, ...], n at least 1, with its interval over resamples of their rows.

    Resamples for which the statistic is NaN, such as the AUC of one class, are left out of the interval.
    """
    size = len(columns[0])
    draws = [statistic(*(column[rows] for column in columns)) for rows in _draws(size, seed)]
    low, high = percentiles(np.array(draws, dtype=np.float64))
    return Figure(float(statistic(*columns)), low, high, size, note=note)


def _draws(size: int, seed: int) -> Iterator[npt.NDArray[np.intp]]:
    """The rows [size] of each resample."""
    for some in resamples(size, seed):
        for counts in some:
            yield np.repeat(np.arange(size), counts.astype(np.intp))
