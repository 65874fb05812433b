"""Ingest: store comments with their scores and the policy's decision, and enqueue those that a moderator should see."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, func, insert, select, update

from belowline.model import Context, PolicyDecision, Scores, normalise, sampled
from belowline.model.signatures import Signature, signature_of_plain
from belowline.serve.queue import author_acts, decision_log, near_duplicates, queue_items
from belowline.serve.queue.comments import last_decision, last_scores
from belowline.serve.queue.moderator_decisions import answer_appeals
from belowline.serve.scoring.pipeline import ModerationPipeline, overruled
from belowline.serve.scoring.results import Result
from belowline.serve.store.database import now, one_at_a_time
from belowline.serve.store.tables import SYSTEM, authors, comments, decisions, revisions, scores, threads

# Characters of a text that are compared with others: a signature of megabytes would block other writers for seconds.
_COMPARED = 20_480
_EDITED = PolicyDecision("hold", "edited", "edited after a moderator rejected it", None)


@dataclass(frozen=True, slots=True)
class Thread:
    """An article, by the caller's id or address of it."""

    caller_id: str
    title: str | None = None
    url: str | None = None
    lead: str | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """The author of a comment."""

    caller_id: str
    name: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingComment:
    """A comment with its scores; these are None where scoring failed, and ``unscored`` then says why.

    ``text_hash`` recognises the text of a caller without ids. ``decided`` holds the result and the decision
    of an audit, which are stored as they are. ``author_url``, the author's website, is for the policy only
    and is not stored.
    """

    caller_id: str
    text: str
    scores: Scores | None
    author: Author | None = None
    parent: str | None = None
    parent_text: str | None = None
    written: datetime | None = None
    unscored: str | None = None
    text_hash: str | None = None
    decided: tuple[Result, PolicyDecision] | None = None
    author_url: str | None = None


@dataclass(frozen=True, slots=True)
class IngestResult:
    """Outcome of ingesting one comment; ``comment`` is its id here, 0 if it was not stored.

    ``action`` is the current one: a moderator may have decided since. ``changed`` tells if anything was stored.
    """

    comment: int
    result: Result
    action: str
    changed: bool


def ingest(
    tx: Connection,
    pipeline: ModerationPipeline,
    site: str,
    thread: Thread | None,
    incoming: Sequence[IncomingComment],
    *,
    held_only: bool = False,
) -> list[IngestResult]:
    """Store comments in the transaction ``tx``, in order.

    A comment with a known id and text changes nothing, unless its scoring had failed; another text under a
    known id is a new revision and is decided again. With ``held_only`` a new comment that the policy
    publishes is not stored.
    """
    # Concurrent transactions would not see each other's comments, near-duplicates and authors.
    one_at_a_time(tx, f"comments of {site}")
    return [_ingest_one(tx, pipeline, site, thread, comment, held_only=held_only) for comment in incoming]


def _ingest_one(
    tx: Connection,
    pipeline: ModerationPipeline,
    site: str,
    thread: Thread | None,
    comment: IncomingComment,
    *,
    held_only: bool,
) -> IngestResult:
    moment = now()
    text = comment.text.replace("\x00", "\ufffd")  # PostgreSQL has no NUL; offsets stay the same
    known = tx.execute(_named(comments, site, comment.caller_id).with_for_update()).one_or_none()
    by_person = last_decision(tx, known.id, decisions.c.actor != SYSTEM) if known is not None else None
    if known is not None and known.text == text:
        earlier = _earlier_result(tx, known)
        if earlier.reason.code != "scoring_failed" or comment.scores is None or by_person is not None:
            return IngestResult(known.id, earlier, known.action, changed=False)
    context, signature, campaign = _context(tx, site, comment, text, known, moment)
    result, decision = comment.decided or pipeline.evaluate(comment.caller_id, comment.scores, context)
    if comment.unscored and decision.code == "scoring_failed":
        decision = replace(decision, rule=comment.unscored)
        result = overruled(result, decision)
    if decision.action == "publish" and by_person is not None and by_person.action == "reject":
        decision = _EDITED
        result = overruled(result, decision)
    if held_only and known is None and decision.action == "publish":
        return IngestResult(0, result, "publish", changed=False)
    values: dict[str, Any] = {
        "thread_id": _thread(tx, site, thread),
        "author_id": _author(tx, site, comment.author, moment),
        "parent": comment.parent,
        "parent_text": comment.parent_text,
        "text": text,
        "text_hash": comment.text_hash,
        "language": result.language,
        "action": decision.action,
        "campaign": campaign,
        "signature": signature.values if signature else None,
        "written": comment.written,
        "erased": None,
    }
    row = _store(tx, known, {"site": site, "caller_id": comment.caller_id}, values, moment)
    near_duplicates.remember(tx, row.id, signature)
    _add_scores(tx, pipeline, row, result, moment)
    _decide(tx, pipeline, row, result, decision, known.action if known is not None else None, moment)
    return IngestResult(row.id, result, decision.action, changed=True)


