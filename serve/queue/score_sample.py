"""Scores of the newest comments with the moderators' decisions: histograms, and comments at or above a threshold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from belowline.model.directory import Thresholds
from belowline.serve.store.database import now, within
from belowline.serve.store.tables import comments, decisions, scores

WEEKS = 4
MOST = 5000
BINS = 50
_AT_ONCE = 500
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Reached:
    """Comments that thresholds hold or reject.

    Attributes:
        a_day: Number a day.
        decided: Number of those that a moderator published or rejected.
        rejected: Number of those that a moderator rejected.
        alone: Number a day that no other label holds.
    """

    a_day: float
    decided: int
    rejected: int
    alone: float


@dataclass(frozen=True, slots=True)
class ScoreSample:
    """Probabilities of comments, one array a label; decisions of moderators: 1 rejected, 0 published, -1 none.

    ``days`` is the time since the oldest of these comments, at least one day. ``full`` is true if there are older ones
    within the last ``WEEKS`` weeks.
    """

    probabilities: Mapping[str, NDArray[np.float64]]
    decided: NDArray[np.int8]
    days: float
    full: bool

    @property
    def comments(self) -> int:
        """Number of comments."""
        return len(self.decided)

    def histogram(self, label: str) -> list[int]:
        """Return the number of comments in ``BINS`` equal parts of 0 to 1."""
        counts, _ = np.histogram(self.probabilities[label], bins=BINS, range=(0.0, 1.0))
        return [int(count) for count in counts]

    def held(self, label: str, limits: Mapping[str, Thresholds], rejecting: bool) -> Reached:
        """Return the comments that a label of ``limits`` holds; ``rejecting`` if others are rejected automatically."""
        return self._reached(
            self._at(label, _from(limits[label], rejecting)) & ~self._any(limits, "reject", rejecting),
            self._any({name: one for name, one in limits.items() if name != label}, "hold", rejecting),
        )

    def rejected(self, label: str, limits: Mapping[str, Thresholds]) -> Reached:
        """Return the comments that a label of ``limits`` rejects automatically."""
        others = {name: one for name, one in limits.items() if name != label}
        return self._reached(self._at(label, limits[label].reject), self._any(others, "reject", True))

    def all_held(self, limits: Mapping[str, Thresholds], rejecting: bool) -> Reached:
        """Return the comments that any label of ``limits`` holds."""
        held = self._any(limits, "hold", rejecting) & ~self._any(limits, "reject", rejecting)
        return self._reached(held, np.zeros_like(held))

    def _at(self, label: str, threshold: float | None) -> NDArray[np.bool_]:
        probabilities = self.probabilities[label]
        return probabilities >= (np.inf if threshold is None else threshold)

    def _any(self, limits: Mapping[str, Thresholds], kind: str, rejecting: bool) -> NDArray[np.bool_]:
        reached = np.zeros(self.comments, dtype=np.bool_)
        for label, both in limits.items():
            if kind == "hold":
                reached |= self._at(label, _from(both, rejecting))
            elif rejecting:
                reached |= self._at(label, both.reject)
        return reached

    def _reached(self, chosen: NDArray[np.bool_], others: NDArray[np.bool_]) -> Reached:
        known = self.decided[chosen]
        alone = int((chosen & ~others).sum()) / self.days
        return Reached(int(chosen.sum()) / self.days, int((known >= 0).sum()), int((known == 1).sum()), alone)


def score_sample(tx: Connection, labels: Sequence[str], sites: Sequence[str] = ()) -> ScoreSample:
    """Return the newest ``MOST`` scored comments of ``sites`` (none: all) of the last ``WEEKS`` weeks."""
    moment = now()
    found = _newest(tx, sites)
    ids = [row.id for row in found if row.received >= moment - timedelta(weeks=WEEKS)]
    scored = {number: values for number, values in _scores(tx, ids) if values}
    chosen = [number for number in ids if number in scored]
    final = _decisions(tx, chosen)
    oldest: datetime = next((row.received for row in reversed(found) if row.id in scored), moment)
    return ScoreSample(
        {label: np.array([scored[one].get(label, 0.0) for one in chosen], dtype=float) for label in labels},
        np.array([final.get(one, -1) for one in chosen], dtype=np.int8),
        max(1.0, (moment - oldest).total_seconds() / _DAY_S),
        len(ids) == MOST,
    )


def _from(both: Thresholds, rejecting: bool) -> float | None:
    """Return the threshold that holds; without automatic rejection the reject threshold holds too."""
    return both.hold if rejecting else both.lowest


def _newest(tx: Connection, sites: Sequence[str]) -> list[Any]:
    """Return id and time of the newest comments, newest first; each site's are found by an index."""
    rows: list[Any] = []
    for some in [[site] for site in sites] or [[]]:
        query = select(comments.c.id, comments.c.received).order_by(comments.c.id.desc()).limit(MOST)
        rows += tx.execute(within(query, comments.c.site, some)).all()
    return sorted(rows, key=lambda row: -row.id)[:MOST]


def _scores(tx: Connection, ids: Sequence[int]) -> Iterator[tuple[int, dict[str, float]]]:
    for some in _parts(ids):
        last = (
            select(func.max(scores.c.id)).where(scores.c.comment_id.in_(some)).group_by(scores.c.comment_id)
        )
        query = select(scores.c.comment_id, scores.c.probabilities).where(scores.c.id.in_(last))
        yield from ((row.comment_id, row.probabilities) for row in tx.execute(query))


def _decisions(tx: Connection, ids: Sequence[int]) -> dict[int, int]:
    """Return 1 for comments whose last decision of a person, undone ones apart, is to reject, and 0 for to publish."""
    columns = ("id", "comment_id", "action", "undoes")
    final: dict[int, int] = {}
    for some in _parts(ids):
        people = decisions.c.comment_id.in_(some) & (decisions.c.via != "policy")
        query = select(*(decisions.c[name] for name in columns)).where(people).order_by(decisions.c.id)
        rows = tx.execute(query).all()
        undone = {row.undoes for row in rows}
        for row in rows:
            if row.undoes is None and row.id not in undone and row.action != "hold":
                final[row.comment_id] = int(row.action == "reject")
    return final


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]
