"""Queue items: enqueue, list, claim and release. A claim is a lease that only one moderator holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, and_, func, insert, or_, select, update

from belowline.model import Policy, draw
from belowline.serve.scoring.results import Result
from belowline.serve.store import cursor
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now
from belowline.serve.store.tables import LIVE, acts, items

Kind = Literal["held", "sample", "appeal", "second"]
Order = Literal["priority", "uncertainty", "newest", "oldest"]
ORDERS: tuple[Order, ...] = get_args(Order)
LEASE = timedelta(minutes=5)
APPEAL_PRIORITY = 1.0
UNKNOWN_PRIORITY = 0.5
"""Priority of an item without a label."""
_RECENT_ACTS = 500
"""Newest acts of a moderator among which those of the last five minutes are looked for."""
UNCLAIMED: Mapping[str, None] = {"claimed_by": None, "claimed_until": None}
_COLUMNS: Mapping[Order, tuple[ColumnElement[Any], ...]] = {
    "priority": (items.c.priority, items.c.id),
    "uncertainty": (items.c.uncertainty, items.c.id),
    "newest": (items.c.id,),
    "oldest": (items.c.id,),
}
_COPIED = ("site", "thread_id", "author_id", "campaign", "language")
"""Columns that an item has of its comment."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions for queue items; None and an empty ``sites`` mean any. Ages are in days.

    ``reader`` leaves out what was escalated to others; ``escalated`` selects what was escalated to the reader.
    """

    sites: Sequence[str] = ()
    label: str | None = None
    code: str | None = None
    action: str | None = None
    kind: str | None = None
    thread: int | None = None
    author: int | None = None
    campaign: int | None = None
    language: str | None = None
    older_than: float | None = None
    newer_than: float | None = None
    unclaimed: bool = False
    appeals: bool = True
    reader: Actor | None = None
    escalated: bool = False
    moment: datetime = field(default_factory=now)

    def clauses(self) -> list[ColumnElement[bool]]:
        """Return the filter as SQL conditions."""
        same = ("label", "code", "action", "kind", "campaign", "language")
        exact = {items.c[name]: getattr(self, name) for name in same} | {
            items.c.thread_id: self.thread,
            items.c.author_id: self.author,
            # Only an equality lets the index of the site give the order too.
            items.c.site: self.sites[0] if len(self.sites) == 1 else None,
        }
        clauses = [items.c.state == LIVE]
        clauses += [column == value for column, value in exact.items() if value is not None]
        if len(self.sites) > 1:
            clauses.append(items.c.site.in_(self.sites))
        if self.older_than is not None:
            clauses.append(items.c.created <= self.moment - timedelta(days=self.older_than))
        if self.newer_than is not None:
            clauses.append(items.c.created >= self.moment - timedelta(days=self.newer_than))
        clauses += self.addressed()
        if not self.appeals:
            clauses.append(items.c.kind != "appeal")
        if self.unclaimed:
            clauses.append(unclaimed(self.moment))
        return clauses

    def addressed(self) -> list[ColumnElement[bool]]:
        """Return the conditions on escalations alone."""
        escalated = items.c.escalated_to.is_not(None)
        if self.reader is None or (self.escalated and self.reader.may("administer")):
            return [escalated] if self.escalated else []
        theirs = items.c.escalated_to.in_(addresses(self.reader)) & (items.c.escalated_by != self.reader.name)
        return [theirs if self.escalated else or_(~escalated, theirs)]


def addresses(who: Actor) -> tuple[str, ...]:
    """Return the receivers of an escalation that ``who`` is one of; an admin is a moderator too."""
    roles = ("admin", "moderator") if who.role == "admin" else (who.role,)
    return (f"person:{who.name}", *(f"role:{role}" for role in roles))


def waiting(comment: int) -> ColumnElement[bool]:
    """Return the condition for the open item of a comment."""
    return and_(items.c.comment_id == comment, items.c.state == LIVE)


def add(tx: Connection, comment: Row[Any], kind: Kind, moment: datetime, **values: Any) -> int:
    """Insert an item for a comment without an open one, and return the item's id."""
    row = {"kind": kind, "state": LIVE, "created": moment, **_copied(comment), **values}
    return int(tx.execute(insert(items).values(**row).returning(items.c.id)).scalar_one())


def add_for(
    tx: Connection, comment: Row[Any], kind: Kind, decision: Row[Any], moment: datetime, **values: Any
) -> int:
    """Insert an item as ``add`` does, with the reason and the action of a decision where ``values`` lacks them."""
    about = {"label": next(iter(decision.labels), None), "code": decision.code, "action": decision.action}
    return add(
        tx, comment, kind, moment, **about | {"priority": UNKNOWN_PRIORITY, "uncertainty": 1.0} | values
    )


def enqueue(
    tx: Connection, comment: Row[Any], kind: Kind, result: Result, policy: Policy, moment: datetime
) -> int:
    """Insert an item as the policy decided, or update the comment's open item; returns the item's id."""
    values = {
        "label": result.reason.label,
        "code": result.reason.code,
        "action": result.action,
        "priority": priority(kind, result, policy, comment),
        "uncertainty": uncertainty(result, policy, comment.site),
    }
    renewed = {"kind": kind, **_copied(comment), **values, **UNCLAIMED, "not_for": None}
    renewal = update(items).where(waiting(comment.id)).values(**renewed).returning(items.c.id)
    item = tx.execute(renewal).scalar()
    return int(item) if item is not None else add(tx, comment, kind, moment, **values)


