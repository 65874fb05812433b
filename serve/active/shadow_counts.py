"""What a candidate would have decided, beside what was decided: counts, and which kept comments they disagree on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, insert, select

from belowline.serve.store.database import now, upsert
from belowline.serve.store.tables import shadow_actions, shadow_disagreements, shadow_labels

FAILED = "failed"
"""Stands for the action of a candidate that could not score a comment."""
_SHOWN = 20


@dataclass(slots=True)
class Tally:
    """What was compared since it was last kept.

    Attributes:
        actions: How many comments, by the model's action and the candidate's.
        labels: Label to how many comments, the sum of candidate minus model, and that of its absolute values.
        disagreements: Ids of kept comments on which the actions differ, with both.
    """

    actions: Counter[tuple[str, str]] = field(default_factory=Counter)
    labels: dict[str, tuple[int, float, float]] = field(default_factory=dict)
    disagreements: list[tuple[int, str, str]] = field(default_factory=list)

    def add(
        self, live: Mapping[str, float], candidate: Mapping[str, float] | None, actions: tuple[str, str]
    ) -> None:
        """Counts a comment by both models' probabilities, of labels that both have; None where they are not to be compared."""
        self.actions[actions] += 1
        for label in live.keys() & (candidate or {}).keys():
            difference = (candidate or {})[label] - live[label]
            comments, total, distance = self.labels.get(label, (0, 0.0, 0.0))
            self.labels[label] = comments + 1, total + difference, distance + abs(difference)


def keep(tx: Connection, model: str, candidate: str, tally: Tally) -> None:
    """Adds a tally to what is kept of these two models."""
    both = {"model": model, "candidate": candidate}
    # In one order, so that two workers do not wait for each other's rows.
    for (action, other), comments in sorted(tally.actions.items()):
        which = both | {"action": action, "candidate_action": other}
        upsert(tx, shadow_actions, which, list(which), add={"comments": comments})
    for label, (comments, difference, distance) in sorted(tally.labels.items()):
        more = {"comments": comments, "difference": difference, "distance": distance}
        upsert(tx, shadow_labels, both | {"label": label}, [*both, "label"], add=more)
    moment = now()
    for comment, action, other in tally.disagreements:
        values = both | {"comment_id": comment, "action": action, "candidate_action": other, "at": moment}
        tx.execute(insert(shadow_disagreements).values(**values))


@dataclass(frozen=True, slots=True)
class Compared:
    """What is kept of a model and a candidate: rows of actions with how many comments, of labels with mean difference and distance, and the
    newest kept comments on which they disagree."""

    model: str
    candidate: str
    actions: Sequence[Row[Any]]
    labels: Sequence[Row[Any]]
    disagreements: Sequence[Row[Any]]

    @property
    def comments(self) -> int:
        """How many were compared."""
        return sum(row.comments for row in self.actions)

    @property
    def agreed(self) -> int:
        """On how many both decided alike."""
        return sum(row.comments for row in self.actions if row.action == row.candidate_action)


def compared(tx: Connection) -> list[Compared]:
    """Every pair that was compared, by name."""
    pairs = select(shadow_actions.c.model, shadow_actions.c.candidate).distinct()
    return [_compared(tx, *pair) for pair in tx.execute(pairs.order_by("model", "candidate"))]


def _compared(tx: Connection, model: str, candidate: str) -> Compared:
    def of(table: Table) -> tuple[Any, Any]:
        return table.c.model == model, table.c.candidate == candidate

    kept = shadow_labels.c
    means = [(column / kept.comments).label(column.name) for column in (kept.difference, kept.distance)]
    labels = select(kept.label, kept.comments, *means).where(*of(shadow_labels)).order_by(kept.label)
    actions = select(shadow_actions).where(*of(shadow_actions))
    newest = select(shadow_disagreements).where(*of(shadow_disagreements))
    return Compared(
        model,
        candidate,
        tx.execute(actions.order_by("action", "candidate_action")).all(),
        tx.execute(labels).all(),
        tx.execute(newest.order_by(shadow_disagreements.c.id.desc()).limit(_SHOWN)).all(),
    )
