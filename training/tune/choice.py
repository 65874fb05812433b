"""Thresholds for a precision or for a review budget, chosen on one half of the decisions and measured on the other."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from belowline.model import Policy, Thresholds
from belowline.training.errors import TuneError
from belowline.training.measure.bootstrap import Bools, Floats
from belowline.training.tune.decisions import Decisions
from belowline.training.tune.label import FEWEST_HELD, LabelDecisions, Point, lowest_of

_STEP = 1.1
_BUDGET_STEP = 1.02
"""Finer steps for a budget: below the present threshold each decided comment may stand for many."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A precision of held (and of rejected) comments, or at most ``per_day`` reviews of ``comments_per_day`` comments."""

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
class Choice:
    """The proposal for one label.

    Attributes:
        label: The label.
        present: Its thresholds in the present policy.
        proposed: The proposed ones; equal to ``present`` where they stay.
        decided: Decisions that know the label and count; ``harmful`` of them say that it applies.
        measured: The effect of the proposed (or staying) threshold on the second half; None if the label never acts.
        measured_reject: The same of a proposed reject threshold.
        curve: The effect of every candidate threshold on the second half.
        missed: True if the second half rules out that the goal is reached.
        reason: Why a threshold stays; empty if it changes.
    """

    label: str
    present: Thresholds
    proposed: Thresholds
    decided: int
    harmful: int
    measured: Point | None = None
    measured_reject: Point | None = None
    curve: Sequence[Point] = ()
    missed: bool = False
    reason: str = ""


def for_precision(decisions: Decisions, policy: Policy, goal: Goal) -> list[Choice]:
    """Choose, for each label, the lowest hold (and reject) threshold that reaches the precision of ``goal``."""
    labels = (LabelDecisions(decisions, label, present) for label, present in policy.thresholds.items())
    return [_for_precision(data, goal) for data in labels]


def _for_precision(data: LabelDecisions, goal: Goal) -> Choice:
    candidates = data.candidates(_STEP)
    choice = _unchanged(data, candidates)
    # So many harmful comments in a row put the lower end of the interval at the wanted precision.
    reason = _too_few(data, candidates, math.ceil(math.log(0.025) / math.log(goal.precision or 0.5)))
    if reason:
        return replace(choice, reason=reason, curve=())
    for action, wanted in (("hold", goal.precision), ("reject", goal.reject_precision)):
        if wanted is None:
            continue
        threshold = data.lowest_reaching(wanted, candidates)
        if threshold is None:
            return replace(choice, reason=_not_reached(action, wanted, data, candidates))
        point = data.point(threshold)
        choice = replace(choice, missed=choice.missed or point.precision.high < wanted)
        if action == "hold":
            choice = replace(choice, proposed=_with_hold(data.present, threshold), measured=point)
        else:
            proposed = Thresholds(hold=choice.proposed.hold, reject=threshold)
            choice = replace(choice, proposed=proposed, measured_reject=point)
    return choice


def for_budget(decisions: Decisions, policy: Policy, goal: Goal) -> list[Choice]:
    """Choose the hold thresholds that together catch the most harm within the reviews of a day."""
    if not decisions.drawn.any():
        raise TuneError(
            "--per-day needs decisions on a random sample of published comments; set `sample` in the policy for a while, "
            "or give --precision"
        )
    labels = [LabelDecisions(decisions, label, present) for label, present in policy.thresholds.items()]
    candidates = {data.label: data.candidates(_BUDGET_STEP) for data in labels}
    reasons = {data.label: _too_few(data, candidates[data.label], FEWEST_HELD) for data in labels}
    tunable = {label: steps for label, steps in candidates.items() if not reasons[label]}
    load = _load(decisions, policy, tunable)
    probabilities = {label: decisions.probabilities[label][decisions.first] for label in tunable}
    holds = most_within(_most_held(load, policy, goal), load, probabilities, tunable)
    return [
        replace(_unchanged(data, ()), reason=reasons[data.label])
        if reasons[data.label]
        else _budgeted(data, candidates[data.label], holds[data.label])
        for data in labels
    ]


def _budgeted(data: LabelDecisions, candidates: list[float], hold: float | None) -> Choice:
    choice = _unchanged(data, candidates)
    if hold is None:
        return replace(choice, proposed=Thresholds(reject=data.present.reject), measured=None)
    return replace(choice, proposed=_with_hold(data.present, hold), measured=data.point(hold))


@dataclass(frozen=True, slots=True)
class Load:
    """Reviews that n comments need before any threshold is chosen.

    Attributes:
        weights: Number of comments that each stands for [n].
        harmful: Comments to which any label of the policy applies [n].
        held: Comments held by other rules [n].
        rejected: Comments rejected without a review [n].
    """

    weights: Floats
    harmful: Bools
    held: Bools
    rejected: Bools


