"""Decisions that change at the policy's thresholds when one contender replaces another."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from belowline.model import Policy, Scores, decide
from belowline.model.policy import Action, PolicyDecision
from belowline.training.measure.intervals import Floats
from belowline.training.measure.rows import TestRows

Judged = Literal["right", "wrong", "unknown"]
_STRICTNESS: Mapping[Action, int] = {"publish": 0, "hold": 1, "reject": 2}


@dataclass(frozen=True, slots=True)
class Flip:
    """A row that A and B decide differently.

    ``b_is`` says if B is right. The stricter side is right if a label of the policy is known to apply. It is
    wrong if no label is known to apply and the label that it named is known not to. Everything else is
    unknown.
    """

    index: int  # number of the row among those compared
    corpus: str
    row: str
    a: Action
    b: Action
    label: str  # the label for which the stricter side acted
    b_is: Judged


@dataclass(frozen=True, slots=True)
class Flips:
    """Changed rows, their counts by change (``publish > hold``) and correctness of B, and the rows decided by both."""

    decided: int
    counts: Mapping[str, Mapping[str, int]]
    rows: Sequence[Flip]


def decisions_of(scores: Mapping[str, Floats], labels: Sequence[str], policy: Policy) -> list[PolicyDecision]:
    """Apply ``policy`` to the probabilities of ``labels``; other labels count as not applying."""
    nothing = dict.fromkeys(policy.thresholds, 0.0)
    columns = [scores[label].tolist() for label in labels]
    language = policy.languages[0]
    return [
        decide(Scores(nothing | dict(zip(labels, row, strict=True)), (), language, ""), policy)
        for row in zip(*columns, strict=True)
    ]


def flips_of(
    rows: TestRows, a: Mapping[str, Floats], b: Mapping[str, Floats], policies: tuple[Policy, Policy]
) -> Flips:
    """Return the rows that A and B decide differently by common labels; rows that one did not score are left out."""
    labels = [label for label in policies[0].thresholds if label in a and label in b]
    if not labels:
        return Flips(0, {}, [])
    answered = ~np.any([np.isnan(scores[label]) for scores in (a, b) for label in labels], axis=0)
    sides = (decisions_of(scores, labels, policy) for scores, policy in zip((a, b), policies, strict=True))
    pairs = enumerate(zip(*sides, strict=True))
    flips = [
        _flip(rows, index, first, second, labels)
        for index, (first, second) in pairs
        if answered[index] and first.action != second.action
    ]
    return Flips(int(answered.sum()), _counts(flips), flips)


def _flip(rows: TestRows, index: int, a: PolicyDecision, b: PolicyDecision, labels: Sequence[str]) -> Flip:
    stricter = a if _STRICTNESS[a.action] > _STRICTNESS[b.action] else b
    label = str(stricter.label)
    known = {name: rows.target(name)[index] for name in labels if name in rows.labels}
    right = any(value >= 0.5 for value in known.values())
    judged: Judged = "unknown"
    if right or known.get(label, np.nan) < 0.5:
        judged = "right" if right == (stricter is b) else "wrong"
    return Flip(index, str(rows.sources[index]), str(rows.ids[index]), a.action, b.action, label, judged)


def _counts(flips: Sequence[Flip]) -> dict[str, dict[str, int]]:
    counted = Counter((f"{flip.a} > {flip.b}", flip.b_is) for flip in flips)
    changes = sorted({change for change, _ in counted})
    return {
        change: {judged: counted[change, judged] for judged in ("right", "wrong", "unknown")}
        for change in changes
    }
