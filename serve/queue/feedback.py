"""What callers tell of comments that were scored for them: examples for training, tied to a comment where one is named and kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, insert, or_, select, update

from belowline.serve.store.database import now
from belowline.serve.store.tables import comments, feedback


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a caller says of a comment. ``scores`` are by our labels, 0 to 1; ``given`` is the same in the caller's own words."""

    protocol: str
    text: str
    scores: Mapping[str, float]
    given: Mapping[str, Any]
    caller_id: str | None = None
    context: str | None = None
    language: str | None = None


def add(tx: Connection, actor: str, site: str, told: Feedback) -> None:
    """Keeps it."""
    kept = select(comments.c.id).where(
        comments.c.site == site, comments.c.caller_id == told.caller_id, comments.c.erased.is_(None)
    )
    values = {
        "site": site,
        "protocol": told.protocol,
        "caller_id": told.caller_id,
        "comment_id": tx.execute(kept).scalar_one_or_none() if told.caller_id else None,
        "text": told.text,
        "context": told.context,
        "language": told.language,
        "scores": dict(told.scores),
        "given": dict(told.given),
        "actor": actor,
        "at": now(),
    }
    tx.execute(insert(feedback).values(**values))


def erase(tx: Connection, site: str, caller_id: str) -> int:
    """Erases the text of what was told of a comment by the caller's id, kept or not; returns how many rows held some."""
    wanted = and_(feedback.c.site == site, feedback.c.caller_id == caller_id)
    return _erase(tx, wanted)


def erase_of(tx: Connection, ids: Sequence[int]) -> None:
    """Erases the text of what was told of these comments, before or after they were kept."""
    named = select(comments.c.site, comments.c.caller_id).where(comments.c.id.in_(ids))
    pairs = [
        and_(feedback.c.site == row.site, feedback.c.caller_id == row.caller_id)
        for row in tx.execute(named).all()
    ]
    _erase(tx, or_(feedback.c.comment_id.in_(ids), *pairs))


def _erase(tx: Connection, wanted: Any) -> int:
    gone: dict[str, Any] = {"text": None, "context": None, "given": {}, "erased": now()}
    return tx.execute(update(feedback).where(wanted, feedback.c.erased.is_(None)).values(**gone)).rowcount