def most_within(
    most: float,
    load: Load,
    probabilities: Mapping[str, Floats],
    candidates: Mapping[str, Sequence[float]],
) -> dict[str, float | None]:
    """Choose a threshold per label, None for labels that do not hold; at most a share ``most`` of comments is held.

    Greedy: each step lowers the one threshold that catches the most harm per additional review. Comments that are
    held already cost nothing, so overlap between labels counts once. The result need not be the optimum.
    """
    chosen: dict[str, float | None] = dict.fromkeys(candidates)
    held, total = load.held & ~load.rejected, float(load.weights.sum())
    while True:
        left = most * total - float(load.weights[held].sum())
        unreviewed = load.weights * ~(held | load.rejected)
        steps = [
            _best_step(label, load, unreviewed, probabilities[label], own, left)
            for label, own in candidates.items()
            if len(own)
        ]
        gain, label, threshold = max(steps, default=(0.0, "", 0.0))
        if gain <= 0:
            return chosen
        chosen[label] = threshold
        held |= (probabilities[label] >= threshold) & ~load.rejected


def _best_step(
    label: str, load: Load, unreviewed: Floats, probability: Floats, candidates: Sequence[float], left: float
) -> tuple[float, str, float]:
    """Return harm caught per additional review, label and threshold of the best affordable candidate."""
    order = np.argsort(-probability, kind="stable")
    cost = np.concatenate(([0.0], np.cumsum(unreviewed[order])))
    harm = np.concatenate(([0.0], np.cumsum((unreviewed * load.harmful)[order])))
    ends = np.searchsorted(-probability[order], -np.asarray(candidates), side="right")
    affordable = (cost[ends] > 0) & (cost[ends] <= left + 1e-9)
    gain = np.divide(harm[ends], cost[ends], out=np.zeros(len(candidates)), where=affordable)
    best = int(gain.argmax())
    return float(gain[best]), label, float(candidates[best])


def _load(decisions: Decisions, policy: Policy, tunable: Mapping[str, Sequence[float]]) -> Load:
    """Return the load of the first half while the tunable labels hold nothing."""
    thresholds = {
        label: Thresholds(reject=present.reject) if label in tunable else present
        for label, present in policy.thresholds.items()
    }
    sites = {name: replace(site, thresholds=thresholds) for name, site in policy.sites.items()}
    without = replace(policy, thresholds=thresholds, sites=sites)
    actions = np.array([decision.action for decision in decisions.decided_by(without)])[decisions.first]
    return Load(
        decisions.sample.weights[decisions.first],
        harmful_by(decisions, policy)[decisions.first],
        actions == "hold",
        actions == "reject",
    )


def harmful_by(decisions: Decisions, policy: Policy) -> Bools:
    """Return the comments [n] to which any label of the policy is known to apply."""
    applies = [np.nan_to_num(decisions.targets(label)) >= 0.5 for label in policy.thresholds]
    return np.asarray(np.any(applies, axis=0))


def reviews(held: float, rejected: float, policy: Policy, comments: int) -> float:
    """Return the reviews of ``comments``: held ones, random draws of published ones, second reviews of both."""
    reviewed = held + policy.sample * (1 - held - rejected)
    return comments * reviewed * (1 + policy.second_review)


def _most_held(load: Load, policy: Policy, goal: Goal) -> float:
    """Return the share of comments that may be held; raises TuneError if other rules alone exceed the budget."""
    budget, comments = goal.per_day or 0, goal.comments_per_day or 1
    rejected, held = (float(np.average(mask, weights=load.weights)) for mask in (load.rejected, load.held))
    least = reviews(held, rejected, policy, comments)
    if least > budget:
        raise TuneError(
            f"other labels, words, links, language and random draws need about {least:,.0f} reviews a day, more than {budget:,}; "
            "raise --per-day"
        )
    if policy.sample >= 1:
        return 1.0
    share = budget / comments / (1 + policy.second_review)
    return (share - policy.sample * (1 - rejected)) / (1 - policy.sample)


def _unchanged(data: LabelDecisions, candidates: Sequence[float]) -> Choice:
    """Return the label with its present thresholds and their effect."""
    lowest = lowest_of(data.present)
    return Choice(
        data.label,
        data.present,
        data.present,
        decided=int(data.counts.sum()),
        harmful=int((data.counts & data.harmful).sum()),
        measured=None if lowest is None else data.point(lowest),
        curve=[data.point(threshold) for threshold in candidates],
    )


def _with_hold(present: Thresholds, hold: float) -> Thresholds:
    # A reject threshold is never below the hold threshold.
    return Thresholds(hold=hold, reject=None if present.reject is None else max(present.reject, hold))


def _too_few(data: LabelDecisions, candidates: Sequence[float], fewest: int) -> str:
    """Return why nothing can be chosen, empty if something can; each half needs ``fewest`` harmful comments."""
    decided, harmful = int(data.counts.sum()), int((data.counts & data.harmful).sum())
    if decided and harmful == decided:
        return f"all {decided:,} decisions are harmful; also review some negatives for this label"
    if harmful < 2 * fewest or not candidates:
        return f"{harmful:,} harmful of {decided:,} decisions; needs {max(1, 2 * fewest - harmful):,} more harmful"
    return ""


def _not_reached(action: str, wanted: float, data: LabelDecisions, candidates: Sequence[float]) -> str:
    best = max((data.point(threshold, first=True) for threshold in candidates), key=lambda p: p.precision.low)
    share = best.precision
    return (
        f"no {action} threshold reaches precision {wanted:g} for sure; the best is {best.threshold:g} with "
        f"{share.value:.2f} ({share.low:.2f}-{share.high:.2f}, n {share.n:,})"
    )
