"""Appeals: an author asks for another look, and somebody else than the first moderator gives it."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from belowline.serve.queue import items
from belowline.serve.queue.comments import last_decision, locked
from belowline.serve.queue.moderator_decisions import Moderator
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import LIVE, SYSTEM, appeals


def appeal(tx: Connection, who: Moderator, comment_id: int, text: str | None) -> Row[Any]:
    """Notes an appeal against the decision that stands and puts it first in the queue, for anybody but who made that decision.

    Raises Refusal for a comment that is published, erased or already appealed.
    """
    comment = locked(tx, comment_id)
    decision = last_decision(tx, comment_id)
    if comment is None or decision is None or not who.sees(comment.site):
        raise unknown("comment")
    if comment.erased is not None or comment.action == "publish":
        raise Refusal("conflict", "only a comment that is held or rejected can be appealed")
    waiting = (appeals.c.comment_id == comment_id) & (appeals.c.state == LIVE)
    if tx.execute(select(appeals.c.id).where(waiting)).scalar() is not None:
        raise Refusal("conflict", "an appeal against this decision waits already")
    moment = now()
    values = {"comment_id": comment_id, "decision_id": decision.id, "text": text, "state": LIVE}
    added = tx.execute(insert(appeals).values(**values, created=moment).returning(appeals)).one()
    items.close_of(tx, comment_id, moment)  # what waited for the same comment is answered with the appeal
    items.add(
        tx,
        comment,
        "appeal",
        moment,
        label=next(iter(decision.labels), None),
        code=decision.code,
        action=decision.action,
        priority=items.APPEAL_PRIORITY,
        uncertainty=1.0,
        not_for=None if decision.actor == SYSTEM else decision.actor,
    )
    return added
