"""The result of a comparison: every metric of two contenders in the same resamples, with corrected verdicts.

A difference B - A has the 2.5th and 97.5th percentile over the resamples and a p-value, from a normal distribution with
the bootstrap's standard deviation: percentiles of some hundred resamples cannot resolve the small p-values that a
correction needs. Benjamini and Hochberg's procedure holds the share of false verdicts on one pair at 5 %, over all
labels, parts and metrics together.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import false_discovery_control, norm

from belowline.training.compare.decision_changes import Flips
from belowline.training.compare.speed import Speed
from belowline.training.measure.contenders import Contender
from belowline.training.measure.intervals import Floats, percentiles
from belowline.training.measure.metrics import Draws
from belowline.training.measure.parts import Key

LOWER_IS_BETTER = frozenset({"calibration_error", "bias_gap", "false_positive_rate", "false_positive_gap"})
FALSE_SHARE = 0.05
"""Expected share of chance among the verdicts better and worse on a pair, at most."""

Verdict = Literal["better", "worse", "no difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of a pair on one label and part.

    ``low`` and ``high`` are the 95 % interval of ``difference`` = ``b`` - ``a``; ``p`` is its p-value and ``q`` the
    p-value after correction over all metrics of the pair.
    """

    label: str
    part: str
    metric: str
    examples: int
    positives: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    b_low: float
    b_high: float
    p: float
    q: float
    verdict: Verdict

    @property
    def loss(self) -> tuple[float, float, float]:
        """The loss of B with the ends of its interval; negative if B is better."""
        if self.metric in LOWER_IS_BETTER:
            return self.difference, self.low, self.high
        return 0.0 - self.difference, 0.0 - self.high, 0.0 - self.low


@dataclass(frozen=True, slots=True)
class Pair:
    """The first contender (A) and another one (B)."""

    name: str  # B's name
    labels: tuple[str, ...]  # labels that both know and the rows have; only these are compared
    only_a: tuple[str, ...]  # labels that only A knows
    only_b: tuple[str, ...]  # labels that only B knows
    figures: Sequence[Difference]  # every metric measured for both, by label, part and name
    flips: Flips  # changed decisions

    def verdicts(self) -> dict[str, int]:
        """Count the metrics that are better, worse, and not different."""
        counted = Counter(figure.verdict for figure in self.figures)
        return {verdict: counted[verdict] for verdict in ("better", "worse", "no difference")}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Contenders (A first), pairs in the order of the others, speed by name, and facts about the comparison."""

    contenders: Sequence[Contender]
    pairs: Sequence[Pair]
    speed: Mapping[str, Speed]
    facts: Mapping[str, Any]

    def size_ratio(self, contender: Contender) -> float | None:
        """Return the bytes of ``contender`` relative to A; None if a size is unknown."""
        first = self.contenders[0]
        return contender.size / first.size if contender.size and first.size else None


def differences(
    a: Mapping[Key, Draws], b: Mapping[Key, Draws], sizes: Mapping[Key, tuple[int, int]]
) -> list[Difference]:
    """Return every metric that both have, with corrected verdicts.

    ``sizes`` are rows and positives by label and part.
    """
    measured = [
        (key, name, a[key][name], b[key][name])
        for key in sorted(a.keys() & b.keys())
        for name in sorted(a[key].keys() & b[key].keys())
        if not np.isnan(a[key][name][0]) and not np.isnan(b[key][name][0])
    ]
    chances = [_p_value(second - first) for *_, first, second in measured]
    corrected = zip(measured, chances, false_discovery_control(chances), strict=True)
    return [
        _difference(key, sizes[key], name, first, second, p, float(q))
        for (key, name, first, second), p, q in corrected
    ]


def _p_value(gaps: Floats) -> float:
    """Return the two-sided p-value of ``gaps`` [1 + resamples], the observed one first; 1 without a difference."""
    known = gaps[1:][~np.isnan(gaps[1:])]
    if gaps[0] == 0 or len(known) < 2:
        return 1.0
    spread = float(known.std(ddof=1))
    # Without any spread the resamples say no more than that all of them agree.
    return 2 / (len(known) + 1) if spread == 0 else float(2 * norm.sf(abs(gaps[0]) / spread))


def _difference(
    key: Key, size: tuple[int, int], name: str, a: Floats, b: Floats, p: float, q: float
) -> Difference:
    low, high = percentiles((b - a)[1:])
    gap = float(b[0] - a[0])
    certain = q <= FALSE_SHARE and (low > 0 or high < 0)
    better = (gap < 0) == (name in LOWER_IS_BETTER)
    verdict: Verdict = "no difference" if not certain else "better" if better else "worse"
    return Difference(
        *key, name, *size, float(a[0]), float(b[0]), gap, low, high, *percentiles(b[1:]), p, q, verdict
    )