def _copied(comment: Row[Any]) -> dict[str, Any]:
    return {"comment_id": comment.id, **{name: comment._mapping[name] for name in _COPIED}}


def priority(kind: Kind, result: Result, policy: Policy, comment: Row[Any]) -> float:
    """Return the highest probability of a label that has a threshold, 0 to 1; random samples get a random priority."""
    if kind == "sample":
        # Another draw than the one that chose the sample, which is below the policy's share for all of them.
        return draw(f"priority {comment.site} {comment.caller_id}")
    if not result.reason.label:
        return UNKNOWN_PRIORITY
    thresholds = policy.for_site(comment.site).thresholds
    return max(
        (result.scores[name] for name in thresholds if name in result.scores), default=UNKNOWN_PRIORITY
    )


def uncertainty(result: Result, policy: Policy, site: str) -> float:
    """Return 1 minus the smallest distance of a label's probability from its hold threshold; 1 without both."""
    gaps = [
        abs(result.scores[label] - thresholds.hold)
        for label, thresholds in policy.for_site(site).thresholds.items()
        if thresholds.hold is not None and label in result.scores
    ]
    return 1 - min(gaps, default=0.0)


def close(tx: Connection, comment: int, moment: datetime, *conditions: ColumnElement[bool]) -> None:
    """Close the open item of a comment if ``conditions`` hold for it."""
    closed = {"state": "closed", "closed": moment, **UNCLAIMED}
    tx.execute(update(items).where(waiting(comment), *conditions).values(**closed))


def open_item(tx: Connection, comment: int) -> Row[Any] | None:
    """Return the open item of a comment, locked until the transaction ends."""
    return tx.execute(select(items).where(waiting(comment)).with_for_update()).one_or_none()


def page(
    tx: Connection, chosen: Filter, order: Order, limit: int, after: str | None = None
) -> tuple[Sequence[Row[Any]], str | None]:
    """Return up to ``limit`` open items after a cursor, and the next cursor; raises Refusal for a strange cursor."""
    query = select(items).where(*chosen.clauses())
    return cursor.page(tx, query, order, _COLUMNS[order], limit, after, rising=order == "oldest")


def count(tx: Connection, chosen: Filter) -> int:
    """Return the number of open items."""
    return tx.execute(select(func.count()).select_from(items).where(*chosen.clauses())).scalar_one()


def sorting(order: Order) -> list[ColumnElement[Any]]:
    """Return the columns of an order, for ``order_by``."""
    return [column.asc() if order == "oldest" else column.desc() for column in _COLUMNS[order]]


def claim(tx: Connection, actor: str, chosen: Filter, order: Order, limit: int) -> Sequence[Row[Any]]:
    """Lease up to ``limit`` items to ``actor`` for five minutes, first those that ``actor`` already holds."""
    moment = chosen.moment
    query = select(items).where(*chosen.clauses()).order_by(*sorting(order))
    held = query.where(items.c.claimed_by == actor, items.c.claimed_until > moment)
    rows = list(tx.execute(held.limit(limit)).all())
    if len(rows) < limit:
        others = or_(items.c.not_for.is_(None), items.c.not_for != actor)
        free = query.where(unclaimed(moment), others, not_left_by(actor, moment)).limit(limit - len(rows))
        rows += tx.execute(free.with_for_update(skip_locked=True)).all()
    mine = items.c.id.in_([row.id for row in rows])
    tx.execute(update(items).where(mine).values(claimed_by=actor, claimed_until=moment + LEASE))
    return rows


def release(tx: Connection, actor: str, ids: Sequence[int] | None = None) -> int:
    """Release the items that ``actor`` holds, all of them or those in ``ids``; returns their number."""
    held = items.c.claimed_by == actor
    if ids is not None:
        held = and_(held, items.c.id.in_(ids))
    return tx.execute(update(items).where(held).values(**UNCLAIMED)).rowcount


def claimed_by_other(item: Row[Any], actor: str, moment: datetime) -> bool:
    """Return whether another moderator holds ``item``."""
    until = item.claimed_until
    current = until is not None and moment < until <= moment + 2 * LEASE
    return item.claimed_by not in (None, actor) and current


def not_left_by(actor: str, moment: datetime) -> ColumnElement[bool]:
    """Return the condition for items that ``actor`` did not leave for others during the last lease."""
    newest = (
        select(acts).where(acts.c.actor == actor).order_by(acts.c.id.desc()).limit(_RECENT_ACTS).subquery()
    )
    left = newest.c.kind == "decision", newest.c.value == "hold", newest.c.state == "done"
    return items.c.comment_id.not_in(select(newest.c.comment_id).where(*left, newest.c.at > moment - LEASE))


def unclaimed(moment: datetime) -> ColumnElement[bool]:
    """Return the condition for items that nobody holds."""
    until = items.c.claimed_until
    # A lease that ends too late was made before the clock was set back, and is over.
    return or_(until.is_(None), until <= moment, until > moment + 2 * LEASE)
