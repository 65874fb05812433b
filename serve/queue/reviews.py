"""Quality of decisions: golden items whose answer is agreed, and second reviews by somebody else."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from belowline.model import Policy, draw
from belowline.serve.queue.comments import last_decision, locked
from belowline.serve.store.database import now, upsert, within
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import comments, golden, reviews


def wants_second(decision: Row[Any], policy: Policy) -> bool:
    """Whether another moderator is to look at a decided comment again: the policy's share of them, chosen by a hash."""
    return draw(f"second review {decision.comment_id} {decision.id}") < policy.second_review


def note(tx: Connection, kind: str, decision: Row[Any], expected: str) -> None:
    """Notes how somebody decided what was decided as ``expected`` before; their first answer counts."""
    _add(tx, kind, decision.comment_id, decision.actor, decision.action, expected)


def make_golden(tx: Connection, actor: str, comment_id: int) -> None:
    """Has everybody's judgement checked by a comment as it was decided last; raises Refusal where no person decided it."""
    comment = locked(tx, comment_id)
    decision = last_decision(tx, comment_id)
    if comment is None or comment.erased is not None or decision is None:
        raise unknown("comment")
    if decision.via == "policy" or decision.action == "hold":
        raise Refusal("conflict", "decide the comment first: a golden item needs a person's answer")
    values = {"comment_id": comment_id, "action": decision.action, "labels": decision.labels}
    values |= {"actor": actor, "at": now()}
    tx.execute(upsert(tx, golden, values, ("comment_id",)))


def drop_golden(tx: Connection, comment_id: int) -> None:
    """Takes a comment from the golden items; answers that were given stay."""
    tx.execute(delete(golden).where(golden.c.comment_id == comment_id))


def golden_for(tx: Connection, actor: str, sites: Sequence[str]) -> int | None:
    """The next golden comment that ``actor`` has not answered and did not make, None when all are."""
    answered = select(reviews.c.comment_id).where(reviews.c.kind == "golden", reviews.c.actor == actor)
    query = (
        select(golden.c.comment_id)
        .join(comments, comments.c.id == golden.c.comment_id)
        .where(golden.c.comment_id.not_in(answered), golden.c.actor != actor, comments.c.erased.is_(None))
        .order_by(golden.c.comment_id)
        .limit(1)
    )
    found = tx.execute(within(query, comments.c.site, sites)).scalar()
    return None if found is None else int(found)


def answer_golden(tx: Connection, actor: str, comment_id: int, action: str) -> bool:
    """Notes an answer, which changes nothing of the comment; returns whether it agrees. Raises Refusal for a comment that is not golden."""
    expected = tx.execute(select(golden.c.action).where(golden.c.comment_id == comment_id)).scalar()
    if expected is None:
        raise unknown("golden comment")
    _add(tx, "golden", comment_id, actor, action, str(expected))
    return action == str(expected)


def results(tx: Connection) -> Sequence[Row[Any]]:
    """By kind and actor: how many were answered, and how many in agreement."""
    agree = func.sum((reviews.c.action == reviews.c.expected).cast(reviews.c.id.type)).label("agreed")
    query = select(reviews.c.kind, reviews.c.actor, func.count().label("answered"), agree)
    return tx.execute(query.group_by(reviews.c.kind, reviews.c.actor).order_by(reviews.c.actor)).all()


def pairs(tx: Connection, sites: Sequence[str] = ()) -> Sequence[tuple[str, str]]:
    """First and second decision of every comment of ``sites`` (none: all) that was reviewed again."""
    query = select(reviews.c.expected, reviews.c.action).where(reviews.c.kind == "second")
    if sites:
        query = query.join(comments, comments.c.id == reviews.c.comment_id).where(comments.c.site.in_(sites))
    return [(row.expected, row.action) for row in tx.execute(query)]


def _add(tx: Connection, kind: str, comment: int, actor: str, action: str, expected: str) -> None:
    same = (reviews.c.comment_id == comment) & (reviews.c.kind == kind) & (reviews.c.actor == actor)
    if tx.execute(select(reviews.c.id).where(same)).scalar() is None:
        values = {"comment_id": comment, "kind": kind, "actor": actor, "action": action}
        tx.execute(insert(reviews).values(**values, expected=expected, at=now()))
