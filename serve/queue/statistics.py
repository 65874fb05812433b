"""Figures of the queue and of how it is worked: by day and label, and how good the decisions are."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from belowline.serve.queue import decision_log, reviews
from belowline.serve.store.database import now, within
from belowline.serve.store.tables import LIVE, appeals, comments, decisions, items


@dataclass(frozen=True, slots=True)
class Precision:
    """Of comments that a label held and that people then decided, how many they rejected."""

    decided: int
    rejected: int

    @property
    def share(self) -> float | None:
        """Rejected of decided, None where nothing was decided."""
        return self.rejected / self.decided if self.decided else None


@dataclass(frozen=True, slots=True)
class Statistics:
    """The last ``days`` days; days are UTC dates, oldest first. Ages are in seconds."""

    days: int
    received: Mapping[date, int]
    held: Mapping[date, int]
    decided: Mapping[date, int]
    overturned: Mapping[date, int]
    by_label: Mapping[str, Precision]
    by_moderator: Mapping[str, int]
    waiting: Mapping[str, int]
    oldest_age: float | None
    median_age: float | None
    time_to_decision: float | None
    sampled: Precision
    appeals: Mapping[str, int]
    second_reviews: int
    agreement: float | None
    kappa: float | None
    unclear_reasons: int
    """Rejections as spam by an earlier version that a person is to decide again, whenever they were made."""


def statistics(tx: Connection, days: int, sites: Sequence[str] = ()) -> Statistics:
    """Figures of ``sites`` (none: all) since the beginning of the day ``days - 1`` days ago."""
    moment = now()
    start = datetime.combine(moment.date() - timedelta(days=days - 1), datetime.min.time(), moment.tzinfo)
    dates = [start.date() + timedelta(days=number) for number in range(days)]
    made = _decisions(tx, start, sites)
    taken_back = {row.undoes for row in made} | {row.id for row in made if row.undoes is not None}
    settling = [
        row for row in made if row.via != "policy" and row.action != "hold" and row.id not in taken_back
    ]
    waits = _waits(tx, sites)
    ages = sorted(_seconds(created, moment) for created, _ in waits)
    pairs = reviews.pairs(tx, sites)
    return Statistics(
        days=days,
        received=_by_day(dates, [row.received for row in _received(tx, start, sites)]),
        held=_by_day(dates, [row.at for row in made if row.via == "policy" and row.action == "hold"]),
        decided=_by_day(dates, [row.at for row in settling]),
        overturned=_by_day(dates, [row.at for row in settling if _overturns(row)]),
        by_label=_precision_by_label(made, settling),
        by_moderator=dict(Counter(row.actor for row in settling).most_common()),
        waiting=dict(Counter(kind for _, kind in waits)),
        oldest_age=ages[-1] if ages else None,
        median_age=ages[len(ages) // 2] if ages else None,
        time_to_decision=_time_to_decision(settling),
        sampled=_precision([row for row in settling if row.via == "sample"]),
        appeals=_appeals(tx, start, sites),
        second_reviews=len(pairs),
        agreement=sum(one == other for one, other in pairs) / len(pairs) if pairs else None,
        kappa=cohen_kappa(pairs),
        unclear_reasons=decision_log.number(tx, decision_log.LogFilter(sites, unclear=True)),
    )


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement of two raters beyond chance (Cohen 1960); None without pairs, 1 where both always say one and the same."""
    if not pairs:
        return None
    size = len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    seen = sum(one == other for one, other in pairs) / size
    chance = sum(first[value] * second[value] for value in first) / size**2
    return 1.0 if chance == 1 else (seen - chance) / (1 - chance)


def _overturns(row: Any) -> bool:
    """What the policy let stand or rejected, or another person decided, and a person now sees otherwise."""
    return row.before in ("publish", "reject") and row.before != row.action


def _decisions(tx: Connection, start: datetime, sites: Sequence[str]) -> Sequence[Any]:
    columns = (
        decisions.c.id,
        decisions.c.at,
        decisions.c.via,
        decisions.c.action,
        decisions.c.before,
        decisions.c.actor,
    )
    query = (
        select(*columns, decisions.c.undoes, decisions.c.labels, decisions.c.comment_id, comments.c.received)
        .join(comments, comments.c.id == decisions.c.comment_id)
        .where(decisions.c.at >= start)
        .order_by(decisions.c.id)
    )
    return tx.execute(within(query, comments.c.site, sites)).all()


def _received(tx: Connection, start: datetime, sites: Sequence[str]) -> Sequence[Any]:
    query = select(comments.c.received).where(comments.c.received >= start)
    return tx.execute(within(query, comments.c.site, sites)).all()


def _waits(tx: Connection, sites: Sequence[str]) -> list[tuple[datetime, str]]:
    query = select(items.c.created, items.c.kind).where(items.c.state == LIVE)
    rows = tx.execute(within(query, items.c.site, sites))
    return [(row.created, row.kind) for row in rows]


def _by_day(dates: Sequence[date], moments: Sequence[datetime]) -> dict[date, int]:
    counted = Counter(moment.date() for moment in moments)
    return {day: counted[day] for day in dates}


def _precision_by_label(made: Sequence[Any], settling: Sequence[Any]) -> dict[str, Precision]:
    """By the label that the policy held a comment for; a comment that was decided twice counts as it was decided last."""
    held = {row.comment_id: row.labels for row in made if row.via == "policy" and row.action == "hold"}
    last = {row.comment_id: row for row in settling}
    found: dict[str, list[Any]] = defaultdict(list)
    for comment, labels in held.items():
        for label in labels[:1]:
            found[label] += [last[comment]] if comment in last else []
    return {label: _precision(rows) for label, rows in sorted(found.items())}


def _precision(rows: Sequence[Any]) -> Precision:
    return Precision(len(rows), sum(row.action == "reject" for row in rows))


def _time_to_decision(settling: Sequence[Any]) -> float | None:
    """Median seconds from a comment's coming to the first decision on it."""
    first: dict[int, float] = {}
    for row in settling:
        first.setdefault(row.comment_id, _seconds(row.received, row.at))
    return sorted(first.values())[len(first) // 2] if first else None


def _seconds(start: datetime, end: datetime) -> float:
    """Between two moments, 0 where the clock was set back meanwhile."""
    return max(0.0, (end - start).total_seconds())


def _appeals(tx: Connection, start: datetime, sites: Sequence[str]) -> dict[str, int]:
    query = (
        select(appeals.c.state, func.count().label("number"))
        .join(comments, comments.c.id == appeals.c.comment_id)
        .where(appeals.c.created >= start)
        .group_by(appeals.c.state)
    )
    return {row.state: row.number for row in tx.execute(within(query, comments.c.site, sites))}
