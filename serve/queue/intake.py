"""Taking comments in: each is kept with its scores, the policy's decision and, where a moderator should look, its place in the queue."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from belowline.model import Context, PolicyDecision, Scores, normalise, sampled
from belowline.model.signatures import signature_of_plain
from belowline.serve.queue import items
from belowline.serve.queue import near_duplicates as near_copies
from belowline.serve.queue.comments import last_decision, last_scores
from belowline.serve.queue.moderator_decisions import answer_appeals
from belowline.serve.scoring.pipeline import Evaluator, overruled
from belowline.serve.scoring.results import Result
from belowline.serve.store.database import now, one_at_a_time, upsert
from belowline.serve.store.tables import SYSTEM, authors, comments, decisions, revisions, scores, threads
from belowline.serve.webhooks import outbox

_COMPARED = 20_480
"""Characters of a text that are compared with others: a signature of four megabytes takes seconds, while others wait to write."""
_EDITED = PolicyDecision("hold", "edited", "edited after a moderator rejected it", None)


@dataclass(frozen=True, slots=True)
class Thread:
    """The article that comments stand under, by the caller's id or address of it."""

    caller_id: str
    title: str | None = None
    url: str | None = None
    lead: str | None = None


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a comment, as the caller knows them. ``url``, their website, is for the policy alone and is not stored."""

    caller_id: str
    name: str | None = None
    role: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class IncomingComment:
    """A comment as it came, with its scores; these are None where scoring failed.

    ``unscored`` then says why, for moderators to read. ``text_hash`` is what a caller without ids recognises the text by.
    ``decided`` holds the result and the decision of an audit, which are stored as they are.
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


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What became of a comment: its id here, what stands now, whether anything changed by its coming, and what the policy was told of it if
    it was the policy that decided now."""

    comment: int
    result: Result
    action: str
    changed: bool
    context: Context | None = None


def take_in(
    tx: Connection,
    pipeline: Evaluator,
    site: str,
    thread: Thread | None,
    incoming: Sequence[IncomingComment],
    *,
    held_only: bool = False,
) -> list[IngestResult]:
    """Keeps comments in the transaction ``tx``, in order, all or none.

    The same comment again changes nothing, unless its scoring had failed; another text under a known id is a revision and is judged anew.
    With ``held_only`` comments that are to be published and are not known yet leave no trace and have the id 0.
    """
    # Two that come at once would not see each other: neither the same comment, nor its copies, nor its author.
    one_at_a_time(tx, f"comments of {site}")
    return [_take_in_one(tx, pipeline, site, thread, one, held_only=held_only) for one in incoming]


def _take_in_one(
    tx: Connection,
    pipeline: Evaluator,
    site: str,
    thread: Thread | None,
    one: IncomingComment,
    *,
    held_only: bool,
) -> IngestResult:
    moment = now()
    known = tx.execute(
        select(comments)
        .where(comments.c.site == site, comments.c.caller_id == one.caller_id)
        .with_for_update()
    ).one_or_none()
    text = one.text.replace("\x00", "\ufffd")  # PostgreSQL has no NUL; offsets stay
    if known is not None and known.text == text:
        again = _as_decided(tx, known)
        by_person = _decided_by_a_person(tx, known.id) is not None
        if again.reason.code != "scoring_failed" or one.scores is None or by_person:
            return IngestResult(known.id, again, known.action, changed=False)
    plain = one.scores.plain.get(text) if one.scores is not None else None
    if plain is None and len(text) <= _COMPARED:
        plain = normalise(text)
    compared = normalise(text[:_COMPARED]) if plain is None or len(text) > _COMPARED else plain
    signature = signature_of_plain(compared.text)
    campaign = near_copies.campaign_of(tx, site, signature, moment, known.id if known is not None else None)
    context = Context(
        text=text,
        site=site,
        author=one.author.caller_id if one.author else None,
        role=one.author.role if one.author else None,
        url=one.author.url if one.author else None,
        published=_published(tx, site, one.author),
        copies=near_copies.copies_in(tx, campaign, known.id if known is not None else None) + 1,
        plain=plain,
    )
    result, decision = one.decided or pipeline.evaluate(one.caller_id, one.scores, context)
    if one.unscored and decision.code == "scoring_failed":
        decision = replace(decision, rule=one.unscored)
        result = overruled(result, decision)
    if known is not None and decision.action == "publish" and _decided_by_a_person(tx, known.id) == "reject":
        decision = _EDITED
        result = overruled(result, decision)
    told = None if decision is _EDITED else context
    if held_only and known is None and decision.action == "publish":
        return IngestResult(0, result, "publish", changed=False, context=told)
    values: dict[str, Any] = {
        "thread_id": _thread(tx, site, thread),
        "author_id": _author(tx, site, one.author, moment),
        "parent": one.parent,
        "parent_text": one.parent_text,
        "text": text,
        "text_hash": one.text_hash,
        "language": result.language,
        "action": decision.action,
        "campaign": campaign,
        "signature": signature.values if signature else None,
        "written": one.written,
        "erased": None,
    }
    row = _keep(tx, known, site, one.caller_id, values, moment)
    near_copies.remember(tx, row.id, signature)
    _add_scores(tx, pipeline, row, result, moment)
    _decide(tx, pipeline, row, result, decision, known.action if known is not None else None, moment)
    return IngestResult(row.id, result, decision.action, changed=True, context=told)


def _keep(
    tx: Connection,
    known: Row[Any] | None,
    site: str,
    caller_id: str,
    values: dict[str, Any],
    moment: datetime,
) -> Row[Any]:
    """The comment, new or changed, its text among its revisions."""
    if known is None:
        values |= {"site": site, "caller_id": caller_id, "revision": 1, "received": moment}
        row = tx.execute(insert(comments).values(**values).returning(comments)).one()
    else:
        values["revision"] = known.revision + (known.text != values["text"])
        changed = update(comments).where(comments.c.id == known.id).values(**values)
        row = tx.execute(changed.returning(comments)).one()
    if row.campaign is None and row.signature is not None:  # the first of what may become a campaign
        changed = update(comments).where(comments.c.id == row.id).values(campaign=row.id)
        row = tx.execute(changed.returning(comments)).one()
    if known is None or known.text != row.text:
        values = {"comment_id": row.id, "number": row.revision, "text": row.text, "at": moment}
        tx.execute(insert(revisions).values(**values))
    return row


def _add_scores(
    tx: Connection, pipeline: Evaluator, comment: Row[Any], result: Result, moment: datetime
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
    pipeline: Evaluator,
    comment: Row[Any],
    result: Result,
    decision: PolicyDecision,
    before: str | None,
    moment: datetime,
) -> None:
    """Adds the system's decision, gives the comment its place in the queue or takes it from there, and tells the webhooks."""
    drawn = decision.action == "publish" and sampled(pipeline.policy, comment.site, comment.caller_id)
    wanted = decision.action == "hold" or drawn
    kind = "held" if decision.action == "hold" else "sample"
    item = items.place(tx, comment, kind, result, pipeline.policy, moment) if wanted else None
    if not wanted:
        items.close_of(tx, comment.id, moment)
    added = tx.execute(
        insert(decisions)
        .values(
            comment_id=comment.id,
            revision=comment.revision,
            actor=SYSTEM,
            via="policy",
            action=decision.action,
            before=before,
            labels=[decision.label] if decision.label else [],
            code=decision.code,
            rule=decision.rule,
            spans=[[span.start, span.end] for span in result.evidence if span.label in _drivers(decision)],
            policy=pipeline.policy.version,
            model=result.model,
            model_digest=pipeline.digest,
            scores=result.scores,
            blind=False,
            item_id=item,
            at=moment,
        )
        .returning(decisions)
    ).one()
    if decision.action != "hold":  # of an edited comment that was appealed
        answer_appeals(tx, added)
    outbox.tell(tx, comment, added)


