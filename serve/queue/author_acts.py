"""Acts on authors: their standing, which the policy applies to new comments, and notes for other moderators."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, or_, select

from belowline.model.policy import Standing
from belowline.serve.queue import acts
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import acts as acts_table
from belowline.serve.store.tables import authors
from belowline.serve.webhooks import outbox

Choice = Literal["suspended", "banned", "pre_moderated", "trusted", "normal"]
"""The standings that a moderator can set; ``normal`` ends every other one."""
CHOICES: tuple[Choice, ...] = get_args(Choice)
LONGEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class AuthorStanding:
    """An author's standing; ``until`` is None for one without an end."""

    standing: Standing
    until: datetime | None
    actor: str
    at: datetime


def set_standing(
    tx: Connection,
    who: Actor,
    author_id: int,
    standing: Choice,
    until: datetime | None = None,
    note: str | None = None,
) -> int:
    """Record an author's standing, notify webhooks, and return the act.

    Only a suspension ends by itself, at ``until``. Raises Refusal for an unknown author and a wrong end.
    """
    author = _known(tx, who, author_id)
    if (standing == "suspended") != (until is not None):
        raise Refusal(
            "invalid-request",
            "only a suspension has an end (until), and it needs one; send it with suspended, else leave it out",
        )
    if until is not None and not now() < until < now() + LONGEST:
        raise Refusal(
            "invalid-request", "the end of a suspension (until) must be in the future, within ten years"
        )
    values = {"site": author.site, "author_id": author_id, "value": standing, "until": until, "note": note}
    act = acts.begin(tx, who, "standing", **values)
    _tell(tx, author, act)
    return act


def add_note(tx: Connection, who: Actor, author_id: int, note: str) -> int:
    """Record a note about an author, and return the act; raises Refusal for an unknown author."""
    author = _known(tx, who, author_id)
    return acts.begin(tx, who, "note", site=author.site, author_id=author_id, note=note)


def undone(tx: Connection, act: Row[Any]) -> None:
    """Notify webhooks of the standing that counts again after the undo of ``act``."""
    author = tx.execute(select(authors).where(authors.c.id == act.author_id)).one()
    _tell(tx, author, act.id)


def standings(tx: Connection, ids: Collection[int]) -> dict[int, AuthorStanding]:
    """Return the present standing of those authors that have one.

    The newest act counts that is neither undone nor over; after a suspension the earlier standing counts again.
    """
    current = or_(acts_table.c.until.is_(None), acts_table.c.until > now())
    query = select(acts_table).where(acts_table.c.kind == "standing", acts_table.c.state == "done", current)
    query = query.where(acts_table.c.author_id.in_(ids)).order_by(acts_table.c.id)
    newest = {row.author_id: row for row in tx.execute(query)}
    return {
        author: AuthorStanding(row.value, row.until, row.actor, row.at)
        for author, row in newest.items()
        if row.value != "normal"
    }


def notes(tx: Connection, ids: Collection[int]) -> dict[int, list[Row[Any]]]:
    """Return the notes on authors that are not undone, newest first, with the notes of changes of standing."""
    query = select(acts_table).where(acts_table.c.author_id.in_(ids), acts_table.c.state == "done")
    query = query.where(acts_table.c.kind.in_(("note", "standing")), acts_table.c.note.is_not(None))
    found: dict[int, list[Row[Any]]] = {}
    for row in tx.execute(query.order_by(acts_table.c.id.desc())):
        found.setdefault(row.author_id, []).append(row)
    return found


def _known(tx: Connection, who: Actor, author_id: int) -> Row[Any]:
    row = tx.execute(select(authors).where(authors.c.id == author_id).with_for_update()).one_or_none()
    if row is None or row.caller_id is None or not who.sees(row.site):
        raise unknown("author")
    return row


def _tell(tx: Connection, author: Row[Any], act: int) -> None:
    present = standings(tx, [author.id]).get(author.id)
    standing, until = (present.standing, present.until) if present else (None, None)
    outbox.notify_author(tx, author, act, standing, until)
