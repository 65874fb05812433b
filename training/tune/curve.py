"""What a label's threshold does, from strict to loose, on comments that people decided; and which threshold keeps a promise.

A promise of precision is kept by the lowest threshold whose interval lies above it altogether, not by the lowest whose estimate does: of
those that reach it by estimate, the lowest is the one that chance favoured most, and its true precision is below the promise more often
than not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from belowline.training.measure.metrics import Bools, Floats
from belowline.training.tune.shares import UNKNOWN, Sample, Share, exact

FEWEST_HELD = 30
"""A precision from fewer comments says too little to act on."""
STEP = 1.1
"""Each threshold looked at holds a tenth more than the one before: with more of them more would pass by chance."""
_FEWEST_KNOWN = 0.5
"""Share of random draws that must know a label for them to stand for what the policy published."""
NEVER = 2.0
"""A threshold that no probability reaches."""


@dataclass(frozen=True, slots=True)
class Point:
    """What one threshold does: precision, recall, and the share of all comments at or above it."""

    threshold: float
    precision: Share
    recall: Share
    held: Share

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        shares = {name: getattr(self, name).as_dict() for name in ("precision", "recall", "held")}
        return {"threshold": self.threshold, **shares}


@dataclass(frozen=True, slots=True)
class Known:
    """What n decided comments tell of one label.

    Attributes:
        probability: What the model says [n].
        harmful: Whether it applies [n]; means nothing where it does not count.
        counts: Which comments know the label and count [n].
        floor: Below this threshold nothing is known, for nobody looked at what was published there; 0 where somebody did.
        traffic: Whether the n comments, weighted, stand for all that came in.
    """

    probability: Floats
    harmful: Bools
    counts: Bools
    floor: float
    traffic: bool

    @property
    def whole(self) -> bool:
        """Whether all comments that came in are stood for, and recall can be told."""
        return self.floor == 0

    def part(self, rows: Bools) -> "Known":
        """What the comments ``rows`` [n] tell."""
        return Known(self.probability[rows], self.harmful[rows], self.counts[rows], self.floor, self.traffic)


def known_of(
    probability: Floats, target: Floats, drawn: Bools, weights: Floats, present: float | None
) -> Known:
    """What decisions tell of a label with these targets [n] (NaN: unknown), where ``drawn`` [n] were random draws of what was published.

    Draws count where at least half of them know the label. Of insults and tone a published comment says nothing: there only those draws
    are known that were found to be harmful, which would pass for precision, so they are left out and nothing is known below the
    ``present`` threshold.
    """
    known = ~np.isnan(target)
    whole = bool(drawn.any()) and float(np.average(known[drawn], weights=weights[drawn])) >= _FEWEST_KNOWN
    harmful = np.nan_to_num(target) >= 0.5
    if whole:
        return Known(probability, harmful, known, 0.0, True)
    floor = NEVER if present is None else present
    counts = known & ~drawn & (probability >= floor)
    return Known(probability, harmful, counts, floor, bool(drawn.any()))


def candidates(known: Known, present: float | None, step: float = STEP) -> list[float]:
    """Thresholds worth looking at, strictest first, four decimals, each holding ``step`` times as many decided comments as the one before,
    and the ``present`` one; whether a comment is harmful plays no part in them."""
    ranked = -np.sort(-known.probability[known.counts])
    sizes, size = [], float(FEWEST_HELD)
    while size <= len(ranked):
        sizes.append(int(size))
        size = max(size + 1, size * step)
    found = {max(known.floor, float(np.floor(ranked[size - 1] * 1e4) / 1e4)) for size in sizes}
    if present is not None and (ranked >= present).sum() >= FEWEST_HELD:
        found.add(present)
    return sorted(found, reverse=True)


def point(threshold: float, known: Known, sample: Sample) -> Point:
    """What ``threshold`` does by these comments; recall and the share held are unknown where published ones are not stood for."""
    above = known.probability >= threshold
    precision = sample.share(known.harmful, known.counts & above)
    recall = sample.share(above, known.counts & known.harmful) if known.whole else UNKNOWN
    held = sample.share(above, np.ones(len(above), dtype=bool)) if known.traffic else UNKNOWN
    return Point(threshold, precision, recall, held)


def lowest_keeping(promise: float, points: Sequence[Point]) -> Point | None:
    """The lowest threshold whose precision is at least ``promise`` at the lower end of its interval, or None."""
    return min(
        (one for one in points if one.precision.low >= promise), key=lambda one: one.threshold, default=None
    )


def times_as_many(promise: float, points: Sequence[Point]) -> float | None:
    """How many times as many decisions some threshold would need to keep ``promise`` if its estimate stays; None where none is above it."""
    able = [one.precision for one in points if one.precision.value > promise and one.precision.effective > 0]
    return min((_needed(promise, one.value) / one.effective for one in able), default=None)


def at_least(promise: float) -> int:
    """How many comments in a row must be harmful for an interval to lie above ``promise``."""
    return _needed(promise, 1.0)


def _needed(promise: float, value: float) -> int:
    """Comments from which on a share of ``value`` has its interval above ``promise``, by doubling and halving."""
    high = 1
    while exact(value, high)[0] < promise:
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if exact(value, middle)[0] >= promise else (middle, high)
    return high
