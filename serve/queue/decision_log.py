"""The decision log: every decision is a new row; pages, a stream, and single decisions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, select

from belowline.model import Policy
from belowline.serve.queue.comments import last_scores
from belowline.serve.queue.log_rows import KINDS
from belowline.serve.store import cursor
from belowline.serve.store.database import Database, within
from belowline.serve.store.tables import comments, decisions
from belowline.serve.webhooks import outbox

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Conditions for decisions; None and no sites mean any.

    ``kind`` is a key of ``KINDS``; decisions at ``until`` and later are left out.
    """

    sites: Sequence[str] = ()
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    kind: str | None = None
    code: str | None = None


def add(
    tx: Connection,
    comment: Row[Any],
    policy: Policy,
    item: int | None,
    moment: datetime,
    values: Mapping[str, Any],
) -> Row[Any]:
    """Insert a decision on a comment, with its newest scores, and notify webhooks; returns the row."""
    scores = last_scores(tx, comment.id)
    known = {"policy": policy.version, "item_id": item, "at": moment, "revision": comment.revision}
    known |= {"model": scores.model, "model_digest": scores.model_digest, "scores": scores.probabilities}
    row = tx.execute(
        insert(decisions).values(comment_id=comment.id, **known, **values).returning(decisions)
    ).one()
    outbox.notify(tx, comment, row)
    return row


def page(
    tx: Connection, wanted: LogFilter, limit: int, after: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    """Return decisions, newest first, and the next cursor; raises Refusal for a strange cursor."""
    rows, following = cursor.page(tx, _select(wanted), "newest", (decisions.c.id,), limit, after)
    return [dict(row._mapping) for row in rows], following


def stream(database: Database, wanted: LogFilter, after: int) -> Iterator[dict[str, Any]]:
    """Yield every decision after the id ``after``, oldest first. Rows are read in pages, so memory stays flat."""
    while True:
        query = _select(wanted).where(decisions.c.id > after).order_by(decisions.c.id).limit(_AT_ONCE)
        with database.settled() as tx:
            rows = [dict(row) for row in tx.execute(query).mappings()]
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1]["id"]


def read(tx: Connection, decision_id: int) -> dict[str, Any] | None:
    """Return a decision with the site and ids of its comment, None for an unknown id."""
    row = tx.execute(_select(LogFilter()).where(decisions.c.id == decision_id)).mappings().one_or_none()
    return None if row is None else dict(row)


def number(tx: Connection, wanted: LogFilter) -> int:
    """Return the number of decisions."""
    return tx.execute(select(func.count()).select_from(_select(wanted).subquery())).scalar_one()


def _select(wanted: LogFilter) -> Select[Any]:
    own = (comments.c[name] for name in ("site", "caller_id", "received", "written", "language"))
    query = select(decisions, *own).join(comments, comments.c.id == decisions.c.comment_id)
    for name in ("actor", "action", "code"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(decisions.c[name] == value)
    if wanted.kind is not None:
        query = query.where(*KINDS[wanted.kind][1]())
    if wanted.since is not None:
        query = query.where(decisions.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(decisions.c.at < wanted.until)
    return within(query, comments.c.site, wanted.sites)
