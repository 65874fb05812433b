"""Escalation: a held comment goes to a colleague or a role, with a note, and leaves everybody else's queue."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, select, update

from belowline.serve.queue import acts, queue_items
from belowline.serve.queue.comments import locked
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import acts as acts_table
from belowline.serve.store.tables import api_keys, items

_ROLES = ("moderator", "admin")
_PERSONS = ("triage", *_ROLES)


def receivers(tx: Connection, sites: tuple[str, ...] = ()) -> list[str]:
    """Return the receivers, such as ``role:admin`` and ``person:Ann``, that see a site of ``sites`` (none: any)."""
    query = select(api_keys.c.name, api_keys.c.sites).where(
        api_keys.c.revoked.is_(None), api_keys.c.role.in_(_PERSONS)
    )
    rows = tx.execute(query.order_by(api_keys.c.name)).all()
    people = [row.name for row in rows if not sites or not row.sites or set(sites) & set(row.sites)]
    return [*(f"role:{role}" for role in _ROLES), *(f"person:{name}" for name in people)]


def escalate(tx: Connection, who: Actor, comment_id: int, to: str, note: str | None) -> int:
    """Give the open queue item of a comment to ``to`` and return the act.

    Raises Refusal for an unknown comment or receiver, and for a comment that does not wait or that another moderator
    holds.
    """
    comment = locked(tx, comment_id)
    if comment is None or comment.erased is not None or not who.sees(comment.site):
        raise unknown("comment")
    item = queue_items.open_item(tx, comment_id)
    if item is None:
        raise Refusal(
            "conflict", "the comment does not wait in the queue; only a waiting comment can be escalated"
        )
    if queue_items.claimed_by_other(item, who.name, now()):
        raise Refusal("conflict", "another moderator holds this comment; take the next one")
    if to not in receivers(tx, (comment.site,)):
        raise Refusal(
            "invalid-request", f"{to!r} is nobody who can decide this comment; choose another receiver"
        )
    values = {"escalated_to": to, "escalated_by": who.name, **queue_items.UNCLAIMED}
    tx.execute(update(items).where(items.c.id == item.id).values(**values))
    return acts.begin(tx, who, "escalation", site=comment.site, comment_id=comment_id, value=to, note=note)


def newest(tx: Connection, ids: Collection[int]) -> dict[int, Row[Any]]:
    """Return the newest act that escalated each of these comments and is not undone."""
    query = select(acts_table).where(acts_table.c.kind == "escalation", acts_table.c.state == "done")
    query = query.where(acts_table.c.comment_id.in_(ids)).order_by(acts_table.c.id)
    return {row.comment_id: row for row in tx.execute(query)}


def undone(tx: Connection, who: Actor, comment_id: int, to: str) -> bool:
    """Take an escalation back: ``who`` holds the item again. Returns whether it still waits for ``to``."""
    item = queue_items.open_item(tx, comment_id)
    if item is None or item.escalated_to != to:
        return False
    lease = {"claimed_by": who.name, "claimed_until": now() + queue_items.LEASE}
    values = {"escalated_to": None, "escalated_by": None, **lease}
    tx.execute(update(items).where(items.c.id == item.id).values(**values))
    return True