def _drivers(decision: PolicyDecision) -> tuple[str | None, str]:
    return decision.label, decision.code


def _as_decided(tx: Connection, comment: Row[Any]) -> Result:
    """The result of a comment that is known, as it was given when it came."""
    decision, score = last_decision(tx, comment.id, decisions.c.actor == SYSTEM), last_scores(tx, comment.id)
    if decision is None or score is None:
        raise RuntimeError("a comment that was kept has neither decision nor scores")
    labels: list[str] = decision.labels
    return Result.model_validate(
        {
            "id": comment.caller_id,
            "scores": score.probabilities,
            "relevance": score.relevance,
            "action": decision.action,
            "reason": {"code": decision.code, "rule": decision.rule, "label": next(iter(labels), None)},
            "evidence": score.evidence,
            "language": comment.language,
            "model": score.model,
        }
    )


def _decided_by_a_person(tx: Connection, comment: int) -> str | None:
    """What a person decided last, None where none did."""
    decision = last_decision(tx, comment, decisions.c.actor != SYSTEM)
    return None if decision is None else decision.action


def _thread(tx: Connection, site: str, thread: Thread | None) -> int | None:
    if thread is None:
        return None
    known = tx.execute(
        select(threads).where(threads.c.site == site, threads.c.caller_id == thread.caller_id)
    ).one_or_none()
    given = {"title": thread.title, "url": thread.url, "lead": thread.lead}
    told = {name: value for name, value in given.items() if value}
    if known is not None and all(getattr(known, name) == value for name, value in told.items()):
        return int(known.id)
    values = {"site": site, "caller_id": thread.caller_id, **told}
    return int(tx.execute(upsert(tx, threads, values, ("site", "caller_id"))).scalar_one())


def _author(tx: Connection, site: str, author: Author | None, moment: datetime) -> int | None:
    if author is None:
        return None
    known = tx.execute(
        select(authors).where(authors.c.site == site, authors.c.caller_id == author.caller_id)
    ).one_or_none()
    if known is not None and (known.name, known.role) == (author.name, author.role):
        return int(known.id)
    values: dict[str, Any] = {
        "site": site,
        "caller_id": author.caller_id,
        "name": author.name,
        "role": author.role,
    }
    values["first_seen"] = known.first_seen if known is not None else moment
    return int(tx.execute(upsert(tx, authors, values, ("site", "caller_id"))).scalar_one())


def _published(tx: Connection, site: str, author: Author | None) -> int | None:
    if author is None:
        return None
    theirs = select(authors.c.id).where(authors.c.site == site, authors.c.caller_id == author.caller_id)
    query = select(func.count()).where(
        comments.c.author_id == theirs.scalar_subquery(), comments.c.action == "publish"
    )
    return tx.execute(query).scalar_one()
