"""Thresholds for a precision or a review budget, chosen on one half of the decisions and measured on the other."""

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from belowline.model import Policy, Thresholds
from belowline.training.errors import TuneError
from belowline.training.measure.intervals import UNKNOWN, Bools, Measurement
from belowline.training.tune.decisions import Decisions

FEWEST_HELD = 30
"""A precision of fewer held comments is too uncertain to act on."""
NEVER = 2.0
"""A threshold that no probability reaches."""
_FEWEST_KNOWN = 0.5
_STEP = 1.1
_BUDGET_STEP = 1.02
"""Finer steps for a budget: below the present threshold each decided comment may stand for many."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A precision of held (and rejected) comments, or at most ``per_day`` reviews of ``comments_per_day`` comments."""

    precision: float | None = None
    reject_precision: float | None = None
    per_day: int | None = None
    comments_per_day: int | None = None

    def check(self) -> None:
        """Raise TuneError for options that contradict each other."""
        if (self.precision is None) == (self.per_day is None):
            raise TuneError("give either --precision or --per-day")
        if self.per_day is not None and self.comments_per_day is None:
            raise TuneError("--per-day needs --comments-per-day")
        if self.reject_precision is not None and self.precision is None:
            raise TuneError("--reject-precision needs --precision")
        for name, value in (("--precision", self.precision), ("--reject-precision", self.reject_precision)):
            if value is not None and not 0 < value < 1:
                raise TuneError(f"{name} {value:g} is not between 0 and 1")
        if self.precision and self.reject_precision and self.reject_precision < self.precision:
            raise TuneError("--reject-precision is below --precision")


@dataclass(frozen=True, slots=True)
class Point:
    """The effect of one threshold: precision, recall, and the share of all comments at or above it."""

    threshold: float
    precision: Measurement
    recall: Measurement
    held: Measurement


@dataclass(frozen=True, slots=True)
class Choice:
    """The proposal for one label.

    Attributes:
        measured: The effect of the proposed (or staying) threshold on the second half; None if the label never acts.
    """

    label: str  # the label
    present: Thresholds  # its thresholds in the present policy
    proposed: Thresholds  # the proposed ones; equal to ``present`` if they stay
    decided: int  # decisions that know the label and count; ``harmful`` of them say that it applies
    harmful: int
    measured: Point | None = None
    measured_reject: Point | None = None  # the same of a proposed reject threshold
    missed: bool = False  # true if the second half rules out that the goal is reached
    reason: str = ""  # the reason why a threshold stays; empty if it changes


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
        self.lowest = present.lowest
        self.floor = 0.0 if sampled else NEVER if self.lowest is None else self.lowest
        self.counts: Bools = known if sampled else known & ~drawn & (self.probability >= self.floor)

    def candidates(self, step: float = _STEP) -> list[float]:
        """Return thresholds, strictest first; each holds ``step`` times as many of the first half as the last."""
        ranked = -np.sort(-self.probability[self.counts & self.decisions.first])
        sizes, size = [], float(FEWEST_HELD)
        while size <= len(ranked):
            sizes.append(int(size))
            size = max(size + 1, size * step)
        thresholds = {max(self.floor, float(np.floor(ranked[size - 1] * 1e4) / 1e4)) for size in sizes}
        if self.lowest is not None and (ranked >= self.lowest).sum() >= FEWEST_HELD:
            thresholds.add(self.lowest)
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

    def unchanged(self, reason: str = "") -> Choice:
        """Return the present thresholds with their effect."""
        return Choice(
            self.label,
            self.present,
            self.present,
            decided=int(self.counts.sum()),
            harmful=int((self.counts & self.harmful).sum()),
            measured=None if self.lowest is None else self.point(self.lowest),
            reason=reason,
        )

    def with_hold(self, hold: float | None) -> Thresholds:
        """Return the present thresholds with another hold threshold; a reject threshold is never below it."""
        reject = self.present.reject
        return Thresholds(hold=hold, reject=None if reject is None else max(reject, hold or 0.0))

    def too_few(self, candidates: list[float], fewest: int) -> str:
        """Return why nothing can be chosen, empty if something can; each half needs ``fewest`` harmful comments."""
        decided, harmful = int(self.counts.sum()), int((self.counts & self.harmful).sum())
        if decided and harmful == decided:
            return f"all {decided:,} decisions are harmful; also review some negatives for this label"
        if harmful < 2 * fewest or not candidates:
            needed = max(1, 2 * fewest - harmful)
            return f"{harmful:,} harmful of {decided:,} decisions; needs {needed:,} more harmful"
        return ""


def for_precision(decisions: Decisions, policy: Policy, goal: Goal) -> list[Choice]:
    """Choose, for each label, the lowest hold (and reject) threshold that reaches the precision of ``goal``."""
    labels = (LabelDecisions(decisions, label, present) for label, present in policy.thresholds.items())
    return [_for_precision(data, goal) for data in labels]


