"""Idempotency: a request that is sent again under the same key gets the answer that it got first."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import idempotency

_REMEMBERED = timedelta(days=7)


def recall(tx: Connection, actor: str, key: str, request: str) -> Any | None:
    """The answer that ``actor`` got under ``key``, None where there is none yet; raises Refusal if the request was another one."""
    same = (idempotency.c.actor == actor) & (idempotency.c.key == key)
    row = tx.execute(select(idempotency).where(same)).one_or_none()
    if row is None:
        return None
    if row.request != request:
        raise Refusal("conflict", "this Idempotency-Key was used for another request; take a new one")
    return row.answer


def remember(tx: Connection, actor: str, key: str, request: str, answer: Any) -> None:
    """Keeps an answer for seven days, in the transaction that it speaks of."""
    moment = now()
    tx.execute(delete(idempotency).where(idempotency.c.at < moment - _REMEMBERED))
    values = {"actor": actor, "key": key, "request": request, "answer": answer, "at": moment}
    tx.execute(insert(idempotency).values(**values))


def once(
    tx: Connection, actor: str, key: str | None, request: str, make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """What ``make`` answers, or answered the first time under ``key``; without a key it is made each time. Raises Refusal as ``recall``."""
    if key is None:
        return make()
    answer = recall(tx, actor, key, request)
    if answer is None:
        answer = make()
        remember(tx, actor, key, request, answer)
    found: dict[str, Any] = answer
    return found
