"""Reading comments: one with its history, several for a page, and search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, select

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


@dataclass(frozen=True, slots=True)
class AuthorRecord:
    """An author with counts of their published, held and rejected comments."""

    id: int
    caller_id: str | None
    name: str | None
    role: str | None
    site: str
    first_seen: datetime | None
    published: int
    held: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment as a moderator sees it.

    ``text`` is None once erased; ``item`` is the open queue item, if there is one.
    """

    id: int
    site: str
    caller_id: str
    text: str | None
    language: str
    revision: int
    action: str
    campaign: int | None
    copies: int
    written: datetime | None
    received: datetime | None
    erased: datetime | None
    thread: Mapping[str, Any] | None
    author: AuthorRecord | None
    parent: str | None
    parent_text: str | None
    decision: Mapping[str, Any] | None
    item: Mapping[str, Any] | None
    probabilities: Mapping[str, float]
    relevance: float | None = None
    evidence: Sequence[Mapping[str, Any]] = ()
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """Conditions for comments; None means any. ``words`` is a part of the text, in any case."""

    sites: Sequence[str] = ()
    words: str | None = None
    action: str | None = None
    thread: int | None = None
    author: int | None = None
    campaign: int | None = None


_OWN = [field.name for field in fields(Comment) if field.name in comments.c]
_SCORED = ("probabilities", "relevance", "evidence", "model")


def locked(tx: Connection, comment_id: int) -> Row[Any] | None:
    """Return the row of a comment, locked until the transaction ends."""
    return tx.execute(select(comments).where(comments.c.id == comment_id).with_for_update()).one_or_none()


def last_decision(tx: Connection, comment_id: int, *conditions: ColumnElement[bool]) -> Row[Any] | None:
    """Return the newest decision on a comment for which ``conditions`` hold."""
    return _newest(tx, decisions, comment_id, *conditions)


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


def load(tx: Connection, ids: Sequence[int]) -> list[Comment]:
    """Return the comments with these ids, in their order; unknown ids are left out."""
    rows = _by(tx, select(comments).where(comments.c.id.in_(ids)), "id")
    found = [rows[number] for number in ids if number in rows]
    scored, decided = _last(tx, scores, ids), _last(tx, decisions, ids)
    queued = _by(tx, select(items).where(items.c.comment_id.in_(ids), items.c.state == LIVE), "comment_id")
    articles = _by(tx, select(threads).where(threads.c.id.in_({row["thread_id"] for row in found})), "id")
    known = records(tx, {row["author_id"] for row in found if row["author_id"] is not None})
    sizes = _campaign_sizes(tx, {row["campaign"] for row in found if row["campaign"] is not None})
    nothing: Mapping[str, Any] = {"probabilities": {}}
    return [
        Comment(
            **{name: row[name] for name in _OWN},
            copies=sizes.get(row["campaign"], 1),
            thread=articles.get(row["thread_id"]),
            author=known.get(row["author_id"]),
            decision=decided.get(row["id"]),
            item=queued.get(row["id"]),
            **{name: value for name, value in scored.get(row["id"], nothing).items() if name in _SCORED},
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


def records(tx: Connection, ids: set[int]) -> dict[int, AuthorRecord]:
    """Return the authors with these ids."""
    counted = (
        select(comments.c.author_id, comments.c.action, func.count())
        .where(comments.c.author_id.in_(ids))
        .group_by(comments.c.author_id, comments.c.action)
    )
    numbers = {(author, action): number for author, action, number in tx.execute(counted)}
    return {
        row["id"]: AuthorRecord(
            **row,
            published=numbers.get((row["id"], "publish"), 0),
            held=numbers.get((row["id"], "hold"), 0),
            rejected=numbers.get((row["id"], "reject"), 0),
        )
        for row in tx.execute(select(authors).where(authors.c.id.in_(ids))).mappings()
    }


def search(
    tx: Connection, wanted: Search, limit: int, after: str | None = None
) -> tuple[list[Comment], str | None]:
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
    query = within(query, comments.c.site, wanted.sites)
    rows, following = cursor.page(tx, query, "newest", (comments.c.id,), limit, after)
    return load(tx, [row.id for row in rows]), following


def _last(tx: Connection, table: Table, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """Return the newest row of each comment in ``table``."""
    newest = select(func.max(table.c.id)).where(table.c.comment_id.in_(ids)).group_by(table.c.comment_id)
    return _by(tx, select(table).where(table.c.id.in_(newest)), "comment_id")


def _by(tx: Connection, query: Select[Any], key: str) -> dict[int, Mapping[str, Any]]:
    return {row[key]: dict(row) for row in tx.execute(query).mappings()}


def _campaign_sizes(tx: Connection, campaigns: set[int]) -> dict[int, int]:
    size = select(comments.c.campaign, func.count().label("size")).where(comments.c.campaign.in_(campaigns))
    return {row.campaign: row.size for row in tx.execute(size.group_by(comments.c.campaign))}
