"""Acts: one row for each thing that a person did, whether to one comment, to many or to an author.

The acts of a person are a stack: ``newest`` is the one that is undone next. A row is only ever changed to record
that it was undone.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

from belowline.serve.store import cursor
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import acts

Kind = Literal["decision", "bulk", "standing", "note", "escalation"]
State = Literal["done", "undone", "kept"]
WITHIN = timedelta(hours=12)
"""Age up to which ``newest`` finds an act: the length of a session."""


def begin(tx: Connection, who: Actor, kind: Kind, **values: Any) -> int:
    """Insert an act and return its id."""
    row = {"kind": kind, "actor": who.name, "at": now(), "state": "done", **values}
    return int(tx.execute(insert(acts).values(**row).returning(acts.c.id)).scalar_one())


def drop(tx: Connection, act: int) -> None:
    """Delete an act that changed nothing."""
    tx.execute(delete(acts).where(acts.c.id == act))


def newest(tx: Connection, who: Actor) -> Row[Any]:
    """Return the newest act of ``who`` that is not undone; raises Refusal if there is none of the last hours."""
    own = acts.c.actor == who.name, acts.c.state == "done", acts.c.at > now() - WITHIN
    row = tx.execute(select(acts).where(*own).order_by(acts.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        raise Refusal(
            "conflict", "there is nothing to undo from the last twelve hours; the log has older actions"
        )
    return row


def owned(tx: Connection, who: Actor, act: int) -> Row[Any]:
    """Return an act that ``who`` may undo, locked until the transaction ends; raises Refusal for any other."""
    row = seen(tx, who, act, lock=True)
    if row.actor != who.name and not who.may("administer"):
        raise Refusal("forbidden", "only the moderator who acted, or an admin, can undo this")
    if row.state != "done":
        raise Refusal("conflict", "this was undone before")
    return row


def seen(tx: Connection, who: Actor, act: int, *, lock: bool = False) -> Row[Any]:
    """Return an act of the sites of ``who``; raises Refusal for an unknown one."""
    row = read(tx, act, lock=lock)
    if row.actor != who.name and not who.sees(row.site or ""):
        raise unknown("act")
    return row


def read(tx: Connection, act: int, *, lock: bool = False) -> Row[Any]:
    """Return an act; raises Refusal for an unknown one."""
    query = select(acts).where(acts.c.id == act)
    row = tx.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise unknown("act")
    return row


def page(
    tx: Connection, who: Actor, limit: int, after: str | None = None, *, own: bool = False
) -> tuple[Sequence[Row[Any]], str | None]:
    """Return acts on the sites of ``who``, newest first, and the next cursor; with ``own`` only those of ``who``.

    Raises Refusal for a strange cursor.
    """
    mine = acts.c.actor == who.name
    query = select(acts)
    if own:
        query = query.where(mine)
    elif who.sites:  # an act on several sites has no site
        query = query.where(or_(mine, acts.c.site.in_(who.sites)))
    return cursor.page(tx, query, "newest", (acts.c.id,), limit, after)


def close(tx: Connection, act: int, who: Actor, state: State) -> None:
    """Record that an act was undone, or that nothing of it could be undone."""
    values = {"state": state, "undone_by": who.name, "undone_at": now()}
    tx.execute(update(acts).where(acts.c.id == act, acts.c.state == "done").values(**values))
