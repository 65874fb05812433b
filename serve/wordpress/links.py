"""Comments that are linked to another system, and their last known status there. The table holds no text."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from belowline.serve.store.database import now, upsert
from belowline.serve.store.tables import bridges, comments

_JOINED = (
    select(comments.c.id, comments.c.caller_id, comments.c.action, comments.c.erased)
    .add_columns(bridges.c.action.label("theirs"))
    .join(bridges, bridges.c.comment_id == comments.c.id)
)


def remember(tx: Connection, comment: int, theirs: str) -> None:
    """Stores that the other system now publishes, holds or rejects a comment."""
    values = {"comment_id": comment, "action": theirs, "at": now()}
    upsert(tx, bridges, values, ("comment_id",))


def known(tx: Connection, site: str, caller_ids: Sequence[str]) -> set[str]:
    """Those of ``caller_ids`` that are linked already."""
    query = _JOINED.where(comments.c.site == site, comments.c.caller_id.in_(caller_ids))
    return {row.caller_id for row in tx.execute(query)}


def due(tx: Connection, site: str, since: datetime) -> Sequence[Row[Any]]:
    """Comments to compare: held ones, those with another action there, and those that changed there since ``since``."""
    open_or_new = or_(
        comments.c.action == "hold", comments.c.action != bridges.c.action, bridges.c.at >= since
    )
    return tx.execute(_JOINED.where(comments.c.site == site, open_or_new).order_by(comments.c.id)).all()


def read(tx: Connection, comment: int) -> Row[Any]:
    """A linked comment: its action here (``action``) and its last known one there (``theirs``)."""
    return tx.execute(_JOINED.where(comments.c.id == comment)).one()
