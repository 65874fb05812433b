"""Undo of one act: of everything in it that still counts."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from belowline.model import Policy
from belowline.serve.queue import acts, author_acts, escalation, moderator_decisions
from belowline.serve.store.accounts import Actor
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import decisions


@dataclass(slots=True)
class Undone:
    """The act as it was before an undo, the decisions that restore the earlier actions, and comments that stay.

    ``skipped`` has the reason why each of those comments stays as it is.
    """

    act: Row[Any]
    decisions: list[Row[Any]] = field(default_factory=list)
    skipped: dict[int, str] = field(default_factory=dict)

    @property
    def state(self) -> acts.State:
        """``kept`` if nothing of the act could be undone."""
        return "kept" if self.skipped and not self.decisions else "undone"


def undo_act(tx: Connection, who: Actor, act: int | None, policy: Policy) -> Undone:
    """Undo an act: of its decisions those that are still the last ones on their comments.

    For None it is the newest act of ``who`` that is not undone. Raises Refusal for an act that is unknown, another
    person's (unless ``who`` is an admin) or undone.
    """
    row = acts.owned(tx, who, acts.newest(tx, who).id if act is None else act)
    result = Undone(row)
    if row.kind == "escalation" and not escalation.undone(tx, who, row.comment_id, row.value):
        result.skipped[row.comment_id] = "the comment does not wait for that receiver any more"
    _undo_decisions(tx, who, result, policy)
    acts.close(tx, row.id, who, result.state)
    if row.kind == "standing":  # after the act is closed, so that the standing before counts again
        author_acts.undone(tx, row)
    return result


def _undo_decisions(tx: Connection, who: Actor, result: Undone, policy: Policy) -> None:
    other = decisions.alias()
    undone = select(other.c.undoes).where(other.c.undoes == decisions.c.id).exists()
    made = select(decisions).where(decisions.c.act_id == result.act.id, decisions.c.undoes.is_(None), ~undone)
    # A decision whose reason was corrected has a later one on the same comment, which is undone first.
    for row in tx.execute(made.order_by(decisions.c.id.desc())).all():
        try:
            result.decisions.append(moderator_decisions.undo(tx, who, row.id, policy, closing=False))
        except Refusal as refusal:
            result.skipped.setdefault(row.comment_id, refusal.detail)