def _for_precision(data: LabelDecisions, goal: Goal) -> Choice:
    candidates = data.candidates()
    # So many harmful comments in a row put the lower end of the interval at the wanted precision.
    reason = data.too_few(candidates, math.ceil(math.log(0.025) / math.log(goal.precision or 0.5)))
    choice = data.unchanged(reason)
    if reason:
        return choice
    points = [data.point(threshold, first=True) for threshold in candidates]
    for action, wanted in (("hold", goal.precision), ("reject", goal.reject_precision)):
        if wanted is None:
            continue
        threshold = lowest_reaching(wanted, points)
        if threshold is None:
            share = max((point.precision for point in points), key=lambda precision: precision.low)
            best = f"{share.value:.2f} ({share.low:.2f}-{share.high:.2f}, n {share.n:,})"
            return replace(choice, reason=f"no {action} threshold surely reaches {wanted:g}; best: {best}")
        point = data.point(threshold)
        choice = replace(choice, missed=choice.missed or point.precision.high < wanted)
        if action == "hold":
            choice = replace(choice, proposed=data.with_hold(threshold), measured=point)
        else:
            proposed = Thresholds(hold=choice.proposed.hold, reject=threshold)
            choice = replace(choice, proposed=proposed, measured_reject=point)
    return choice


def lowest_reaching(precision: float, points: list[Point]) -> float | None:
    """Return the lowest threshold whose interval of precision lies above ``precision``; None if there is none."""
    # Not the lowest whose estimate does: chance favours that one most, so its true precision is mostly below the goal.
    return min((point.threshold for point in points if point.precision.low >= precision), default=None)


def for_budget(decisions: Decisions, policy: Policy, goal: Goal) -> list[Choice]:
    """Choose the lowest hold thresholds, of one precision for all labels, that need at most the reviews of a day."""
    if not decisions.drawn.any():
        raise TuneError(
            "--per-day needs decisions on a random sample of published comments; set `sample` in the "
            "policy for a while, "
            "or give --precision"
        )
    labels = [LabelDecisions(decisions, label, present) for label, present in policy.thresholds.items()]
    candidates = {data.label: data.candidates(_BUDGET_STEP) for data in labels}
    reasons = {data.label: data.too_few(candidates[data.label], FEWEST_HELD) for data in labels}
    curves = {
        data.label: [(_precision(data, threshold), threshold) for threshold in candidates[data.label]]
        for data in labels
        if not reasons[data.label]
    }

    def holds(level: float) -> dict[str, float | None]:
        return {
            label: min((threshold for precision, threshold in curve if precision >= level), default=None)
            for label, curve in curves.items()
        }

    def needed(level: float) -> float:
        chosen = holds(level)
        thresholds = {
            data.label: data.with_hold(chosen[data.label]) if data.label in chosen else data.present
            for data in labels
        }
        held, rejected = shares_of(decisions, with_thresholds(policy, thresholds), decisions.first)
        return reviews(held, rejected, policy, goal.comments_per_day or 1)

    # From no hold at all to the lowest precision, so the reviews that are needed rise.
    levels = [
        NEVER,
        *sorted({precision for curve in curves.values() for precision, _ in curve}, reverse=True),
    ]
    affordable = bisect.bisect_right(levels, float(goal.per_day or 0), key=needed)
    if not affordable:
        raise TuneError(
            f"other labels, words, links, language and random draws need about {needed(NEVER):,.0f} reviews a day, "
            f"more than {goal.per_day:,}; raise --per-day"
        )
    chosen = holds(levels[affordable - 1])
    choices = []
    for data in labels:
        choice = data.unchanged(reasons[data.label])
        if data.label in chosen:
            hold = chosen[data.label]
            measured = None if hold is None else data.point(hold)
            choice = replace(choice, proposed=data.with_hold(hold), measured=measured)
        choices.append(choice)
    return choices


def _precision(data: LabelDecisions, threshold: float) -> float:
    held = data.counts & data.decisions.first & (data.probability >= threshold)
    return float(np.average(data.harmful[held], weights=data.decisions.sample.weights[held]))


def with_thresholds(policy: Policy, thresholds: Mapping[str, Thresholds]) -> Policy:
    """Return ``policy`` with other thresholds, on all its sites."""
    sites = {name: replace(site, thresholds=thresholds) for name, site in policy.sites.items()}
    return replace(policy, thresholds=thresholds, sites=sites)


def shares_of(decisions: Decisions, policy: Policy, half: Bools) -> tuple[float, float]:
    """Return the shares of comments of ``half`` [n] that ``policy`` holds, and rejects."""
    actions = np.array([decision.action for decision in decisions.decided_by(policy)])[half]
    weights = decisions.sample.weights[half]
    held, rejected = (float(np.average(actions == action, weights=weights)) for action in ("hold", "reject"))
    return held, rejected


def reviews(held: float, rejected: float, policy: Policy, comments: int) -> float:
    """Return the reviews of ``comments``: held ones, random draws of published ones, second reviews of both."""
    reviewed = held + policy.sample * (1 - held - rejected)
    return comments * reviewed * (1 + policy.second_review)
