"""Claims for the console's cards: one card for all held copies of a campaign, and counts of what waits."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select, update

from belowline.serve.queue import queue_items
from belowline.serve.queue.queue_items import LEASE, Filter, Order
from belowline.serve.store.database import one_at_a_time
from belowline.serve.store.tables import LIVE, items

FACETS = ("site", "language", "label", "kind")
"""Columns whose values are counted."""


@dataclass(frozen=True, slots=True)
class Copies:
    """The held copies of a campaign that one card decides: their comments, oldest first, and the newest item's id."""

    comments: tuple[int, ...]
    until: int


def claim_cards(
    tx: Connection,
    actor: str,
    chosen: Filter,
    order: Order,
    limit: int,
    *,
    have: Sequence[int] = (),
    grouped: bool = True,
) -> list[Row[Any]]:
    """Lease the items of up to ``limit`` further cards to ``actor``, and return the first item of each card.

    Leases of the items in ``have``, which are on cards already, begin anew. With ``grouped`` the held copies of a
    campaign make one card, which only one moderator gets.
    """
    one_at_a_time(tx, "claims")  # else two moderators could each get a copy of one campaign
    shown = tx.execute(select(items).where(items.c.id.in_(have), _mine_or_free(actor, chosen))).all()
    query = (
        select(items).where(*chosen.clauses(), *_open_to(actor, chosen)).order_by(*queue_items.sorting(order))
    )
    if grouped:
        query = query.where(~_held_by_another(actor, chosen))
    cards: list[Row[Any]] = []
    while len(cards) < limit:
        rest = query.where(items.c.id.not_in([*have, *(row.id for row in cards)]))
        if grouped:
            rest = rest.where(or_(~_grouped(), items.c.campaign.not_in(_campaigns([*shown, *cards]))))
        rows = tx.execute(rest.limit(limit - len(cards)).with_for_update(skip_locked=True)).all()
        if not rows:
            break
        cards += _one_each(rows) if grouped else list(rows)
    _lease(tx, actor, chosen, [*shown, *cards], grouped=grouped)
    return cards


def copies(
    tx: Connection, campaigns: Iterable[int], actor: str, chosen: Filter, until: int | None = None
) -> dict[int, Copies]:
    """Return the held copies of each campaign that ``actor`` can decide, with ids up to ``until``."""
    query = select(items.c.campaign, items.c.comment_id, items.c.id).where(
        items.c.state == LIVE, items.c.kind == "held", items.c.campaign.in_(list(campaigns))
    )
    query = query.where(*_open_to(actor, chosen), *_sites(chosen))
    if until is not None:
        query = query.where(items.c.id <= until)
    found: dict[int, list[Any]] = {}
    for row in tx.execute(query.order_by(items.c.id)):
        found.setdefault(row.campaign, []).append(row)
    return {
        campaign: Copies(tuple(row.comment_id for row in rows), rows[-1].id)
        for campaign, rows in found.items()
    }


def free(tx: Connection, actor: str, chosen: Filter) -> int:
    """Return the number of items that ``actor`` holds or could claim."""
    query = select(func.count()).select_from(items).where(*chosen.clauses(), *_open_to(actor, chosen))
    return tx.execute(query.where(~_held_by_another(actor, chosen))).scalar_one()


def waiting(tx: Connection, chosen: Filter, sites: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the number of waiting items of ``sites`` by each value of each facet, most first.

    A facet counts the items that meet the conditions on the other facets.
    """
    anything = replace(chosen, sites=sites, label=None, kind=None, language=None)
    columns: list[ColumnElement[Any]] = [items.c[name] for name in FACETS]
    rows = tx.execute(select(*columns, func.count()).where(*anything.clauses()).group_by(*columns)).all()
    allowed = {name: [getattr(chosen, name)] for name in FACETS[1:] if getattr(chosen, name)}
    allowed["site"] = list(chosen.sites)
    found: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    for *values, number in rows:
        named = dict(zip(FACETS, values, strict=True))
        missed = {name for name, wanted in allowed.items() if wanted and named[name] not in wanted}
        for name in FACETS:
            if named[name] is not None and missed <= {name}:
                found[name][named[name]] += number
    return {name: dict(counts.most_common()) for name, counts in found.items()}


def _one_each(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Return the first row of each campaign, and all rows that stand alone."""
    first: dict[tuple[bool, int], Row[Any]] = {}
    for row in rows:
        grouped = row.kind == "held" and row.campaign is not None
        first.setdefault((grouped, row.campaign if grouped else row.id), row)
    return list(first.values())


def _campaigns(rows: Sequence[Row[Any]]) -> list[int]:
    return [row.campaign for row in rows if row.kind == "held" and row.campaign is not None]


def _lease(tx: Connection, actor: str, chosen: Filter, cards: Sequence[Row[Any]], *, grouped: bool) -> None:
    """Lease the items of cards, and the other copies of their campaigns, to ``actor``."""
    wanted: ColumnElement[bool] = items.c.id.in_([row.id for row in cards])
    if grouped:
        same = and_(
            _grouped(), items.c.campaign.in_(_campaigns(cards)), *_sites(chosen), *_open_to(actor, chosen)
        )
        wanted = or_(wanted, and_(items.c.state == LIVE, same))
    lease: Mapping[str, Any] = {"claimed_by": actor, "claimed_until": chosen.moment + LEASE}
    tx.execute(update(items).where(wanted).values(**lease))


def _grouped() -> ColumnElement[bool]:
    return and_(items.c.kind == "held", items.c.campaign.is_not(None))


def _sites(chosen: Filter) -> list[ColumnElement[bool]]:
    return [items.c.site.in_(chosen.sites)] if chosen.sites else []


def _mine_or_free(actor: str, chosen: Filter) -> ColumnElement[bool]:
    return or_(items.c.claimed_by == actor, queue_items.unclaimed(chosen.moment))


def _open_to(actor: str, chosen: Filter) -> tuple[ColumnElement[bool], ...]:
    another = or_(items.c.not_for.is_(None), items.c.not_for != actor)
    left = queue_items.not_left_by(actor, chosen.moment)
    return _mine_or_free(actor, chosen), another, left, *chosen.addressed()


def _held_by_another(actor: str, chosen: Filter) -> ColumnElement[bool]:
    """Return the condition for copies of a campaign of which another moderator holds one."""
    other, moment = items.alias("other"), chosen.moment
    leased = and_(other.c.claimed_until > moment, other.c.claimed_until <= moment + 2 * LEASE)
    held = and_(other.c.state == LIVE, other.c.kind == "held", other.c.claimed_by != actor, leased)
    return and_(_grouped(), exists().where(held, other.c.campaign == items.c.campaign))
