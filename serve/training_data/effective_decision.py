"""The decision on a comment that counts, its origin and its labels; ``serve/DECISIONS.md`` has the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

from sqlalchemy import Row

from belowline.data.decision_labels import decision_labels
from belowline.serve.scoring.reason_codes import NO_REASON
from belowline.serve.training_data.histories import History

LeftOut = Literal["erased", "taken back", "held", "bulk", "blank", "unclear reason"]
"""Reason why a decided comment gives no example."""
_ORIGINS = {"appeal": "appeal", "second": "second_review", "bulk": "bulk"}


@dataclass(frozen=True, slots=True)
class EffectiveDecision:
    """The decision that counts.

    Attributes:
        text: The revision that was decided.
        origin: ``moderator``, ``second_review``, ``appeal``, ``golden``, ``bulk``, or the protocol of the
            site that decided itself.
        code: The reason code, of the earlier decision if this one only confirms it.
        overturned: Whether a person had decided otherwise on the same text.
        drawn: The policy's decision that published the comment and drew it for a moderator, if there is one.
    """

    decision: Row[Any]
    text: str
    origin: str
    labels: dict[str, float]
    code: str
    overturned: bool
    drawn: Row[Any] | None


def effective_decision(history: History, *, bulk: bool = False) -> EffectiveDecision | LeftOut:
    """Return the decision that counts, or the reason why none does.

    ``bulk`` includes decisions on many comments at once.
    """
    current = _current(history.decisions)
    if history.comment.erased is not None:
        return "erased"
    if not current:
        return "taken back"
    golden = history.golden
    if golden is not None and current[-1].action != golden.action:  # the comment was decided otherwise since
        golden = None
    last, origin = current[-1], origin_of(current[-1])
    if golden is not None:
        earlier = (row for row in reversed(current) if row.at <= golden.at)
        last, origin = next(earlier, current[0]), "golden"
    text = history.texts.get(last.revision)
    if last.action == "hold":
        return "held"
    if text is None:
        return "erased"
    if not text.strip():  # a picture
        return "blank"
    if origin == "bulk" and not bulk:
        return "bulk"
    same_text = [row for row in current if row.revision == last.revision and row.id <= last.id]
    reason = _reason(same_text)
    labels = reason.labels if golden is None else golden.labels
    if last.action == "reject" and reason.code_choice == "unclear" and not labels:
        return "unclear reason"
    # Every text is decided by the policy before a person decides it.
    earlier = (row for row in reversed(history.decisions) if row.id < last.id and row.via == "policy")
    policy = next(earlier, None)
    return EffectiveDecision(
        decision=last,
        text=text,
        origin=origin,
        labels=_labels(last, labels, _code(reason), policy),
        code=_code(reason),
        overturned=any(row.action not in (last.action, "hold") for row in same_text),
        drawn=policy if policy and (policy.action, policy.kind) == ("publish", "sample") else None,
    )


def origin_of(decision: Row[Any]) -> str:
    """Return the origin of a person's decision: a moderator here, or the protocol of a site that decided itself."""
    maker = _maker(decision)
    return _ORIGINS.get(decision.via, "moderator") if maker == "moderator" else maker


def _maker(decision: Row[Any]) -> str:
    """Return the first part of the rule: ``moderator``, ``bulk``, or the protocol of the site."""
    return str(decision.rule).partition(":")[0]


def _current(decisions: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return the decisions of people that were not undone, oldest first."""
    undone = {row.undoes for row in decisions}
    return [row for row in decisions if row.via != "policy" and row.undoes is None and row.id not in undone]


def _reason(same_text: Sequence[Row[Any]]) -> Row[Any]:
    """Return the decision with the reason: the last one, or an earlier one that it confirms without a reason."""
    last = same_text[-1]
    confirmed = takewhile(lambda row: row.action == last.action, reversed(same_text))
    return next((row for row in confirmed if row.labels or _code(row) not in ("none", "other")), last)


def _code(decision: Row[Any]) -> str:
    """Return the reason code, ``other`` for an unclear one."""
    return NO_REASON if decision.code_choice == "unclear" else str(decision.code)


def _labels(
    decision: Row[Any], ticked: Sequence[str], code: str, policy: Row[Any] | None
) -> dict[str, float]:
    maker = _maker(decision)
    # In a blind review the moderator saw neither the label that held the comment nor its evidence.
    seen = maker in ("moderator", "bulk") and not decision.blind
    held_for = policy.labels if seen and policy is not None else ()
    labels = decision_labels(decision.action, code, ticked, held_for)
    # Akismet's clients decide about spam only.
    return {label: value for label, value in labels.items() if maker != "akismet" or label == "spam"}
