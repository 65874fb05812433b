"""Cursors: the position after a page, as an opaque string that the caller passes back for the next page."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, tuple_

from belowline.serve.store.refusal import Refusal


def encode(order: str, values: Sequence[float | int]) -> str:
    """Return the cursor after a row with these ``values`` in the columns that ``order`` sorts by."""
    raw = json.dumps([order, *values], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode(cursor: str, order: str, count: int) -> list[float | int]:
    """Return the values in a cursor of ``order``; raises Refusal for any other string."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        kind, *values = json.loads(raw)
        numbers = all(type(value) in (int, float) and abs(value) < 2**53 for value in values)
        if kind == order and len(values) == count and numbers:
            return list(values)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass
    raise Refusal(
        "bad-cursor",
        "the cursor does not belong to this list and sort order; pass `next` of the previous page unchanged",
    )


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
    """Return up to ``limit`` rows of ``query``, which selects ``columns``, after ``cursor``; and the next cursor.

    Raises Refusal for a strange cursor.
    """
    query = query.order_by(*(column.asc() if rising else column.desc() for column in columns))
    if cursor is not None:
        values = tuple_(*decode(cursor, order, len(columns)))
        query = query.where(tuple_(*columns) > values if rising else tuple_(*columns) < values)
    rows = tx.execute(query.limit(limit + 1)).all()
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode(order, [rows[limit - 1]._mapping[column] for column in columns])
