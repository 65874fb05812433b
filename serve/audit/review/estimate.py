"""Shares of an archive estimated from a stratified sample, each with a 95 % interval that behaves where nothing was found.

The estimate is the sum over the cells of N times the share found among the n judged, over the sum of N. Its interval combines the exact
(Clopper-Pearson) interval of each cell by the square root of the sum of squared distances (MOVER, the method of variance estimates
recovery: Zou and Donner 2008; for strata Yan and Su 2010), with the finite population correction. The normal interval and the bootstrap
are of width zero where a cell holds no positive among those judged, which is the rule for rare harm in what was published; here such a
cell adds what it can still hide. Ratios (recall) combine two totals by MOVER for ratios (Donner and Zou 2012). All is in closed form or
by bisection: the same sample gives the same figures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LEVEL = 0.95
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell: how many comments the archive has in it, how many of them were judged, and how many of those are positive."""

    comments: int
    judged: int
    positive: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of the archive (0..1) with its 95 % interval, and how many were judged and positive behind it."""

    value: float
    low: float
    high: float
    judged: int
    positive: int


@lru_cache(maxsize=4096)
def exact(positive: int, judged: int) -> tuple[float, float]:
    """The exact (Clopper-Pearson) interval of a share; 0 to 1 where nothing was judged."""
    return 1 - _upper(judged - positive, judged), _upper(positive, judged)


def _upper(positive: int, judged: int) -> float:
    """The share under which ``positive`` or fewer of ``judged`` come with a probability of 2.5 %; 1 where all are positive."""
    if positive >= judged:
        return 1.0
    counts = np.arange(positive + 1)
    ways = np.cumsum(np.log(judged - counts[1:] + 1) - np.log(counts[1:]))
    logs = np.concatenate(([0.0], ways))
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        share = (low + high) / 2
        chance = np.exp(logs + counts * math.log(share) + (judged - counts) * math.log1p(-share)).sum()
        low, high = (share, high) if chance > (1 - LEVEL) / 2 else (low, share)
    return high


def share(cells: Sequence[Judged]) -> Estimate | None:
    """The share of positive comments in ``cells``, None where nothing was judged in them.

    A cell with nothing judged counts with the share of the others, and may hide anything from 0 to 1.
    """
    known = [cell for cell in cells if cell.judged]
    weight = sum(cell.comments for cell in known)
    if not weight:
        return None
    value = sum(cell.comments * cell.positive / cell.judged for cell in known) / weight
    total = sum(cell.comments for cell in cells)
    below = above = 0.0
    for cell in known:
        own, (low, high) = cell.positive / cell.judged, exact(cell.positive, cell.judged)
        left = 1 - cell.judged / cell.comments
        below += left * (cell.comments / total * (own - low)) ** 2
        above += left * (cell.comments / total * (high - own)) ** 2
    hidden = 1 - weight / total
    return Estimate(
        value,
        max(0.0, value - math.sqrt(below) - hidden * value),
        min(1.0, value + math.sqrt(above) + hidden * (1 - value)),
        sum(cell.judged for cell in known),
        sum(cell.positive for cell in known),
    )


def recall(caught: Sequence[Judged], missed: Sequence[Judged]) -> Estimate | None:
    """The share of all positive comments that lies in ``caught``; None where no positive was found, or one side was not judged."""
    found, lost = _total(caught), _total(missed)
    if found is None or lost is None or found.value + lost.value == 0:
        return None
    worst, best = _highest_ratio(lost, found), _highest_ratio(found, lost)
    return Estimate(
        found.value / (found.value + lost.value),
        1 / (1 + worst),
        1.0 if math.isinf(best) else best / (1 + best),
        found.judged + lost.judged,
        found.positive + lost.positive,
    )


def _total(cells: Sequence[Judged]) -> Estimate | None:
    """How many comments of ``cells`` are positive, with its interval; 0 where there are no comments."""
    comments = sum(cell.comments for cell in cells)
    one = share(cells) if comments else Estimate(0.0, 0.0, 0.0, 0, 0)
    if one is None:
        return None
    return Estimate(comments * one.value, comments * one.low, comments * one.high, one.judged, one.positive)


def _highest_ratio(upper: Estimate, lower: Estimate) -> float:
    """The upper limit of ``upper / lower``, two independent totals."""
    above, below = upper.high - upper.value, lower.value - lower.low
    rest = lower.value**2 - below**2
    if rest <= 0:
        return math.inf if upper.high > 0 else 0.0
    spread = (upper.value * below) ** 2 + (above * lower.value) ** 2 - (above * below) ** 2
    return (upper.value * lower.value + math.sqrt(max(0.0, spread))) / rest
