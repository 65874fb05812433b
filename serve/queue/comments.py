"""Reading comments: one with its history, several for a page, and search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, and_, func, or_, select

from belowline.model.policy import Action, Standing
from belowline.serve.queue import author_acts
from belowline.serve.scoring.results import EvidenceSpan
from belowline.serve.store import cursor
from belowline.serve.store.database import within
from belowline.serve.store.tables import (
    LIVE,
    appeals,
    authors,
    comments,
    decisions,
    items,
    revisions,
    scores,
    threads,
)


class Record(BaseModel):
    """A row of the database as the API shows it."""

    model_config = ConfigDict(from_attributes=True)


class ThreadOut(Record):
    """An article."""

    id: int
    site: str
    caller_id: str
    title: str | None
    url: str | None
    lead: str | None = Field(None, exclude=True)


class NoteOut(Record):
    """A moderator's note about an author, or about a change of their standing."""

    id: int = Field(description="Id of the act; `POST /v1/acts/{act}/undo` removes the note.")
    note: str
    actor: str
    at: datetime
    value: str | None = Field(description="The standing that was set with the note.")


class AuthorOut(Record):
    """An author with counts of published, held and rejected comments, their standing and moderators' notes."""

    id: int
    site: str = Field(exclude=True)
    caller_id: str | None = Field(description="Null once erased.")
    name: str | None
    role: str | None
    first_seen: datetime | None
    published: int
    held: int
    rejected: int
    standing: Standing | None = Field(
        None, description="What moderators decided about the author; null for none.", examples=["suspended"]
    )
    until: datetime | None = Field(None, description="End of a suspension.")
    notes: list[NoteOut] = Field(default=[], description="Notes for moderators, newest first; at most ten.")


class ItemOut(Record):
    """An open queue item."""

    id: int
    kind: str = Field(description="`held`, `sample` (drawn at random), `appeal` or `second` (second review).")
    label: str | None
    code: str
    priority: float = Field(description="0 to 1; 1 for an appeal.")
    uncertainty: float = Field(description="1 if a probability equals its threshold, less further away.")
    created: datetime
    claimed_by: str | None
    claimed_until: datetime | None
    escalated_to: str | None = Field(
        None,
        description="The receiver of an escalation: `person:NAME` or `role:ROLE`.",
        examples=["role:admin"],
    )
    escalated_by: str | None = None


class DecisionOut(Record):
    """A decision of the policy or of a person."""

    id: int
    comment_id: int
    revision: int
    actor: str
    via: str = Field(
        description="`policy`, `console`, `api`, `site`, `bulk`, `undo`, `appeal`, `sample` or `second`."
    )
    action: Action
    before: Action | None
    labels: list[str]
    code: str
    code_choice: Literal["person", "default", "unclear"] | None = Field(
        description="`person`: a person chose the code; `default`: the preselected code was left; "
        "`unclear`: a rejection as spam by an earlier version, which preselected `spam`; null: there was no choice."
    )
    rule: str
    spans: list[Annotated[list[int], Field(min_length=2, max_length=2)]] = Field(
        description="Start and end of the evidence for the rule."
    )
    note: str | None
    message: str | None = Field(description="Words for the author.")
    policy: str
    model: str
    model_digest: str | None = Field(description="SHA-256 of the model's files; null for older decisions.")
    scores: dict[str, float]
    blind: bool = Field(description="Whether the scores were hidden from the moderator.")
    undoes: int | None
    act_id: int | None = Field(
        description="The act that the decision belongs to; `POST /v1/acts/{act}/undo` undoes it."
    )
    at: datetime


class CommentOut(Record):
    """A comment with its scores, its last decision and its queue item."""

    id: int
    site: str
    caller_id: str
    text: str | None = Field(description="Null once erased.")
    language: str
    revision: int
    action: Action = Field(description="The current action.")
    campaign: int | None = Field(description="Id of the group of near-duplicates.")
    copies: int = Field(description="Number of comments in that group, this one included.")
    written: datetime | None
    received: datetime | None
    erased: datetime | None
    thread: ThreadOut | None
    author: AuthorOut | None
    parent: str | None = Field(description="The caller's id of the parent comment.")
    parent_id: int | None = Field(None, description="Id of the parent comment here, if it is stored.")
    parent_author: str | None = Field(None, description="Name or id of the stored parent's author.")
    parent_text: str | None = Field(
        description="Present text of the parent comment if it is stored, else the text that was sent with the reply."
    )
    probabilities: dict[str, float]
    relevance: float | None
    evidence: list[EvidenceSpan]
    model: str | None
    decision: DecisionOut | None = Field(description="The last decision.")
    item: ItemOut | None = Field(description="The open queue item, if there is one.")


