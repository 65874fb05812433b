"""Idempotency keys: a request that is sent again under the same key gets the first answer."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from belowline.serve.store.database import now, one_at_a_time
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import idempotency

_REMEMBERED = timedelta(days=7)


def run_once(
    tx: Connection, actor: str, key: str | None, request: str, make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return the answer of ``make``, or the stored answer to an earlier call of ``actor`` under ``key``.

    Answers are stored for seven days; without a key ``make`` is always called. Raises Refusal if the earlier
    request was another one.
    """
    if key is None:
        return make()
    one_at_a_time(tx, f"idempotency {actor} {key}")  # else both of two requests at once would call ``make``
    same = (idempotency.c.actor == actor) & (idempotency.c.key == key)
    row = tx.execute(select(idempotency).where(same)).one_or_none()
    if row is not None:
        if row.request != request:
            raise Refusal("conflict", "this Idempotency-Key belongs to another request; use a new key")
        return dict(row.answer)
    answer, moment = make(), now()
    tx.execute(delete(idempotency).where(idempotency.c.at < moment - _REMEMBERED))
    values = {"actor": actor, "key": key, "request": request, "answer": answer, "at": moment}
    tx.execute(insert(idempotency).values(**values))
    return answer
