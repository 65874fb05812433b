"""Which thresholds to propose for each label, chosen on one half of the decisions, with what they do on the other half."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from belowline.model import Policy, Thresholds
from belowline.training.errors import TuneError
from belowline.training.measure.metrics import Bools
from belowline.training.tune.budget import Load, most_within
from belowline.training.tune.curve import (
    FEWEST_HELD,
    STEP,
    Point,
    at_least,
    candidates,
    known_of,
    lowest_keeping,
    point,
    times_as_many,
)
from belowline.training.tune.decisions import Decisions

_FINE = 1.02
"""Steps of thresholds for a budget: a step below the present one may cost many comments for each that was drawn."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked for: a precision of what is held (and of what is rejected), or at most ``per_day`` reviews of ``comments_per_day``."""

    precision: float | None = None
    reject_precision: float | None = None
    per_day: int | None = None
    comments_per_day: int | None = None

    def check(self) -> None:
        """Raises TuneError where it asks for both or for nothing, or for what cannot be."""
        if (self.precision is None) == (self.per_day is None):
            raise TuneError("ask for either --precision or --per-day")
        if self.per_day is not None and self.comments_per_day is None:
            raise TuneError("--per-day needs --comments-per-day, how many comments come in")
        if self.reject_precision is not None and self.precision is None:
            raise TuneError("--reject-precision goes with --precision")
        for name, value in (("--precision", self.precision), ("--reject-precision", self.reject_precision)):
            if value is not None and not 0 < value < 1:
                raise TuneError(f"{name} {value:g} is not between 0 and 1; 1 itself cannot be promised")
        if self.precision and self.reject_precision and self.reject_precision < self.precision:
            raise TuneError("--reject-precision is below --precision; rejecting has to be surer than holding")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is proposed for one label.

    Attributes:
        label: The label.
        present: Its thresholds in the policy as it is.
        proposed: Those proposed; the same where they stay.
        decided: How many decisions know the label and count, and ``harmful`` of them by which it applies.
        chosen_on: What the hold threshold does in the half that it was chosen on; None where nothing was chosen.
        stated: What it, or the present one where it stays, does in the other half: the figures to believe.
        stated_reject: The same of a reject threshold that was chosen.
        curve: What each threshold does in the other half.
        missed: Whether the other half rules out that the promise is kept.
        stays: Why a threshold stays, and how many more decisions it would take; empty where none does.
    """

    label: str
    present: Thresholds
    proposed: Thresholds
    decided: int
    harmful: int
    chosen_on: Point | None = None
    stated: Point | None = None
    stated_reject: Point | None = None
    curve: Sequence[Point] = ()
    missed: bool = False
    stays: str = ""


class _Halves:
    """One label's decisions: the half to choose on, and the other."""

    def __init__(self, decisions: Decisions, label: str, present: Thresholds, step: float = STEP) -> None:
        weights = decisions.sample.weights
        self.known = known_of(
            decisions.probabilities[label],
            decisions.targets(label),
            decisions.drawn,
            weights,
            lower(present),
        )
        self._parts = [
            (self.known.part(rows), decisions.sample.part(rows))
            for rows in (decisions.first, ~decisions.first)
        ]
        self.thresholds = candidates(self._parts[0][0], lower(present), step)

    def chosen_on(self, threshold: float) -> Point:
        return point(threshold, *self._parts[0])

    def stated(self, threshold: float) -> Point:
        return point(threshold, *self._parts[1])


def lower(both: Thresholds) -> float | None:
    """From where on a label holds a comment or rejects it."""
    return min((value for value in (both.hold, both.reject) if value is not None), default=None)


def for_precision(decisions: Decisions, policy: Policy, goal: Goal) -> list[Choice]:
    """The lowest hold threshold of each label that keeps the promise, and the lowest reject threshold where one is promised."""
    return [_for_precision(decisions, label, both, goal) for label, both in policy.thresholds.items()]


