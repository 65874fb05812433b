"""Pictures of the audit's report as numbers for SVG: lines over months, bars of shares, histograms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 240, 60
FEWEST_IN_MONTH = 20
"""Shares of months with fewer comments say nothing; their lines have a gap there."""
_ACTIONS = ("publish", "hold", "reject")


@dataclass(frozen=True, slots=True)
class Line:
    """A label's share of each month's comments, in percent: an SVG path, its end points' months, its highest point."""

    label: str
    path: str
    first: str
    last: str
    highest: float
    highest_in: str
    average: float
    months: int


def label_lines(months: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[Line]:
    """A line for each label over ``months`` of summary.json, each with a scale of its own; none where fewer than two months have comments
    enough."""
    told = [month for month in months if month["comments"] >= FEWEST_IN_MONTH]
    if len(told) < 2:
        return []
    return [_line(told, label) for label in labels]


def _line(told: Sequence[Mapping[str, Any]], label: str) -> Line:
    shares = [100 * month["labels"][label] / month["comments"] for month in told]
    highest = max(shares)
    at = [_month_number(month["month"]) for month in told]
    points: list[str] = []
    for place, (number, share) in enumerate(zip(at, shares, strict=True)):
        joined = place > 0 and number == at[place - 1] + 1
        x = WIDTH * (number - at[0]) / (at[-1] - at[0])
        y = HEIGHT * (1 - share / highest) if highest else HEIGHT
        # A lone point is a stretch without length, which a round cap makes a dot.
        points.append(f"{'L' if joined else 'M'}{x:.1f} {y:.1f}{'' if joined else 'h0'}")
    comments = sum(month["comments"] for month in told)
    return Line(
        label=label,
        path="".join(points),
        first=told[0]["month"],
        last=told[-1]["month"],
        highest=highest,
        highest_in=told[shares.index(highest)]["month"],
        average=100 * sum(month["labels"][label] for month in told) / comments,
        months=len(told),
    )


def _month_number(month: str) -> int:
    year, number = month.split("-")
    return 12 * int(year) + int(number)


def highest_shares(counted: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> dict[str, float]:
    """The highest share (0..1) of each label among threads or authors, which fills its column's bar; 0 where there is none."""
    shares = {
        label: [one["labels"][label] / one["comments"] for one in counted if one["comments"]]
        for label in labels
    }
    return {label: max(found, default=0.0) for label, found in shares.items()}


def shares(actions: Mapping[str, int]) -> list[tuple[str, float, float]]:
    """Action, start and width of each piece of a bar that is 100 wide."""
    total, start, pieces = sum(actions.values()) or 1, 0.0, []
    for action in _ACTIONS:
        width = 100 * actions[action] / total
        pieces.append((action, round(start, 3), round(width, 3)))
        start += width
    return pieces


def columns(histogram: Sequence[int]) -> list[tuple[int, float]]:
    """Position and height (0..1) of each column of a histogram; square roots, to show rare scores too."""
    highest = max(histogram) or 1
    return [(index, round((count / highest) ** 0.5, 3)) for index, count in enumerate(histogram)]


def percent(part: float, whole: float) -> str:
    """A share in words: "0 %", "< 0.1 %", "4.2 %"."""
    share = 100 * part / whole if whole else 0.0
    if not part:
        return "0 %"
    return "< 0.1 %" if share < 0.1 else f"{share:.1f} %"
