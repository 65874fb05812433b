"""Charts of the report as numbers for SVG."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from belowline.serve.audit.summary_counts import ACTIONS

WIDTH, HEIGHT = 240, 60
FEWEST_IN_MONTH = 20
"""A line has a gap at months with fewer comments, whose shares say little."""


@dataclass(frozen=True, slots=True)
class Line:
    """A label's share of each month's comments, in percent: SVG path, first and last month, highest share, average."""

    label: str
    path: str
    first: str
    last: str
    highest: float
    highest_in: str
    average: float


def label_lines(months: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> list[Line]:
    """A line for each label over ``months`` of summary.json, each to its own scale; none below two usable months."""
    usable = [month for month in months if month["comments"] >= FEWEST_IN_MONTH]
    return [_line(usable, label) for label in labels] if len(usable) > 1 else []


def _line(months: Sequence[Mapping[str, Any]], label: str) -> Line:
    shares = [100 * month["labels"][label] / month["comments"] for month in months]
    highest = max(shares)
    numbers = [_month_number(month["month"]) for month in months]
    points: list[str] = []
    for place, (number, share) in enumerate(zip(numbers, shares, strict=True)):
        joined = place > 0 and number == numbers[place - 1] + 1
        x = WIDTH * (number - numbers[0]) / (numbers[-1] - numbers[0])
        y = HEIGHT * (1 - share / highest) if highest else HEIGHT
        # A lone point is a stretch without length, which a round cap draws as a dot.
        points.append(f"{'L' if joined else 'M'}{x:.1f} {y:.1f}{'' if joined else 'h0'}")
    comments = sum(month["comments"] for month in months)
    return Line(
        label=label,
        path="".join(points),
        first=months[0]["month"],
        last=months[-1]["month"],
        highest=highest,
        highest_in=months[shares.index(highest)]["month"],
        average=100 * sum(month["labels"][label] for month in months) / comments,
    )


def _month_number(month: str) -> int:
    year, number = month.split("-")
    return 12 * int(year) + int(number)


def highest_shares(groups: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> dict[str, float]:
    """The highest share (0..1) of each label among threads or authors, 0 without any."""
    counted = [group for group in groups if group["comments"]]
    return {
        label: max((group["labels"][label] / group["comments"] for group in counted), default=0.0)
        for label in labels
    }


def shares(actions: Mapping[str, int]) -> list[tuple[str, float, float]]:
    """Action, start and width of each piece of a bar with the width 100."""
    total, start, pieces = sum(actions.values()) or 1, 0.0, []
    for action in ACTIONS:
        width = 100 * actions[action] / total
        pieces.append((action, round(start, 3), round(width, 3)))
        start += width
    return pieces


def columns(histogram: Sequence[int]) -> list[tuple[int, float]]:
    """Position and height (0..1) of each column of a histogram; heights are square roots, to show rare scores too."""
    highest = max(histogram) or 1
    return [(index, round((count / highest) ** 0.5, 3)) for index, count in enumerate(histogram)]


def percent(part: float, whole: float) -> str:
    """A share for people: "0 %", "< 0.1 %", "4.2 %"."""
    share = 100 * part / whole if whole else 0.0
    if not part:
        return "0 %"
    return "< 0.1 %" if share < 0.1 else f"{share:.1f} %"