def _for_precision(decisions: Decisions, label: str, present: Thresholds, goal: Goal) -> Choice:
    promise = goal.precision or 0.0
    halves = _Halves(decisions, label, present)
    choice = _nothing(halves, label, present)
    trouble = _too_little(halves, at_least(promise))
    if trouble:
        return replace(choice, stays=trouble)
    points = [halves.chosen_on(threshold) for threshold in halves.thresholds]
    choice = replace(choice, curve=[halves.stated(threshold) for threshold in halves.thresholds])
    hold = lowest_keeping(promise, points)
    if hold is None:
        return replace(choice, stays=_not_reached("hold", promise, points, choice.decided))
    stated = halves.stated(hold.threshold)
    choice = replace(choice, chosen_on=hold, stated=stated, missed=stated.precision.high < promise)
    choice = replace(choice, proposed=_with_hold(present, hold.threshold))
    return (
        choice
        if goal.reject_precision is None
        else _with_reject(choice, halves, points, goal.reject_precision)
    )


def _with_reject(choice: Choice, halves: _Halves, points: Sequence[Point], promise: float) -> Choice:
    found = lowest_keeping(promise, points)
    if found is None:
        return replace(choice, stays=_not_reached("reject", promise, points, choice.decided))
    stated = halves.stated(found.threshold)
    return replace(
        choice,
        proposed=Thresholds(hold=choice.proposed.hold, reject=found.threshold),
        stated_reject=stated,
        missed=choice.missed or stated.precision.high < promise,
    )


def for_budget(decisions: Decisions, policy: Policy, goal: Goal) -> list[Choice]:
    """Hold thresholds that together catch the most harm within the reviews of a day, harm by any label counting the same; reject thresholds
    stay."""
    if not decisions.drawn.any():
        reason = "no decision is of a random draw, so how much comes in at any threshold is unknown"
        raise TuneError(f"{reason}; set `sample` in the policy for a while, or ask for --precision")
    halves = {label: _Halves(decisions, label, both, _FINE) for label, both in policy.thresholds.items()}
    trouble = {label: _too_little(own, FEWEST_HELD) for label, own in halves.items()}
    able = {label: own.thresholds for label, own in halves.items() if not trouble[label]}
    load = _load(decisions, policy, able)
    first = decisions.first
    by_label = {label: decisions.probabilities[label][first] for label in able}
    found = most_within(_most_held(load, decisions, policy, goal), load, by_label, able)
    choices = []
    for label, own in halves.items():
        choice = _nothing(own, label, policy.thresholds[label])
        if trouble[label]:
            choices.append(replace(choice, stays=trouble[label]))
            continue
        choice = replace(choice, curve=[own.stated(threshold) for threshold in own.thresholds])
        choices.append(_budgeted(choice, own, found[label]))
    return choices


def _budgeted(choice: Choice, halves: _Halves, threshold: float | None) -> Choice:
    if threshold is None:
        return replace(choice, proposed=Thresholds(reject=choice.present.reject), stated=None)
    proposed = _with_hold(choice.present, threshold)
    on, stated = halves.chosen_on(threshold), halves.stated(threshold)
    return replace(choice, proposed=proposed, chosen_on=on, stated=stated)


def _load(decisions: Decisions, policy: Policy, able: Mapping[str, Sequence[float]]) -> Load:
    """What the first half costs while the labels that can be chosen hold nothing."""
    without = {
        label: Thresholds(reject=both.reject) if label in able else both
        for label, both in policy.thresholds.items()
    }
    actions = np.array([one.action for one in decisions.decided_by(with_thresholds(policy, without))])
    half = decisions.first
    return Load(
        decisions.sample.weights[half],
        harmful_by(decisions, policy)[half],
        (actions == "hold")[half],
        (actions == "reject")[half],
    )


