"""Pace of each moderator: decisions, days with decisions, and the time between two decisions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Any

from sqlalchemy import Connection, select

from belowline.serve.queue.queue_items import LEASE
from belowline.serve.store.database import within
from belowline.serve.store.tables import comments, decisions


@dataclass(frozen=True, slots=True)
class Pace:
    """Days with decisions, and the median of seconds between decisions at one sitting; None without such."""

    days: int
    seconds: float | None


def moderator_pace(tx: Connection, since: datetime, sites: Sequence[str] = ()) -> dict[str, Pace]:
    """Return the pace of every person since a moment; decisions further apart than a lease are no sitting."""
    query = (
        select(decisions.c.actor, decisions.c.at)
        .join(comments, comments.c.id == decisions.c.comment_id)
        .where(decisions.c.at >= since, decisions.c.via.not_in(("policy", "undo", "bulk", "site")))
        .where(decisions.c.rule.not_like("bulk:%"))  # the kind of an item hides ``bulk``
        .order_by(decisions.c.id)
    )
    moments: Mapping[str, list[datetime]] = defaultdict(list)
    rows: Sequence[Any] = tx.execute(within(query, comments.c.site, sites)).all()
    for row in rows:
        moments[row.actor].append(row.at)
    return {actor: _pace(own) for actor, own in moments.items()}


def _pace(moments: Sequence[datetime]) -> Pace:
    gaps = [after - before for before, after in pairwise(sorted(moments))]
    sitting = [gap.total_seconds() for gap in gaps if gap <= LEASE]
    return Pace(len({moment.date() for moment in moments}), median(sitting) if sitting else None)
