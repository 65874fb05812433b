"""Coordinates for SVG charts: ranges on one scale, a bar of pieces, curves on logarithmic axes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tests.bench.figures import Figure, number

WIDTH, HEIGHT = 320, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 30
_STRIP = 100.0
_STEPS = (1, 2, 5)


class Range(NamedTuple):
    """Positions of a figure's lowest, median and highest value in a strip of width 100."""

    low: float
    middle: float
    high: float


def strips(rows: Mapping[str, Figure]) -> dict[str, Range]:
    """Return the strips of a table's figures on one scale.

    The scale is logarithmic where figures differ by more than a factor of ten. Empty where units differ or the table
    has one row.
    """
    if len(rows) < 2 or len({one["unit"] for one in rows.values()}) > 1:
        return {}
    lowest, highest = min(one["low"] for one in rows.values()), max(one["high"] for one in rows.values())
    if highest <= 0:
        return {}
    if lowest > 0 and highest / lowest > 10:
        begin = lowest / 1.2
        return {
            name: Range(*(_STRIP * math.log(one[key] / begin) / math.log(highest / begin) for key in _KEYS))
            for name, one in rows.items()
        }
    return {name: Range(*(_STRIP * one[key] / highest for key in _KEYS)) for name, one in rows.items()}


_KEYS = ("low", "median", "high")


class Piece(NamedTuple):
    """One piece of a bar of width 100."""

    name: str
    start: float
    width: float
    figure: Figure


def pieces(bar: Mapping[str, Figure]) -> list[Piece]:
    """Pieces of a bar, sized by their medians."""
    total, start, found = sum(one["median"] for one in bar.values()) or 1.0, 0.0, []
    for name, one in bar.items():
        width = _STRIP * one["median"] / total
        found.append(Piece(name, start, width, one))
        start += width
    return found


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    label: str


class Plot(NamedTuple):
    """Points (x, lowest, median, highest from the top), the paths of medians and fit, and both axes."""

    points: list[tuple[float, float, float, float]]
    path: str
    fit: str
    across: list[Tick]
    up: list[Tick]


def plot(curve: Mapping[str, Any]) -> Plot:
    """A curve of bench.json, both axes logarithmic."""
    sizes = [point["at"] for point in curve["points"]]
    told = [point["figure"] for point in curve["points"]]
    x = _Axis(min(sizes), max(sizes), LEFT + 6, WIDTH - RIGHT - 6)
    y = _Axis(min(one["low"] for one in told), max(one["high"] for one in told), HEIGHT - BOTTOM - 4, TOP + 4)
    points = [(x.at(size), *(y.at(one[key]) for key in _KEYS)) for size, one in zip(sizes, told, strict=True)]
    return Plot(
        points,
        "M" + "L".join(f"{at:.1f} {middle:.1f}" for at, _, middle, _ in points),
        _fit(curve, x, y),
        [Tick(x.at(size), short(size)) for size in sizes],
        [Tick(y.at(value), number(value)) for value in y.round_values()],
    )


def _fit(curve: Mapping[str, Any], x: "_Axis", y: "_Axis") -> str:
    """Line of the fitted exponent through the middle of the points that were fitted."""
    first, last = curve["fitted"]
    used = [point for point in curve["points"] if first <= point["at"] <= last]
    middle_x = math.fsum(math.log(point["at"]) for point in used) / len(used)
    middle_y = math.fsum(math.log(point["figure"]["median"]) for point in used) / len(used)
    ends = [
        (size, math.exp(middle_y + curve["exponent"] * (math.log(size) - middle_x))) for size in (first, last)
    ]
    return "M" + "L".join(f"{x.at(size):.1f} {y.at(value):.1f}" for size, value in ends)


class _Axis:
    """Logarithmic axis from values to positions; it covers at least a factor of two."""

    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        widen = max(1.0, math.sqrt(2 * low / high))
        self.low, self.high = low / widen, high * widen
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self._begin + share * (self._end - self._begin), 1)

    def round_values(self) -> Sequence[float]:
        """Return two to six of 1, 2, 5, 10 … that lie on the axis, or its ends where there are none."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for steps in (_STEPS[:1], _STEPS, tuple(range(1, 10))):
            found = [step * 10.0**decade for decade in decades for step in steps]
            found = [value for value in found if self.low <= value <= self.high]
            if len(found) >= 2:
                return found[:: -(-len(found) // 6)]
        return (self.low, self.high)


def short(size: float) -> str:
    """ "300", "10k"."""
    return f"{size / 1000:g}k" if size >= 1000 else f"{size:g}"
