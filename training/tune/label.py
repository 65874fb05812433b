"""The decisions about one label, and the effect of a threshold on them."""

from dataclasses import dataclass

import numpy as np

from belowline.model import Thresholds
from belowline.training.measure.bootstrap import Bools
from belowline.training.tune.decisions import Decisions
from belowline.training.tune.shares import UNKNOWN, Share

FEWEST_HELD = 30
"""A precision of fewer held comments is too uncertain to act on."""
NEVER = 2.0
"""A threshold that no probability reaches."""
_FEWEST_KNOWN = 0.5


@dataclass(frozen=True, slots=True)
class Point:
    """The effect of one threshold: precision, recall, and the share of all comments at or above it."""

    threshold: float
    precision: Share
    recall: Share
    held: Share


class LabelDecisions:
    """The decisions about one label, in two halves.

    Attributes:
        label: The label.
        present: Its thresholds in the present policy.
        counts: Decisions that know the label and count [n].
        harmful: Decisions by which the label applies [n].
        floor: The lowest threshold about which the decisions say anything; 0 if published comments were sampled.
    """

    def __init__(self, decisions: Decisions, label: str, present: Thresholds) -> None:
        self.label, self.present = label, present
        self.decisions, self.probability = decisions, decisions.probabilities[label]
        target, weights, drawn = decisions.targets(label), decisions.sample.weights, decisions.drawn
        known = ~np.isnan(target)
        self.harmful = np.nan_to_num(target) >= 0.5
        self.all_traffic = bool(drawn.any())
        # Of insults and tone, published comments say nothing unless they are found harmful, which would pass for
        # precision. Such draws are left out, and nothing is known below the present threshold.
        sampled = drawn.any() and np.average(known[drawn], weights=weights[drawn]) >= _FEWEST_KNOWN
        lowest = lowest_of(present)
        self.floor = 0.0 if sampled else NEVER if lowest is None else lowest
        self.counts: Bools = known if sampled else known & ~drawn & (self.probability >= self.floor)

    def candidates(self, step: float) -> list[float]:
        """Return thresholds, strictest first; each holds ``step`` times as many comments of the first half as the
        last.
        """
        ranked = -np.sort(-self.probability[self.counts & self.decisions.first])
        sizes, size = [], float(FEWEST_HELD)
        while size <= len(ranked):
            sizes.append(int(size))
            size = max(size + 1, size * step)
        thresholds = {max(self.floor, float(np.floor(ranked[size - 1] * 1e4) / 1e4)) for size in sizes}
        lowest = lowest_of(self.present)
        if lowest is not None and (ranked >= lowest).sum() >= FEWEST_HELD:
            thresholds.add(lowest)
        return sorted(thresholds, reverse=True)

    def point(self, threshold: float, *, first: bool = False) -> Point:
        """Measure ``threshold`` on the second half, or on the first one."""
        half = self.decisions.first if first else ~self.decisions.first
        above, share = self.probability >= threshold, self.decisions.sample.share
        return Point(
            threshold,
            precision=share(self.harmful, self.counts & above & half),
            recall=share(above, self.counts & self.harmful & half) if self.floor == 0 else UNKNOWN,
            held=share(above, half) if self.all_traffic else UNKNOWN,
        )

    def lowest_reaching(self, precision: float, candidates: list[float]) -> float | None:
        """Return the lowest candidate whose interval of precision, in the first half, lies above ``precision``."""
        # Not the lowest whose estimate does: chance favours that one most, and its true precision is mostly below the
        # goal.
        reaching = (at for at in candidates if self.point(at, first=True).precision.low >= precision)
        return min(reaching, default=None)


def lowest_of(thresholds: Thresholds) -> float | None:
    """Return the threshold from which a comment is held or rejected."""
    return min((value for value in (thresholds.hold, thresholds.reject) if value is not None), default=None)
