"""Conversations: a thread as a tree, and the comments around one of its comments."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, select, tuple_

from belowline.serve.queue.comments import said_at
from belowline.serve.store.tables import comments

MOST = 5000
"""Most comments of a thread in its tree, the oldest ones."""
_ANCESTORS, _BESIDE, _REPLIES = 20, 5, 20
_COLUMNS: tuple[ColumnElement[Any], ...] = (
    *(comments.c.id, comments.c.site, comments.c.caller_id, comments.c.thread_id, comments.c.parent),
)
_OLDEST_FIRST = said_at, comments.c.id


@dataclass(frozen=True, slots=True)
class Place:
    """A comment's id and the number of comments that it answers through."""

    comment: int
    depth: int


def tree(tx: Connection, thread: int) -> list[Place]:
    """Return a thread's comments, oldest first, each reply below its parent; erased ones only if they have replies."""
    columns = [*_COLUMNS, comments.c.erased]
    query = select(*columns).where(comments.c.thread_id == thread)
    rows = tx.execute(query.order_by(*_OLDEST_FIRST).limit(MOST)).all()
    known = {row.caller_id for row in rows}
    replies: dict[str | None, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        replies[row.parent if row.parent in known else None].append(row)
    shown = {row.id for row in rows if row.erased is None or replies.get(row.caller_id)}
    return [place for place in _walk(rows, replies) if place.comment in shown]


def _walk(rows: Sequence[Row[Any]], replies: dict[str | None, list[Row[Any]]]) -> Iterator[Place]:
    """Yield every row once, below its parent; of rows that answer each other the oldest begins."""
    seen: set[int] = set()
    for first in (*replies[None], *rows):
        open_rows = [(first, 0)]
        while open_rows:
            row, depth = open_rows.pop()
            if row.id in seen:
                continue
            seen.add(row.id)
            yield Place(row.id, depth)
            open_rows += [(reply, depth + 1) for reply in reversed(replies.get(row.caller_id, []))]


def around(tx: Connection, comment: int) -> list[Place]:
    """Return the comments that a comment answers through, those beside it, itself, and its replies, as in a tree."""
    columns = [*_COLUMNS, said_at.label("moment")]
    own = tx.execute(select(*columns).where(comments.c.id == comment)).one()
    above = _ancestors(tx, own)
    depth = len(above)
    places = [Place(row.id, at) for at, row in enumerate(above)]
    before, after = _beside(tx, own)
    replies = _ids(tx, _answering(own.site, own.caller_id).where(comments.c.id != own.id), _REPLIES)
    places += [Place(one, depth) for one in (*before, own.id)]
    places += [Place(one, depth + 1) for one in replies]
    return [*places, *(Place(one, depth) for one in after)]


def _ancestors(tx: Connection, row: Row[Any]) -> list[Row[Any]]:
    """Return the stored comments that ``row`` answers through, the first one first."""
    found: dict[int, Row[Any]] = {row.id: row}
    while row.parent is not None and len(found) <= _ANCESTORS:
        named = comments.c.site == row.site, comments.c.caller_id == row.parent
        parent: Row[Any] | None = tx.execute(select(*_COLUMNS).where(*named)).one_or_none()
        if parent is None or parent.id in found:
            break
        found[parent.id] = row = parent
    return list(found.values())[:0:-1]


def _beside(tx: Connection, own: Row[Any]) -> tuple[list[int], list[int]]:
    """Return the ids of the comments with the same parent just before ``own`` and just after it."""
    if own.parent is None and own.thread_id is None:
        return [], []
    same = _answering(own.site, own.parent)
    if own.parent is None:
        same = same.where(comments.c.thread_id == own.thread_id)
    earlier = _before(own)
    before = same.where(earlier).order_by(None).order_by(*(column.desc() for column in _OLDEST_FIRST))
    return _ids(tx, before, _BESIDE)[::-1], _ids(tx, same.where(~earlier, comments.c.id != own.id), _BESIDE)


def _before(own: Row[Any]) -> ColumnElement[bool]:
    earlier: ColumnElement[bool] = tuple_(said_at, comments.c.id) < tuple_(own.moment, own.id)
    return earlier


def _answering(site: str, parent: str | None) -> Select[Any]:
    alive = comments.c.site == site, comments.c.parent == parent, comments.c.erased.is_(None)
    return select(comments.c.id).where(*alive).order_by(*_OLDEST_FIRST)


def _ids(tx: Connection, query: Select[Any], limit: int) -> list[int]:
    return list(tx.execute(query.limit(limit)).scalars())
