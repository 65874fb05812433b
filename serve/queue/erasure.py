"""Erasure: text leaves every table; the decisions with their rules remain."""

from typing import Any

from sqlalchemy import Connection, Table, delete, select, tuple_, update

from belowline.serve.queue import feedback, queue_items, recognition
from belowline.serve.queue.comments import locked
from belowline.serve.store.accounts import Actor, log
from belowline.serve.store.database import now
from belowline.serve.store.refusal import unknown
from belowline.serve.store.tables import (
    LIVE,
    acts,
    appeals,
    authors,
    bands,
    comments,
    decisions,
    deliveries,
    golden,
    idempotency,
    revisions,
    scores,
)
from belowline.serve.webhooks import outbox

_AT_ONCE = 500


def erase_comment(tx: Connection, who: Actor, comment_id: int) -> None:
    """Erase a comment's text, revisions, evidence, notes, messages and appeals; raises Refusal for an unknown comment.

    If the comment was erased before, feedback received since then is erased.
    """
    comment = locked(tx, comment_id)
    if comment is None or not who.sees(comment.site):
        raise unknown("comment")
    if comment.erased is not None:
        erase_feedback(tx, who, comment.site, comment.caller_id)
        return
    _erase(tx, [comment_id])
    log(tx, who.name, "erase comment", f"{comment.site}:{comment_id}")


def erase_feedback(tx: Connection, who: Actor, site: str, caller_id: str) -> None:
    """Erase the feedback on a comment that is not stored, by the caller's id; raises Refusal if there is none."""
    if not who.sees(site) or not feedback.erase(tx, site, caller_id):
        raise unknown("comment")
    log(tx, who.name, "erase feedback", site)


def erase_author(tx: Connection, who: Actor, author_id: int) -> int:
    """Erase an author's name and id, the notes about them and all their comments; returns the number of comments.

    Raises Refusal for an unknown or erased author.
    """
    author = tx.execute(select(authors).where(authors.c.id == author_id)).one_or_none()
    if author is None or not who.sees(author.site) or author.caller_id is None:
        raise unknown("author")
    alive = select(comments.c.id).where(comments.c.author_id == author_id, comments.c.erased.is_(None))
    ids = list(tx.execute(alive).scalars())
    for start in range(0, len(ids), _AT_ONCE):
        _erase(tx, ids[start : start + _AT_ONCE])
    tx.execute(update(acts).where(acts.c.author_id == author_id).values(note=None))
    _forget_in_outbox(tx, author_id)
    forgotten = {"caller_id": None, "name": None, "role": None}
    tx.execute(update(authors).where(authors.c.id == author_id).values(**forgotten))
    log(tx, who.name, "erase author", f"{author.site}:{author_id}", comments=len(ids))
    return len(ids)


def _erase(tx: Connection, ids: list[int]) -> None:
    moment = now()
    _forget_as_parent(tx, ids)
    gone = {"text": None, "text_hash": None, "parent_text": None, "signature": None, "erased": moment}
    tx.execute(update(comments).where(comments.c.id.in_(ids)).values(**gone))
    details: dict[Table, dict[str, Any]] = {
        revisions: {"text": None},
        scores: {"evidence": []},
        decisions: {"note": None, "message": None, "spans": []},
        acts: {"note": None},
        appeals: {"text": None},
    }
    for table, values in details.items():
        tx.execute(update(table).where(table.c.comment_id.in_(ids)).values(**values))
    unanswered = appeals.c.comment_id.in_(ids) & (appeals.c.state == LIVE)
    tx.execute(update(appeals).where(unanswered).values(state="withdrawn"))
    # A stored answer quotes the moderator's note.
    tx.execute(delete(idempotency).where(idempotency.c.answer["comment_id"].as_integer().in_(ids)))
    for table in (bands, golden):
        tx.execute(delete(table).where(table.c.comment_id.in_(ids)))
    recognition.forget(tx, ids)
    feedback.erase_of(tx, ids)
    for comment in ids:
        queue_items.close(tx, comment, moment)


def _forget_as_parent(tx: Connection, ids: list[int]) -> None:
    """Erase the copies of the texts that replies hold of their parents."""
    parents = comments.alias()
    named = select(parents.c.site, parents.c.caller_id).where(parents.c.id.in_(ids))
    replies = tuple_(comments.c.site, comments.c.parent).in_(named)
    tx.execute(update(comments).where(replies).values(parent_text=None))


def _forget_in_outbox(tx: Connection, author_id: int) -> None:
    """Erase the author's id from deliveries about their standing."""
    about = deliveries.c.event == outbox.AUTHOR, deliveries.c.payload["author"].as_integer() == author_id
    for row in tx.execute(select(deliveries.c.id, deliveries.c.payload).where(*about)).all():
        payload = {**row.payload, "caller_id": None}
        tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(payload=payload))
