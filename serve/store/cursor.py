"""Cursors: where a page ended, as an opaque word that the caller hands back for the next one."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, tuple_

from belowline.serve.store.refusal import Refusal


def encode(order: str, values: Sequence[float | int]) -> str:
    """The cursor after a row with these ``values`` of the columns that ``order`` sorts by."""
    raw = json.dumps([order, *values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(cursor: str, order: str, count: int) -> list[float | int]:
    """The values in a cursor of ``order``; raises Refusal for any other word."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        kind, *values = json.loads(raw)
        sound = (
            kind == order
            and len(values) == count
            and all(type(value) in (int, float) and abs(value) < 2**53 for value in values)
        )
    except (binascii.Error, ValueError, TypeError, RecursionError):
        sound = False
    if not sound:
        raise Refusal(
            "bad-cursor",
            "the cursor is none of this list and order; take `next` of the page before as it came",
        )
    return list(values)


def after(
    query: Select[Any], order: str, columns: Sequence[ColumnElement[Any]], cursor: str | None, *, rising: bool
) -> Select[Any]:
    """``query`` in order of ``columns``, from behind ``cursor`` on; raises Refusal for a strange cursor."""
    ordered = query.order_by(*(column.asc() if rising else column.desc() for column in columns))
    if cursor is None:
        return ordered
    values = tuple_(*decode(cursor, order, len(columns)))
    return ordered.where(tuple_(*columns) > values if rising else tuple_(*columns) < values)


def page(
    tx: Connection,
    query: Select[Any],
    order: str,
    columns: Sequence[ColumnElement[Any]],
    limit: int,
    cursor: str | None,
    *,
    rising: bool = False,
) -> tuple[Sequence[Row[Any]], str | None]:
    """Up to ``limit`` rows of ``query``, which selects ``columns`` too, and the next cursor; raises Refusal for a strange one."""
    rows = tx.execute(after(query, order, columns, cursor, rising=rising).limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode(order, [rows[limit - 1]._mapping[column] for column in columns])
