"""Quality of decisions: golden comments with an agreed answer, and second reviews by another moderator."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from belowline.model import Policy, draw
from belowline.serve.queue.comments import last_decision, locked
from belowline.serve.store.database import now, upsert, within
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import comments, golden, reviews


def wants_second(decision: Row[Any], policy: Policy) -> bool:
    """Return whether a decision gets a second review: a share that the policy sets, chosen by a hash."""
    return draw(f"second review {decision.comment_id} {decision.id}") < policy.second_review


def record(tx: Connection, kind: str, comment: int, actor: str, action: str, expected: str) -> None:
    """Record the first answer of an actor for a comment, beside the ``expected`` action."""
    same = (reviews.c.comment_id == comment) & (reviews.c.kind == kind) & (reviews.c.actor == actor)
    if tx.execute(select(reviews.c.id).where(same)).scalar() is None:
        values = {"comment_id": comment, "kind": kind, "actor": actor, "action": action}
        tx.execute(insert(reviews).values(**values, expected=expected, at=now()))


def make_golden(tx: Connection, actor: str, comment_id: int) -> None:
    """Make a comment golden, with its last decision as the agreed answer; raises Refusal if that is not a person's."""
    comment, decision = locked(tx, comment_id), last_decision(tx, comment_id)
    if comment is None or comment.erased is not None or decision is None:
        raise unknown("comment")
    if decision.via == "policy" or decision.action == "hold":
        raise Refusal(
            "conflict", "a golden comment needs a person's answer; publish or reject the comment first"
        )
    values = {"comment_id": comment_id, "action": decision.action, "labels": decision.labels}
    upsert(tx, golden, {**values, "actor": actor, "at": now()}, ("comment_id",))


def drop_golden(tx: Connection, comment_id: int) -> None:
    """Make a comment golden no longer; answers are kept."""
    tx.execute(delete(golden).where(golden.c.comment_id == comment_id))


def golden_for(tx: Connection, actor: str, sites: Sequence[str]) -> int | None:
    """Return the next golden comment that ``actor`` has not answered and did not choose, if there is one."""
    answered = select(reviews.c.comment_id).where(reviews.c.kind == "golden", reviews.c.actor == actor)
    query = (
        select(golden.c.comment_id)
        .join(comments, comments.c.id == golden.c.comment_id)
        .where(golden.c.comment_id.not_in(answered), golden.c.actor != actor, comments.c.erased.is_(None))
        .order_by(golden.c.comment_id)
    )
    return tx.execute(within(query, comments.c.site, sites).limit(1)).scalar()


def answer_golden(tx: Connection, actor: str, comment_id: int, action: str) -> bool:
    """Record an answer, without changing the comment.

    Returns whether it agrees. Raises Refusal if the comment is not golden.
    """
    expected = tx.execute(select(golden.c.action).where(golden.c.comment_id == comment_id)).scalar()
    if expected is None:
        raise unknown("golden comment")
    record(tx, "golden", comment_id, actor, action, expected)
    return bool(action == expected)


def results(tx: Connection) -> Sequence[Row[Any]]:
    """Return the numbers of answers and of agreements by kind and actor."""
    agree = func.sum((reviews.c.action == reviews.c.expected).cast(reviews.c.id.type)).label("agreed")
    query = select(reviews.c.kind, reviews.c.actor, func.count().label("answered"), agree)
    return tx.execute(query.group_by(reviews.c.kind, reviews.c.actor).order_by(reviews.c.actor)).all()


def pairs(tx: Connection, sites: Sequence[str] = ()) -> Sequence[tuple[str, str]]:
    """Return the first and second decision of every comment of ``sites`` (none: all) with a second review."""
    query = select(reviews.c.expected, reviews.c.action).join(comments, comments.c.id == reviews.c.comment_id)
    query = within(query.where(reviews.c.kind == "second"), comments.c.site, sites)
    return [(row.expected, row.action) for row in tx.execute(query)]