def harmful_by(decisions: Decisions, policy: Policy) -> Bools:
    """Which comments [n] any label of the policy is known to apply to."""
    said = [np.nan_to_num(decisions.targets(label)) >= 0.5 for label in policy.thresholds]
    return np.asarray(np.any(said, axis=0))


def with_thresholds(policy: Policy, thresholds: Mapping[str, Thresholds]) -> Policy:
    """``policy`` with other thresholds, for its sites too; only those without thresholds of their own may be asked."""
    sites = {name: replace(site, thresholds=thresholds) for name, site in policy.sites.items()}
    return replace(policy, thresholds=thresholds, sites=sites)


def reviews(held: float, rejected: float, policy: Policy, comments: int) -> float:
    """Reviews a day of so many comments: what is held, the random draws of what is published, and second reviews of both."""
    looked_at = held + policy.sample * (1 - held - rejected)
    return comments * looked_at * (1 + policy.second_review)


def _most_held(load: Load, decisions: Decisions, policy: Policy, goal: Goal) -> float:
    """The share of comments that may be held; raises TuneError where other rules alone cost more than a day's reviews."""
    wanted, comments = goal.per_day or 0, goal.comments_per_day or 1
    rejected, held = (float(np.average(mask, weights=load.weights)) for mask in (load.rejected, load.held))
    least = reviews(held, rejected, policy, comments)
    if least > wanted:
        reason = "labels that stay, words, links, language and random draws alone cost"
        raise TuneError(f"{reason} about {least:,.0f} reviews a day, more than {wanted:,}; raise --per-day")
    if policy.sample >= 1:
        return 1.0
    share = wanted / comments / (1 + policy.second_review)
    return (share - policy.sample * (1 - rejected)) / (1 - policy.sample)


def _nothing(halves: _Halves, label: str, present: Thresholds) -> Choice:
    """The label as it is, with what its present threshold does."""
    known, holds_from = halves.known, lower(present)
    harmful = int((known.counts & known.harmful).sum())
    stated = None if holds_from is None else halves.stated(holds_from)
    return Choice(label, present, present, int(known.counts.sum()), harmful, stated=stated)


def _with_hold(present: Thresholds, hold: float) -> Thresholds:
    """A reject threshold never lies below the one that holds."""
    return Thresholds(hold=hold, reject=None if present.reject is None else max(present.reject, hold))


def _too_little(halves: _Halves, fewest: int) -> str:
    """Why nothing can be chosen for a label, empty where something can; ``fewest`` harmful comments are needed in either half."""
    counts, harmful = halves.known.counts, halves.known.harmful
    known, positive = int(counts.sum()), int((counts & harmful).sum())
    more = f"at least {max(1, 2 * fewest - positive):,} more that are decided to be it"
    if not known:
        return f"no decision that counts says anything of it; {more}"
    if positive == known:
        return f"all {known:,} decided are harmful, none is known to be harmless; decide some that are not it"
    if not positive:
        return f"none of {known:,} decided is harmful; {more}"
    if positive < 2 * fewest or not halves.thresholds:
        return f"{positive:,} harmful of {known:,} decided are too few; {more}"
    return ""


def _not_reached(what: str, promise: float, points: Sequence[Point], decided: int) -> str:
    best = max(points, key=lambda one: one.precision.low)
    shown = f"{best.precision.value:.2f} ({best.precision.low:.2f}-{best.precision.high:.2f}, n {best.precision.n})"
    told = f"no {what} threshold is sure to reach {promise:g}: the surest is {best.threshold:g} with {shown}"
    times = times_as_many(promise, points)
    if times is None and max(one.precision.high for one in points) < promise:
        return f"{told}; more decisions do not help, but for stricter thresholds that hold too few of these"
    if times is None:
        return f"{told}; no estimate is above it, so how many more decisions it takes cannot be foreseen"
    return f"{told}; about {max(1, round((times - 1) * decided)):,} more decisions like these"
