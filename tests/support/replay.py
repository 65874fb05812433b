"""The queue, rebuilt from decisions, appeals and erasures, and compared with the tables."""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from belowline.serve.store.database import Database
from belowline.serve.store.tables import LIVE, appeals, comments, decisions, items

_AT_ONCE = 500
_NOWHERE: frozenset[str | None] = frozenset({None})


def replay(database: Database) -> Iterator[str]:
    """Yield one line for each comment whose tables contradict its log; none for a consistent store.

    Reads in pages, each in one transaction, so that it can run beside an active service.
    """
    after = 0
    while True:
        query: Select[Any] = select(comments.c.id, comments.c.action, comments.c.erased)
        with database.read() as tx:
            rows = tx.execute(
                query.where(comments.c.id > after).order_by(comments.c.id).limit(_AT_ONCE)
            ).all()
            found = list(_differences(tx, rows))
        yield from found
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].id


def waits_as(made: Sequence[Row[Any]], appealed: Set[int]) -> frozenset[str | None]:
    """Return the possible kinds of a comment's queue item, None for no item.

    ``made`` are its decisions in the order of their ids, ``appealed`` the appealed decisions. There is more than one
    kind only where the policy's share for a second review decides, which the log does not record.
    """
    of = {row.id: row for row in made}
    waits = _NOWHERE
    for row in made:
        if row.via == "policy":
            waits = frozenset({_placed(row)})
        elif row.undoes is not None:
            waits = _reopened(of[row.undoes], waits)
        elif row.item_id is not None:
            waits = _answered(row)
        elif row.action == "hold":
            waits = frozenset({"held"})
        if row.id in appealed:  # only the last decision can be appealed: the appeal came before the next one
            waits = frozenset({"appeal"})
    return waits


def _differences(tx: Connection, rows: Sequence[Row[Any]]) -> Iterator[str]:
    ids = [row.id for row in rows]
    made = defaultdict(list)
    for row in tx.execute(select(decisions).where(decisions.c.comment_id.in_(ids)).order_by(decisions.c.id)):
        made[row.comment_id].append(row)
    appealed = set(tx.execute(select(appeals.c.decision_id).where(appeals.c.comment_id.in_(ids))).scalars())
    queued = select(items.c.comment_id, items.c.kind).where(
        items.c.comment_id.in_(ids), items.c.state == LIVE
    )
    waiting = {row.comment_id: row.kind for row in tx.execute(queued)}
    for row in rows:
        if not made[row.id]:
            yield f"comment {row.id}: it has no decision"
            continue
        stands = made[row.id][-1].action
        if row.action != stands:
            yield f"comment {row.id}: it stands as {row.action}, its last decision says {stands}"
        wanted = _NOWHERE if row.erased is not None else waits_as(made[row.id], appealed)
        if waiting.get(row.id) not in wanted:
            yield f"comment {row.id}: it waits {_as(waiting.get(row.id))}, its log says {_as(*wanted)}"


def _placed(row: Row[Any]) -> str | None:
    """Return the kind of queue item that a policy decision opens."""
    if row.item_id is None:
        return None
    return "held" if row.action == "hold" else "sample"


def _answered(row: Row[Any]) -> frozenset[str | None]:
    """Return the possible kinds of item after a moderator decision on an item."""
    kind = _kind(row)
    if row.action == "hold":
        return frozenset({kind})
    return frozenset({None, "second"}) if kind in ("held", "sample") else _NOWHERE


def _reopened(undone: Row[Any], waits: frozenset[str | None]) -> frozenset[str | None]:
    """Return the possible kinds of item after a decision is undone.

    It is the kind of the item that the decision closed, or none if the item was opened later.
    """
    if undone.item_id is not None:
        return frozenset({_kind(undone)})
    if undone.before == "publish" or (undone.before == "reject" and "appeal" not in waits):
        return _NOWHERE
    return waits


def _kind(row: Row[Any]) -> str:
    """Return the kind of the item that a moderator decision closed."""
    return str(row.via) if row.via in ("appeal", "second", "sample") else "held"


def _as(*kinds: str | None) -> str:
    return " or ".join(sorted(f"as {kind}" if kind else "nowhere" for kind in kinds))
