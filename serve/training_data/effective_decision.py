"""Which of a comment's decisions counts, whence it came and what it says of labels; ``serve/DECISIONS.md`` gives the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any, Literal

from sqlalchemy import Row

from belowline.data.decision_labels import decision_labels
from belowline.serve.scoring.reason_codes import NO_REASON
from belowline.serve.training_data.histories import History

LeftOut = Literal["erased", "taken back", "held", "bulk", "blank", "unclear reason"]
"""Why a comment that people decided gives no example."""
_HERE = ("moderator", "bulk")
_ORIGINS = {"appeal": "appeal", "second": "second_review", "bulk": "bulk"}


@dataclass(frozen=True, slots=True)
class EffectiveDecision:
    """The decision that counts.

    Attributes:
        decision: Its row.
        text: What was decided on.
        origin: ``moderator``, ``second_review``, ``appeal``, ``golden``, ``bulk``, or the protocol of the site that decided itself.
        labels: What it says of them.
        code: The reason code, that of an earlier decision where this one only confirms it.
        overturned: Whether a person had decided otherwise on the same text.
        drawn: The policy's row by which the comment came to moderators at random, or None.
    """

    decision: Row[Any]
    text: str
    origin: str
    labels: dict[str, float]
    code: str
    overturned: bool
    drawn: Row[Any] | None


def final(history: History, *, bulk: bool = False) -> EffectiveDecision | LeftOut:
    """The decision that counts, or why none does; with ``bulk`` also one that was made for many comments at once."""
    standing = _standing(history.decisions)
    if history.comment.erased is not None:
        return "erased"
    if not standing:
        return "taken back"
    golden = history.golden
    if golden is not None and standing[-1].action != golden.action:  # somebody decided otherwise since
        golden = None
    last = standing[-1] if golden is None else _answer(standing, golden.at)
    text, origin = history.texts.get(last.revision), "golden" if golden is not None else origin_of(last)
    if last.action == "hold":
        return "held"
    if text is None:
        return "erased"
    if not text.strip():  # a picture alone
        return "blank"
    if origin == "bulk" and not bulk:
        return "bulk"
    same_text = [row for row in standing if row.revision == last.revision and row.id <= last.id]
    policy = _by_policy(history.decisions, last)
    reason = _reason(same_text)
    named = reason.labels if golden is None else golden.labels
    if last.action == "reject" and _is_unclear(reason) and not named:
        return "unclear reason"
    return EffectiveDecision(
        decision=last,
        text=text,
        origin=origin,
        labels=_labels(last, named, _code(reason), policy),
        code=_code(reason),
        overturned=any(row.action not in (last.action, "hold") for row in same_text),
        drawn=policy if policy is not None and _is_draw(policy) else None,
    )


def origin_of(decision: Row[Any]) -> str:
    """Whence a person's decision came: from here, or by the protocol of a site that decided itself."""
    maker = _maker(decision)
    return _ORIGINS.get(decision.via, "moderator") if maker == "moderator" else maker


def _maker(decision: Row[Any]) -> str:
    """A rule begins with the protocol where the site decided itself."""
    return str(decision.rule).partition(":")[0]


def _standing(made: Sequence[Row[Any]]) -> list[Row[Any]]:
    """What people decided and nobody took back, oldest first."""
    undone = {row.undoes for row in made}
    return [row for row in made if row.via != "policy" and row.undoes is None and row.id not in undone]


def _answer(standing: Sequence[Row[Any]], at: datetime) -> Row[Any]:
    """The decision that a golden answer was taken from."""
    return next((row for row in reversed(standing) if row.at <= at), standing[0])


def _reason(same_text: Sequence[Row[Any]]) -> Row[Any]:
    """The decision that says why: the last, or where it gives no reason the one that it confirms."""
    last = same_text[-1]
    confirmed = takewhile(lambda row: row.action == last.action, reversed(same_text))
    return next((row for row in confirmed if row.labels or _code(row) not in ("none", "other")), last)


def _is_unclear(decision: Row[Any]) -> bool:
    return bool(decision.code_choice == "unclear")


def _code(decision: Row[Any]) -> str:
    """The reason code, ``other`` in place of one that nobody may have chosen."""
    return NO_REASON if _is_unclear(decision) else str(decision.code)


def _by_policy(made: Sequence[Row[Any]], decision: Row[Any]) -> Row[Any] | None:
    """What the policy had decided on the same text before: each text that comes is decided by it first."""
    return next((row for row in reversed(made) if row.id < decision.id and row.via == "policy"), None)


def _is_draw(policy: Row[Any]) -> bool:
    """Whether the policy published the comment, and drew it at random for a moderator to see."""
    return bool(policy.action == "publish" and policy.kind == "sample")


def _labels(
    decision: Row[Any], ticked: Sequence[str], code: str, policy: Row[Any] | None
) -> dict[str, float]:
    maker = _maker(decision)
    held_for = policy.labels if maker in _HERE and policy is not None else ()
    found = decision_labels(decision.action, code, ticked, held_for)
    # Akismet's clients are asked about spam and nothing else.
    return {label: value for label, value in found.items() if maker != "akismet" or label == "spam"}
