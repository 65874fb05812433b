"""Shares of an archive, estimated from a stratified sample with 95 % intervals.

The estimate is stratified: the sum over the cells of N times the share among the n judged, divided by the sum of N.
Its interval is Wilson's with continuity correction (Newcombe 1998, method 4), at the effective sample size after Kish,
with the finite population correction. The interval keeps its width if no positive was found.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Judged:
    """A cell: the number of its comments in the archive, of those judged, and of the positive ones among these."""

    comments: int
    judged: int
    positive: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share of the archive (0..1) with its 95 % interval, and the numbers of comments judged and positive."""

    value: float
    low: float
    high: float
    judged: int
    positive: int


def share(cells: Sequence[Judged]) -> Estimate | None:
    """The share of positive comments in ``cells``; None if none was judged.

    A cell without judged comments takes the others' share, and widens the interval as if its share could be 0 or 1.
    """
    known = [cell for cell in cells if cell.judged]
    size = sum(cell.comments for cell in known)
    if not size:
        return None
    value = sum(cell.comments * cell.positive / cell.judged for cell in known) / size
    spread = sum(cell.comments * (cell.comments - cell.judged) / cell.judged for cell in known)
    low, high = wilson(value, size**2 / spread) if spread else (value, value)
    covered = size / sum(cell.comments for cell in cells)
    return Estimate(
        value,
        low * covered,
        high * covered + (1 - covered),
        sum(cell.judged for cell in known),
        sum(cell.positive for cell in known),
    )


def recall(caught: Sequence[Judged], missed: Sequence[Judged]) -> Estimate | None:
    """The share of all positive comments that lies in ``caught``; None without positives, or without judged comments.

    The bounds combine the opposite bounds of both sides, so the interval is wider than 95 % needs.
    """
    found, lost = _total(caught), _total(missed)
    if found is None or lost is None or found[0] + lost[0] == 0:
        return None
    cells = [*caught, *missed]
    return Estimate(
        found[0] / (found[0] + lost[0]),
        found[1] / (found[1] + lost[2]) if found[1] else 0.0,
        found[2] / (found[2] + lost[1]) if found[2] else 0.0,
        sum(cell.judged for cell in cells),
        sum(cell.positive for cell in cells),
    )


def wilson(value: float, judged: float) -> tuple[float, float]:
    """Wilson's interval, with continuity correction, of the share ``value`` among ``judged``."""
    middle, width = 2 * judged * value + _Z**2, 2 * (judged + _Z**2)

    def half(sign: int, other: float) -> float:
        inside = _Z**2 - sign * 2 - 1 / judged + 4 * value * (judged * other + sign)
        return 1 + _Z * math.sqrt(max(0.0, inside))

    low = (middle - half(1, 1 - value)) / width if value > 0 else 0.0
    high = (middle + half(-1, 1 - value)) / width if value < 1 else 1.0
    return max(0.0, low), min(1.0, high)


def _total(cells: Sequence[Judged]) -> tuple[float, float, float] | None:
    """The number of positive comments in ``cells`` and its bounds; None if none was judged."""
    comments = sum(cell.comments for cell in cells)
    if not comments:
        return 0.0, 0.0, 0.0
    part = share(cells)
    return (comments * part.value, comments * part.low, comments * part.high) if part else None
