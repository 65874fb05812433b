"""Filters of the queue that moderators saved under a name."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from belowline.serve.store.database import upsert
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import saved_filters

LONGEST_NAME = 60
_MOST = 30


def saved(tx: Connection, actor: str) -> Sequence[Row[Any]]:
    """Return a moderator's filters by name."""
    query = select(saved_filters).where(saved_filters.c.actor == actor)
    return tx.execute(query.order_by(func.lower(saved_filters.c.name), saved_filters.c.id)).all()


def save(tx: Connection, actor: str, name: str, query: str) -> None:
    """Save a filter; one of the same name is replaced. Raises Refusal for a bad name and for too many filters."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME:
        raise Refusal("invalid-request", f"name the filter with 1 to {LONGEST_NAME} characters")
    names = {row.name for row in saved(tx, actor)}
    if name not in names and len(names) >= _MOST:
        raise Refusal("conflict", f"you have {_MOST} filters; remove one first")
    upsert(tx, saved_filters, {"actor": actor, "name": name, "query": query}, ("actor", "name"))


def drop(tx: Connection, actor: str, number: int) -> None:
    """Remove a filter; one of another moderator stays."""
    tx.execute(delete(saved_filters).where(saved_filters.c.id == number, saved_filters.c.actor == actor))
