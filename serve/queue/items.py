"""The queue's items: placing them, listing them, and claims that no two moderators hold at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, and_, false, func, insert, or_, select, update

from belowline.model import Policy, draw
from belowline.serve.queue import learning
from belowline.serve.scoring.results import Result
from belowline.serve.store import cursor
from belowline.serve.store.database import now
from belowline.serve.store.tables import LIVE, items

Order = Literal["priority", "uncertainty", "newest", "oldest", "learn"]
ORDERS: tuple[Order, ...] = get_args(Order)
LEASE = timedelta(minutes=5)
_LONGEST = 2 * LEASE
"""What seems to run longer was leased before the clock was set back, and is over; clocks of several machines may differ by less."""
APPEAL_PRIORITY = 1.0
UNKNOWN_PRIORITY = 0.5
"""Of an item that no label's probability speaks for."""
UNCLAIMED: Mapping[str, None] = {"claimed_by": None, "claimed_until": None}
"""What an item has that nobody holds."""
_COLUMNS: Mapping[str, tuple[ColumnElement[Any], ...]] = {
    "priority": (items.c.priority, items.c.id),
    "uncertainty": (items.c.uncertainty, items.c.id),
    "newest": (items.c.id,),
    "oldest": (items.c.id,),
    "learn": (
        items.c.uncertainty,
        items.c.id,
    ),  # of the items that one holds already; see learning.py for the rest
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which items; None and an empty tuple of sites leave a column free."""

    sites: tuple[str, ...] = ()
    label: str | None = None
    code: str | None = None
    action: str | None = None
    kind: str | None = None
    thread: int | None = None
    author: int | None = None
    campaign: int | None = None
    language: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None
    unclaimed: bool = False
    appeals: bool = True
    moment: datetime = field(default_factory=now)

    def clauses(self) -> list[ColumnElement[bool]]:
        """As conditions."""
        exact = {
            items.c.label: self.label,
            items.c.code: self.code,
            items.c.action: self.action,
            items.c.kind: self.kind,
            items.c.thread_id: self.thread,
            items.c.author_id: self.author,
            items.c.campaign: self.campaign,
            items.c.language: self.language,
        }
        found: list[ColumnElement[bool]] = [items.c.state == LIVE]
        found += [column == value for column, value in exact.items() if value is not None]
        if len(self.sites) == 1:  # equality lets the index of the site give the order too
            found.append(items.c.site == self.sites[0])
        elif self.sites:
            found.append(items.c.site.in_(self.sites))
        if self.older_than is not None:
            found.append(items.c.created <= self.moment - self.older_than)
        if self.newer_than is not None:
            found.append(items.c.created >= self.moment - self.newer_than)
        if not self.appeals:
            found.append(items.c.kind != "appeal")
        if self.unclaimed:
            found.append(_free(self.moment))
        return found


def add(tx: Connection, comment: Row[Any], kind: str, moment: datetime, **values: Any) -> int:
    """Puts a comment that does not wait into the queue and returns the item's id; ``values`` are what the comment does not tell."""
    row = {"kind": kind, "state": LIVE, "created": moment, **_of(comment), **values}
    return int(tx.execute(insert(items).values(**row).returning(items.c.id)).scalar_one())


def place(
    tx: Connection, comment: Row[Any], kind: str, result: Result, policy: Policy, moment: datetime
) -> int:
    """Puts a comment into the queue as the policy decided, or renews the item that it has there, and returns the item's id."""
    values = {
        "label": result.reason.label,
        "code": result.reason.code,
        "action": result.action,
        "priority": priority(kind, result, policy, comment),
        "uncertainty": uncertainty(result, policy, comment.site),
    }
    renewed = {"kind": kind, **_of(comment), **values, **UNCLAIMED, "not_for": None}
    found = tx.execute(
        update(items).where(waiting(comment.id)).values(**renewed).returning(items.c.id)
    ).scalar()
    return int(found) if found is not None else add(tx, comment, kind, moment, **values)


def _of(comment: Row[Any]) -> dict[str, Any]:
    """What an item repeats of its comment, so that the queue is read without it."""
    same = ("site", "thread_id", "author_id", "campaign", "language")
    return {"comment_id": comment.id, **{name: comment._mapping[name] for name in same}}


def waiting(comment: int) -> ColumnElement[bool]:
    """The condition for the item that waits for a comment."""
    return and_(items.c.comment_id == comment, items.c.state == LIVE)


def priority(kind: str, result: Result, policy: Policy, comment: Row[Any]) -> float:
    """Between 0 and 1: by the likeliest label that can hold a comment; random samples are mixed in evenly."""
    if kind == "sample":
        # Another draw than the one that chose the sample, which is below its share for all of them.
        return draw(f"priority {comment.site} {comment.caller_id}")
    able = policy.for_site(comment.site).thresholds
    found = [result.scores[label] for label in able if label in result.scores]
    return max(found, default=UNKNOWN_PRIORITY) if result.reason.label else UNKNOWN_PRIORITY


def uncertainty(result: Result, policy: Policy, site: str) -> float:
    """1 where a label's probability is just at its hold threshold, towards 0 the further all are from theirs."""
    able = policy.for_site(site).thresholds
    return learning.uncertainty(result.scores, {label: both.hold for label, both in able.items()})


def close_of(tx: Connection, comment: int, moment: datetime, *of: ColumnElement[bool]) -> None:
    """Takes a comment out of the queue, where the conditions ``of`` hold for its item."""
    tx.execute(update(items).where(waiting(comment), *of).values(state="closed", closed=moment, **UNCLAIMED))


def open_item(tx: Connection, comment: int) -> Row[Any] | None:
    """The item that waits for a comment, locked until the transaction ends."""
    return tx.execute(select(items).where(waiting(comment)).with_for_update()).one_or_none()


def page(
    tx: Connection, chosen: Filter, order: Order, limit: int, after: str | None = None
) -> tuple[Sequence[Row[Any]], str | None]:
    """Up to ``limit`` open items in ``order`` behind the cursor ``after``, and the next cursor; raises Refusal for a strange cursor."""
    if order == "learn":
        found, following = learning.page(tx, chosen.clauses(), limit, after)
        return _known(tx, [one.id for one in found]), following
    query = select(items).where(*chosen.clauses())
    return cursor.page(tx, query, order, _COLUMNS[order], limit, after, rising=order == "oldest")


def count(tx: Connection, chosen: Filter) -> int:
    """How many items wait."""
    return tx.execute(select(func.count()).select_from(items).where(*chosen.clauses())).scalar_one()


def claim(tx: Connection, actor: str, chosen: Filter, order: Order, limit: int) -> Sequence[Row[Any]]:
    """Leases up to ``limit`` items to ``actor`` for five minutes, those that they hold already first; nobody else gets them meanwhile."""
    moment = chosen.moment
    own = [*chosen.clauses(), items.c.claimed_by == actor, items.c.claimed_until > moment]
    held = _ordered(tx, own, order, limit)
    free = [
        *chosen.clauses(),
        _free(moment),
        or_(items.c.not_for.is_(None), items.c.not_for != actor),
    ]
    room = limit - len(held)
    if order == "learn":
        place = int(learning.EVERY * draw(f"learn {actor} {moment.isoformat()}"))
        taken = _to_learn(tx, free, room, place, {row.campaign for row in held if row.campaign is not None})
    else:
        taken = _ordered(tx, free, order, room, locking=True) if room else []
    ids = [row.id for row in (*held, *taken)]
    tx.execute(
        update(items)
        .where(items.c.id.in_(ids) if ids else false())
        .values(claimed_by=actor, claimed_until=moment + LEASE)
    )
    return [*held, *taken]


def _ordered(
    tx: Connection, clauses: list[ColumnElement[bool]], order: Order, limit: int, *, locking: bool = False
) -> Sequence[Row[Any]]:
    query = select(items).where(*clauses).limit(limit)
    query = cursor.after(query, order, _COLUMNS[order], None, rising=order == "oldest")
    # Others who claim at the same moment pass over rows that are being taken (SQLite lets one writer in at a time anyway).
    return tx.execute(query.with_for_update(skip_locked=True) if locking else query).all()


def _to_learn(
    tx: Connection, clauses: list[ColumnElement[bool]], room: int, place: int, passed: set[int]
) -> Sequence[Row[Any]]:
    """The first ``room`` in the order ``learn``, locked; those that somebody takes at the same moment are replaced by the next."""
    taken: list[Row[Any]] = []
    tried: list[int] = []
    while len(taken) < room:
        left = [*clauses, items.c.id.not_in(tried)] if tried else clauses
        found = learning.first(tx, left, room - len(taken), place + len(taken), passed)
        if not found:
            break
        tried += [one.id for one in found]
        taken += _known(tx, [one.id for one in found], *clauses, locking=True)
    return taken


def _known(
    tx: Connection, ids: Sequence[int], *clauses: ColumnElement[bool], locking: bool = False
) -> Sequence[Row[Any]]:
    """The items with these ids, in their order; those for which ``clauses`` do not hold, or which others lock, are left out."""
    query = select(items).where(items.c.id.in_(ids), *clauses)
    rows = tx.execute(query.with_for_update(skip_locked=True) if locking else query)
    found = {row.id: row for row in rows}
    return [found[one] for one in ids if one in found]


def release(tx: Connection, actor: str, ids: Sequence[int] | None = None) -> int:
    """Gives back items that ``actor`` holds, all of them or those named; returns how many."""
    held = items.c.claimed_by == actor
    if ids is not None:
        held = and_(held, items.c.id.in_(ids) if ids else false())
    return tx.execute(update(items).where(held).values(**UNCLAIMED)).rowcount


def _free(moment: datetime) -> ColumnElement[bool]:
    until = items.c.claimed_until
    return or_(until.is_(None), until <= moment, until > moment + _LONGEST)


def claimed_by_other(item: Row[Any], actor: str, moment: datetime) -> bool:
    """Whether somebody else's lease on ``item`` runs."""
    until = item.claimed_until
    runs = until is not None and moment < until <= moment + _LONGEST
    return item.claimed_by not in (None, actor) and runs