@dataclass(frozen=True, slots=True)
class Search:
    """Conditions for comments; None means any. ``words`` is a part of the text, in any case.

    ``anything`` is a part of the text or of the author's name, in any case, or an id of the comment or of its author.
    ``since`` and ``until`` limit the time of writing, or of receipt where that is unknown; ``until`` is excluded.
    """

    sites: Sequence[str] = ()
    words: str | None = None
    anything: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    action: str | None = None
    thread: int | None = None
    author: int | None = None
    campaign: int | None = None


_MOST_NOTES = 10
said_at = func.coalesce(comments.c.written, comments.c.received)
"""Time of a comment: of writing, or of receipt where that is unknown."""
_UNSCORED: Mapping[str, Any] = {"probabilities": {}, "relevance": None, "evidence": [], "model": None}


def locked(tx: Connection, comment_id: int) -> Row[Any] | None:
    """Return the row of a comment, locked until the transaction ends."""
    return tx.execute(select(comments).where(comments.c.id == comment_id).with_for_update()).one_or_none()


def last_decision(tx: Connection, comment_id: int, *conditions: ColumnElement[bool]) -> Row[Any] | None:
    """Return the newest decision on a comment for which ``conditions`` hold."""
    return _newest(tx, decisions, comment_id, *conditions)


def standing_decision(tx: Connection, comment_id: int, before: int | None = None) -> Row[Any] | None:
    """Return the newest decision on a comment that was not undone and is no undo; with ``before``, of older ones."""
    undos = select(decisions.c.undoes).where(
        decisions.c.comment_id == comment_id, decisions.c.undoes.is_not(None)
    )
    older = [decisions.c.id < before] if before is not None else []
    return last_decision(tx, comment_id, decisions.c.undoes.is_(None), decisions.c.id.not_in(undos), *older)


def last_scores(tx: Connection, comment_id: int) -> Row[Any]:
    """Return the newest scores of a comment; every stored comment has some."""
    row = _newest(tx, scores, comment_id)
    if row is None:
        raise RuntimeError("a stored comment has no scores")
    return row


def _newest(
    tx: Connection, table: Table, comment_id: int, *conditions: ColumnElement[bool]
) -> Row[Any] | None:
    query = select(table).where(table.c.comment_id == comment_id, *conditions)
    return tx.execute(query.order_by(table.c.id.desc()).limit(1)).one_or_none()


def newest(tx: Connection, limit: int, sites: Sequence[str] = ()) -> Sequence[int]:
    """Return the ids of the newest ``limit`` comments of ``sites`` (none: all) that are not erased, newest first."""
    query = select(comments.c.id).where(comments.c.erased.is_(None)).order_by(comments.c.id.desc())
    return tx.execute(within(query, comments.c.site, sites).limit(limit)).scalars().all()


def find(tx: Connection, reference: str, sites: Sequence[str] = (), table: Table = comments) -> int | None:
    """Return the id of the comment, or row of ``table``, that ``reference`` names; None if ``sites`` have none.

    A reference is the id itself, or ``site:id`` with the caller's id. No ``sites`` mean all.
    """
    query = within(select(table.c.id), table.c.site, sites)
    if reference.isdecimal() and len(reference) < 16 and int(reference) < 2**31:
        return tx.execute(query.where(table.c.id == int(reference))).scalar()
    site, _, caller_id = reference.partition(":")
    return tx.execute(query.where(table.c.site == site, table.c.caller_id == caller_id)).scalar()


def load(tx: Connection, ids: Sequence[int]) -> list[CommentOut]:
    """Return the comments with these ids, in their order; unknown ids are left out."""
    rows = _by(tx, select(comments).where(comments.c.id.in_(ids)), "id")
    found = [rows[number] for number in ids if number in rows]
    scored, decided = _last(tx, scores, ids), _last(tx, decisions, ids)
    queued = _by(tx, select(items).where(items.c.comment_id.in_(ids), items.c.state == LIVE), "comment_id")
    articles = _by(tx, select(threads).where(threads.c.id.in_({row["thread_id"] for row in found})), "id")
    known = records(tx, {row["author_id"] for row in found if row["author_id"] is not None})
    sizes = _campaign_sizes(tx, {row["campaign"] for row in found if row["campaign"] is not None})
    parents = _parents(tx, [row["id"] for row in found if row["parent"] is not None])
    return [
        CommentOut.model_validate(
            {
                **scored.get(row["id"], _UNSCORED),
                **row,
                **parents.get(row["id"], {}),
                "copies": sizes.get(row["campaign"], 1),
                "thread": articles.get(row["thread_id"]),
                "author": known.get(row["author_id"]),
                "decision": decided.get(row["id"]),
                "item": queued.get(row["id"]),
            }
        )
        for row in found
    ]


