"""Erasure: text leaves every table; that a decision was made, and by which rule, stays without it."""

from sqlalchemy import Connection, delete, select, update

from belowline.serve.queue import feedback, items, recognition
from belowline.serve.queue.comments import locked
from belowline.serve.queue.moderator_decisions import Moderator
from belowline.serve.store.accounts import log
from belowline.serve.store.database import now
from belowline.serve.store.refusal import unknown
from belowline.serve.store.tables import (
    LIVE,
    appeals,
    authors,
    bands,
    comments,
    decisions,
    golden,
    idempotency,
    revisions,
    scores,
)


def erase_comment(tx: Connection, who: Moderator, comment_id: int) -> None:
    """Erases a comment's text, revisions, evidence, notes and appeals; raises Refusal for one that is not there.

    Of one that was erased before, what was told of it since goes.
    """
    comment = locked(tx, comment_id)
    if comment is None or not who.sees(comment.site):
        raise unknown("comment")
    if comment.erased is not None:
        erase_told(tx, who, comment.site, comment.caller_id)
        return
    _erase(tx, [comment_id])
    log(tx, who.name, "erase comment", f"{comment.site}:{comment_id}")


def erase_told(tx: Connection, who: Moderator, site: str, caller_id: str) -> None:
    """Erases what was told of a comment that is not kept, by the caller's id of it; raises Refusal where nothing was."""
    if not who.sees(site) or not feedback.erase(tx, site, caller_id):
        raise unknown("comment")
    log(tx, who.name, "erase feedback", site)


def erase_author(tx: Connection, who: Moderator, author_id: int) -> int:
    """Erases an author's name and id, and all their comments; returns how many. Raises Refusal for one that is not there."""
    author = tx.execute(select(authors).where(authors.c.id == author_id)).one_or_none()
    if author is None or not who.sees(author.site) or author.caller_id is None:
        raise unknown("author")
    alive = select(comments.c.id).where(comments.c.author_id == author_id, comments.c.erased.is_(None))
    ids = list(tx.execute(alive).scalars())
    _erase(tx, ids)
    forgotten = {"caller_id": None, "name": None, "role": None}
    tx.execute(update(authors).where(authors.c.id == author_id).values(**forgotten))
    log(tx, who.name, "erase author", f"{author.site}:{author_id}", comments=len(ids))
    return len(ids)


def _erase(tx: Connection, ids: list[int]) -> None:
    moment = now()
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        gone = {"text": None, "text_hash": None, "parent_text": None, "signature": None, "erased": moment}
        tx.execute(update(comments).where(comments.c.id.in_(some)).values(**gone))
        tx.execute(update(revisions).where(revisions.c.comment_id.in_(some)).values(text=None))
        tx.execute(update(scores).where(scores.c.comment_id.in_(some)).values(evidence=[]))
        tx.execute(update(decisions).where(decisions.c.comment_id.in_(some)).values(note=None, spans=[]))
        tx.execute(update(appeals).where(appeals.c.comment_id.in_(some)).values(text=None))
        unanswered = appeals.c.comment_id.in_(some) & (appeals.c.state == LIVE)
        tx.execute(update(appeals).where(unanswered).values(state="withdrawn"))
        # An answer that is kept for repeats quotes the moderator's note.
        tx.execute(delete(idempotency).where(idempotency.c.answer["comment_id"].as_integer().in_(some)))
        for table in (bands, golden):
            tx.execute(delete(table).where(table.c.comment_id.in_(some)))
        _forget_as_parent(tx, some)
        recognition.forget(tx, some)
        feedback.erase_of(tx, some)
        for one in some:
            items.close_of(tx, one, moment)


def _forget_as_parent(tx: Connection, ids: list[int]) -> None:
    """Answers keep no copy of the text that they answer."""
    for row in tx.execute(select(comments.c.site, comments.c.caller_id).where(comments.c.id.in_(ids))).all():
        answers = (comments.c.site == row.site) & (comments.c.parent == row.caller_id)
        tx.execute(update(comments).where(answers).values(parent_text=None))
