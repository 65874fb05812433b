"""Measured values of a release, each with the value of the fp32 twin, and a bootstrap of any statistic."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from belowline.training.measure.intervals import NAN, RESAMPLES, percentiles, resampled

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Measurement:
    """A measured value with its interval (NaN without sampling error); NaN with a ``note`` where it is missing.

    Attributes:
        value: The value.
        low: 2.5th percentile over the resamples.
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
    """Return ``statistic`` of aligned ``columns`` [n, ...] with its interval over resamples of the rows.

    Resamples for which the statistic is NaN, such as the AUC of one class, are left out of the interval.
    """
    numbers = np.arange(len(columns[0]))
    draws = []
    for counts in resampled(numbers, RESAMPLES, seed)[1:]:
        rows = np.repeat(numbers, counts)
        draws.append(statistic(*(column[rows] for column in columns)))
    interval = percentiles(np.array(draws, dtype=np.float64))
    return Measurement(float(statistic(*columns)), *interval, len(numbers), note=note)
