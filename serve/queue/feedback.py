"""Feedback: labels that callers suggest for comments; examples for training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, insert, or_, select, tuple_, update

from belowline.serve.store.database import now
from belowline.serve.store.tables import comments, feedback


@dataclass(frozen=True, slots=True)
class Feedback:
    """Suggested ``scores`` (our labels to 0..1) for a text; ``given`` holds the same as the caller sent it."""

    protocol: str
    text: str
    scores: Mapping[str, float]
    given: Mapping[str, Any]
    caller_id: str | None = None
    context: str | None = None
    language: str | None = None


def add(tx: Connection, actor: str, site: str, suggestion: Feedback) -> None:
    """Store feedback, linked to the comment with the caller's id if it is stored and not erased."""
    named = (comments.c.site == site) & (comments.c.caller_id == suggestion.caller_id)
    comment = tx.execute(select(comments.c.id).where(named, comments.c.erased.is_(None))).scalar_one_or_none()
    values = {**asdict(suggestion), "site": site, "comment_id": comment, "actor": actor, "at": now()}
    tx.execute(insert(feedback).values(**values))


def erase(tx: Connection, site: str, caller_id: str) -> int:
    """Erase the feedback on a comment, stored or not, by the caller's id.

    Returns the number of rows that had a text.
    """
    return _erase(tx, (feedback.c.site == site) & (feedback.c.caller_id == caller_id))


def erase_of(tx: Connection, ids: Sequence[int]) -> None:
    """Erase the feedback on stored comments, also that from before they were stored."""
    named = select(comments.c.site, comments.c.caller_id).where(comments.c.id.in_(ids))
    same = tuple_(feedback.c.site, feedback.c.caller_id).in_(named)
    _erase(tx, or_(feedback.c.comment_id.in_(ids), same))


def _erase(tx: Connection, condition: ColumnElement[bool]) -> int:
    erased: dict[str, Any] = {"text": None, "context": None, "given": {}, "erased": now()}
    return tx.execute(
        update(feedback).where(condition, feedback.c.erased.is_(None)).values(**erased)
    ).rowcount
