"""Charts as numbers for SVG: the pages' content policy allows no styles, so that bars are drawn by attributes."""

from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 100


@dataclass(frozen=True, slots=True)
class Column:
    """One column: left edge and width as shares of 100, height of 100, and what it stands for."""

    name: str
    number: int
    left: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns beside each other; the tallest fills the height."""

    columns: Sequence[Column]
    most: int
    total: int

    @property
    def ends(self) -> tuple[str, str]:
        """Names of the first and the last column."""
        return self.columns[0].name, self.columns[-1].name


def columns(values: Sequence[tuple[str, int]]) -> Chart:
    """A chart of pairs of a name and a number; at least one pair."""
    most, width = max(number for _, number in values), 100 / len(values)
    return Chart(
        [
            Column(name, number, at * width, width * 0.8, HEIGHT * number / most if most else 0)
            for at, (name, number) in enumerate(values)
        ],
        most,
        sum(number for _, number in values),
    )
