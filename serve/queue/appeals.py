"""Appeals: the author asks for another decision, and a person other than the first moderator decides."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select

from belowline.serve.queue import queue_items
from belowline.serve.queue.comments import last_decision, locked
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import LIVE, SYSTEM, appeals


def appeal(tx: Connection, who: Actor, comment_id: int, text: str | None) -> Row[Any]:
    """Record an appeal against the last decision, and put the comment first in the queue.

    Raises Refusal for a comment that is published, erased or already appealed.
    """
    comment, decision = locked(tx, comment_id), last_decision(tx, comment_id)
    if comment is None or decision is None or not who.sees(comment.site):
        raise unknown("comment")
    if comment.erased is not None or comment.action == "publish":
        raise Refusal("conflict", "only a comment that is held or rejected can be appealed")
    waiting = (appeals.c.comment_id == comment_id) & (appeals.c.state == LIVE)
    if tx.execute(select(appeals.c.id).where(waiting)).scalar() is not None:
        raise Refusal("conflict", "this comment already has an open appeal")
    moment = now()
    values = {"comment_id": comment_id, "decision_id": decision.id, "text": text, "state": LIVE}
    row = tx.execute(insert(appeals).values(**values, created=moment).returning(appeals)).one()
    queue_items.close(tx, comment_id, moment)  # the answer to the appeal decides an older item too
    first = None if decision.actor == SYSTEM else decision.actor
    priority = queue_items.APPEAL_PRIORITY
    queue_items.add_for(tx, comment, "appeal", decision, moment, priority=priority, not_for=first)
    return row
