"""Statistics of the queue and of decisions: by day and label, backlog, and agreement."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median_high
from typing import Any

from sqlalchemy import Connection, func, select

from belowline.serve.queue import decision_log, reviews
from belowline.serve.store.database import now, within
from belowline.serve.store.tables import LIVE, appeals, comments, decisions, items


@dataclass(frozen=True, slots=True)
class Precision:
    """Decided comments, and those of them that were rejected."""

    decided: int
    rejected: int

    @property
    def share(self) -> float | None:
        """Rejected divided by decided, None if nothing was decided."""
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
    """Rejections as spam by an earlier version that need a new decision, of all time."""


def statistics(tx: Connection, days: int, sites: Sequence[str] = ()) -> Statistics:
    """Return the statistics of ``sites`` (none: all) for the last ``days`` days, today included."""
    moment = now()
    start = datetime.combine(moment.date() - timedelta(days=days - 1), datetime.min.time(), moment.tzinfo)
    dates = [start.date() + timedelta(days=number) for number in range(days)]
    made = _decisions(tx, start, sites)
    taken_back = {row.undoes for row in made} | {row.id for row in made if row.undoes is not None}
    final = [row for row in made if row.via != "policy" and row.action != "hold" and row.id not in taken_back]
    held = [row for row in made if row.via == "policy" and row.action == "hold"]
    queued = select(items.c.created, items.c.kind).where(items.c.state == LIVE)
    waiting = tx.execute(within(queued, items.c.site, sites)).all()
    ages = [_seconds(row.created, moment) for row in waiting]
    received = within(select(comments.c.received).where(comments.c.received >= start), comments.c.site, sites)
    pairs = reviews.pairs(tx, sites)
    return Statistics(
        days=days,
        received=_by_day(dates, tx.execute(received).scalars().all()),
        held=_by_day(dates, [row.at for row in held]),
        decided=_by_day(dates, [row.at for row in final]),
        overturned=_by_day(dates, [row.at for row in final if row.before not in ("hold", None, row.action)]),
        by_label=_precision_by_label(held, final),
        by_moderator=dict(Counter(row.actor for row in final).most_common()),
        waiting=dict(Counter(row.kind for row in waiting)),
        oldest_age=max(ages, default=None),
        median_age=median_high(ages) if ages else None,
        time_to_decision=_time_to_decision(final),
        sampled=_precision([row for row in final if row.via == "sample"]),
        appeals=_appeals(tx, start, sites),
        second_reviews=len(pairs),
        agreement=sum(first == second for first, second in pairs) / len(pairs) if pairs else None,
        kappa=cohen_kappa(pairs),
        unclear_reasons=decision_log.number(tx, decision_log.LogFilter(sites, kind="unclear")),
    )


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return the agreement of two raters beyond chance (Cohen 1960): None without pairs, 1 if only one value occurs."""
    if not pairs:
        return None
    size = len(pairs)
    firsts, seconds = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    observed = sum(first == second for first, second in pairs) / size
    chance = sum(firsts[value] * seconds[value] for value in firsts) / size**2
    return 1.0 if chance == 1 else (observed - chance) / (1 - chance)


def _decisions(tx: Connection, start: datetime, sites: Sequence[str]) -> Sequence[Any]:
    names = ("id", "at", "via", "action", "before", "actor", "undoes", "labels", "comment_id")
    query = (
        select(*(decisions.c[name] for name in names), comments.c.received)
        .join(comments, comments.c.id == decisions.c.comment_id)
        .where(decisions.c.at >= start)
        .order_by(decisions.c.id)
    )
    return tx.execute(within(query, comments.c.site, sites)).all()


def _by_day(dates: Sequence[date], moments: Sequence[datetime]) -> dict[date, int]:
    counted = Counter(moment.date() for moment in moments)
    return {day: counted[day] for day in dates}


def _precision_by_label(held: Sequence[Any], final: Sequence[Any]) -> dict[str, Precision]:
    """Return the precision of each label that the policy held comments for; the last decision on a comment counts."""
    last = {row.comment_id: row for row in final}
    by_label: dict[str, list[Any]] = defaultdict(list)
    for comment, labels in {row.comment_id: row.labels for row in held}.items():
        for label in labels[:1]:
            by_label[label] += [last[comment]] if comment in last else []
    return {label: _precision(rows) for label, rows in sorted(by_label.items())}


def _precision(rows: Sequence[Any]) -> Precision:
    return Precision(len(rows), sum(row.action == "reject" for row in rows))


def _time_to_decision(final: Sequence[Any]) -> float | None:
    """Return the median of seconds from the receipt of a comment to the first decision on it."""
    first: dict[int, float] = {}
    for row in final:
        first.setdefault(row.comment_id, _seconds(row.received, row.at))
    return median_high(first.values()) if first else None


def _seconds(start: datetime, end: datetime) -> float:
    # The clock may have been set back in between.
    return max(0.0, (end - start).total_seconds())


def _appeals(tx: Connection, start: datetime, sites: Sequence[str]) -> dict[str, int]:
    query = (
        select(appeals.c.state, func.count().label("number"))
        .join(comments, comments.c.id == appeals.c.comment_id)
        .where(appeals.c.created >= start)
        .group_by(appeals.c.state)
    )
    return {row.state: row.number for row in tx.execute(within(query, comments.c.site, sites))}