def _context(
    tx: Connection, site: str, comment: IncomingComment, text: str, known: Row[Any] | None, moment: datetime
) -> tuple[Context, Signature | None, int | None]:
    """Return the policy's input, the signature of the text, and the campaign of its near-duplicates."""
    plain = comment.scores.plain.get(text) if comment.scores is not None else None
    if plain is None and len(text) <= _COMPARED:
        plain = normalise(text)
    compared = normalise(text[:_COMPARED]) if plain is None or len(text) > _COMPARED else plain
    signature, own = signature_of_plain(compared.text), known.id if known is not None else None
    campaign = near_duplicates.campaign_of(tx, site, signature, moment, own)
    copies = near_duplicates.copies_in(tx, campaign, own) + 1
    context = Context(text=text, site=site, url=comment.author_url, copies=copies, plain=plain)
    if author := comment.author:
        number = tx.execute(_named(authors, site, author.caller_id)).scalar()
        context = replace(
            context, author=author.caller_id, role=author.role, published=_published(tx, number)
        )
        if number is not None and (standing := author_acts.standings(tx, [number]).get(number)):
            until = standing.until.date().isoformat() if standing.until else None
            context = replace(context, standing=standing.standing, until=until)
    return context, signature, campaign


def _store(
    tx: Connection, known: Row[Any] | None, key: dict[str, Any], values: dict[str, Any], moment: datetime
) -> Row[Any]:
    """Insert or update a comment, and add a revision if its text is new."""
    if known is None:
        statement: Any = insert(comments).values(**key, **values, revision=1, received=moment)
    else:
        values["revision"] = known.revision + (known.text != values["text"])
        statement = update(comments).where(comments.c.id == known.id).values(**values)
    row = tx.execute(statement.returning(comments)).one()
    if row.campaign is None and row.signature is not None:  # the first comment of a possible campaign
        changed = update(comments).where(comments.c.id == row.id).values(campaign=row.id)
        row = tx.execute(changed.returning(comments)).one()
    if known is None or known.text != row.text:
        values = {"comment_id": row.id, "number": row.revision, "text": row.text, "at": moment}
        tx.execute(insert(revisions).values(**values))
    return row


def _add_scores(
    tx: Connection, pipeline: ModerationPipeline, comment: Row[Any], result: Result, moment: datetime
) -> None:
    tx.execute(
        insert(scores).values(
            comment_id=comment.id,
            revision=comment.revision,
            model=result.model,
            model_digest=pipeline.digest,
            probabilities=result.scores,
            relevance=result.relevance,
            evidence=[span.model_dump() for span in result.evidence],
            at=moment,
        )
    )


def _decide(
    tx: Connection,
    pipeline: ModerationPipeline,
    comment: Row[Any],
    result: Result,
    decision: PolicyDecision,
    before: str | None,
    moment: datetime,
) -> None:
    """Add the policy's decision, enqueue the comment or close its item, and notify webhooks."""
    item = None
    if decision.action == "hold":
        item = queue_items.enqueue(tx, comment, "held", result, pipeline.policy, moment)
    elif decision.action == "publish" and sampled(pipeline.policy, comment.site, comment.caller_id):
        item = queue_items.enqueue(tx, comment, "sample", result, pipeline.policy, moment)
    else:
        queue_items.close(tx, comment.id, moment)
    drivers = (decision.label, decision.code)
    values = {
        "actor": SYSTEM,
        "via": "policy",
        "action": decision.action,
        "before": before,
        "labels": [decision.label] if decision.label else [],
        "code": decision.code,
        "rule": decision.rule,
        "spans": [[span.start, span.end] for span in result.evidence if span.label in drivers],
        "blind": False,
    }
    row = decision_log.add(tx, comment, pipeline.policy, item, moment, values)
    if decision.action != "hold":  # an edited comment may have an open appeal
        answer_appeals(tx, row)


def _earlier_result(tx: Connection, comment: Row[Any]) -> Result:
    """Return the result that a known comment got from the policy."""
    decision, score = last_decision(tx, comment.id, decisions.c.actor == SYSTEM), last_scores(tx, comment.id)
    if decision is None:
        raise RuntimeError("a stored comment has no decision")
    label = next(iter(decision.labels), None)
    return Result.model_validate(
        {
            "id": comment.caller_id,
            "scores": score.probabilities,
            "relevance": score.relevance,
            "action": decision.action,
            "reason": {"code": decision.code, "rule": decision.rule, "label": label},
            "evidence": score.evidence,
            "language": comment.language,
            "model": score.model,
        }
    )


def _named(table: Table, site: str, caller_id: str) -> Select[Any]:
    return select(table).where(table.c.site == site, table.c.caller_id == caller_id)


def _thread(tx: Connection, site: str, thread: Thread | None) -> int | None:
    if thread is None:
        return None
    sent = {"title": thread.title, "url": thread.url, "lead": thread.lead}
    return _same(tx, threads, site, thread.caller_id, {name: value for name, value in sent.items() if value})


def _author(tx: Connection, site: str, author: Author | None, moment: datetime) -> int | None:
    if author is None:
        return None
    sent = {"name": author.name, "role": author.role}
    return _same(tx, authors, site, author.caller_id, sent, first_seen=moment)


def _same(tx: Connection, table: Table, site: str, caller_id: str, sent: dict[str, Any], **first: Any) -> int:
    """Return the id of a thread or author, which is inserted or updated; ``first`` are columns of a new row only."""
    known = tx.execute(_named(table, site, caller_id)).one_or_none()
    if known is None:
        values = {"site": site, "caller_id": caller_id, **sent, **first}
        return int(tx.execute(insert(table).values(**values).returning(table.c.id)).scalar_one())
    if any(getattr(known, name) != value for name, value in sent.items()):
        tx.execute(update(table).where(table.c.id == known.id).values(**sent))
    return int(known.id)


def _published(tx: Connection, author: int | None) -> int:
    published = comments.c.author_id == author, comments.c.action == "publish"
    return tx.execute(select(func.count()).where(*published)).scalar_one() if author is not None else 0