def history(tx: Connection, comment_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return the revisions, decisions and appeals of a comment, oldest first."""
    return {
        table.name: [
            dict(row)
            for row in tx.execute(select(table).where(table.c.comment_id == comment_id).order_by(table.c.id))
            .mappings()
            .all()
        ]
        for table in (revisions, decisions, appeals)
    }


def records(tx: Connection, ids: set[int]) -> dict[int, AuthorOut]:
    """Return the authors with these ids."""
    counted = (
        select(comments.c.author_id, comments.c.action, func.count())
        .where(comments.c.author_id.in_(ids))
        .group_by(comments.c.author_id, comments.c.action)
    )
    numbers = {(author, action): number for author, action, number in tx.execute(counted)}
    standings, notes = author_acts.standings(tx, ids), author_acts.notes(tx, ids)
    return {
        row["id"]: AuthorOut(
            **row,
            published=numbers.get((row["id"], "publish"), 0),
            held=numbers.get((row["id"], "hold"), 0),
            rejected=numbers.get((row["id"], "reject"), 0),
            standing=standings[row["id"]].standing if row["id"] in standings else None,
            until=standings[row["id"]].until if row["id"] in standings else None,
            notes=[NoteOut.model_validate(note) for note in notes.get(row["id"], ())[:_MOST_NOTES]],
        )
        for row in tx.execute(select(authors).where(authors.c.id.in_(ids))).mappings()
    }


def search(
    tx: Connection, wanted: Search, limit: int, after: str | None = None
) -> tuple[list[CommentOut], str | None]:
    """Return a page of comments, newest first, and the next cursor; raises Refusal for a strange cursor."""
    exact = {
        comments.c.action: wanted.action,
        comments.c.thread_id: wanted.thread,
        comments.c.author_id: wanted.author,
        comments.c.campaign: wanted.campaign,
    }
    query = select(comments.c.id).where(comments.c.erased.is_(None))
    query = query.where(*(column == value for column, value in exact.items() if value is not None))
    if wanted.words:
        query = query.where(comments.c.text.icontains(wanted.words, autoescape=True))
    if wanted.anything:
        query = query.where(_mentions(wanted.anything))
    if wanted.since is not None:
        query = query.where(said_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(said_at < wanted.until)
    query = within(query, comments.c.site, wanted.sites)
    rows, following = cursor.page(tx, query, "newest", (comments.c.id,), limit, after)
    return load(tx, [row.id for row in rows]), following


def _mentions(part: str) -> ColumnElement[bool]:
    """Return the condition for comments whose text or author has ``part``, or whose id it is."""
    named = or_(authors.c.name.icontains(part, autoescape=True), authors.c.caller_id == part)
    found = [
        comments.c.text.icontains(part, autoescape=True),
        comments.c.author_id.in_(select(authors.c.id).where(named)),
        comments.c.caller_id == part,
    ]
    if part.isascii() and part.isdecimal() and len(part) < 10:
        found.append(comments.c.id == int(part))
    return or_(*found)


def _parents(tx: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return what is known here of the parents of these comments; parents that are not stored are left out."""
    parents = comments.alias("parents")
    named = and_(parents.c.site == comments.c.site, parents.c.caller_id == comments.c.parent)
    query = (
        select(comments.c.id, parents.c.id.label("parent_id"), parents.c.text.label("parent_text"))
        .add_columns(func.coalesce(authors.c.name, authors.c.caller_id).label("parent_author"))
        .join(parents, and_(named, parents.c.id != comments.c.id))
        .outerjoin(authors, authors.c.id == parents.c.author_id)
        .where(comments.c.id.in_(ids))
    )
    return {row.pop("id"): row for row in map(dict, tx.execute(query).mappings())}


def _last(tx: Connection, table: Table, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """Return the newest row of each comment in ``table``."""
    newest = select(func.max(table.c.id)).where(table.c.comment_id.in_(ids)).group_by(table.c.comment_id)
    return _by(tx, select(table).where(table.c.id.in_(newest)), "comment_id")


def _by(tx: Connection, query: Select[Any], key: str) -> dict[int, Mapping[str, Any]]:
    return {row[key]: dict(row) for row in tx.execute(query).mappings()}


def _campaign_sizes(tx: Connection, campaigns: set[int]) -> dict[int, int]:
    size = select(comments.c.campaign, func.count().label("size")).where(comments.c.campaign.in_(campaigns))
    return {row.campaign: row.size for row in tx.execute(size.group_by(comments.c.campaign))}
