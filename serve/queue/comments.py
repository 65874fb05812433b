"""Reading comments back: one with all that is known of it, several for a page, and searching."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    """What is known of an author: how many of their comments stand, wait, and were turned away."""

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
    """A comment as a moderator sees it. ``text`` is None once erased; ``item`` is its place in the queue while it waits."""

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
    probabilities: Mapping[str, float]
    relevance: float | None
    evidence: Sequence[Mapping[str, Any]]
    model: str | None
    decision: Mapping[str, Any] | None
    item: Mapping[str, Any] | None


def locked(tx: Connection, comment_id: int) -> Row[Any] | None:
    """The row of a comment, locked until the transaction ends."""
    return tx.execute(select(comments).where(comments.c.id == comment_id).with_for_update()).one_or_none()


def last_decision(tx: Connection, comment_id: int, *of: ColumnElement[bool]) -> Row[Any] | None:
    """The decision that stands, or the last one for which the conditions ``of`` hold."""
    return _newest(tx, decisions, comment_id, *of)


def last_scores(tx: Connection, comment_id: int) -> Row[Any] | None:
    """The scores of a comment as it was scored last."""
    return _newest(tx, scores, comment_id)


def _newest(tx: Connection, table: Table, comment_id: int, *of: ColumnElement[bool]) -> Row[Any] | None:
    query = select(table).where(table.c.comment_id == comment_id, *of)
    return tx.execute(query.order_by(table.c.id.desc()).limit(1)).one_or_none()


def find(tx: Connection, reference: str, sites: Sequence[str] = ()) -> int | None:
    """The id of a comment of ``sites`` (none: all) by a reference: that id itself, or ``site:the caller's id``."""
    return _find(tx, comments, reference, sites)


def find_author(tx: Connection, reference: str) -> int | None:
    """The id of an author by a reference: that id itself, or ``site:the caller's id``."""
    return _find(tx, authors, reference, ())


def _find(tx: Connection, table: Table, reference: str, sites: Sequence[str]) -> int | None:
    query = within(select(table.c.id), table.c.site, sites)
    if reference.isdecimal() and len(reference) < 16 and int(reference) < 2**31:
        return tx.execute(query.where(table.c.id == int(reference))).scalar()
    site, _, caller_id = reference.partition(":")
    return tx.execute(query.where(table.c.site == site, table.c.caller_id == caller_id)).scalar()


def load(tx: Connection, ids: Sequence[int]) -> list[Comment]:
    """Comments with these ids, in their order; those that are not there are left out."""
    rows = {row.id: row for row in tx.execute(select(comments).where(comments.c.id.in_(ids)))}
    found = [rows[number] for number in ids if number in rows]
    scored = _last(tx, scores, ids)
    decided = _last(tx, decisions, ids)
    waiting = _by(tx, select(items).where(items.c.comment_id.in_(ids), items.c.state == LIVE), "comment_id")
    under = _by(tx, select(threads).where(threads.c.id.in_({row.thread_id for row in found})), "id")
    known = records(tx, {row.author_id for row in found if row.author_id is not None})
    sizes = _campaign_sizes(tx, {row.campaign for row in found if row.campaign is not None})
    return [
        Comment(
            **{name: row._mapping[name] for name in _OWN},
            copies=sizes.get(row.campaign, 1),
            thread=under.get(row.thread_id),
            author=known.get(row.author_id),
            probabilities=scored[row.id]["probabilities"] if row.id in scored else {},
            relevance=scored[row.id]["relevance"] if row.id in scored else None,
            evidence=scored[row.id]["evidence"] if row.id in scored else [],
            model=scored[row.id]["model"] if row.id in scored else None,
            decision=decided.get(row.id),
            item=waiting.get(row.id),
        )
        for row in found
    ]


_OWN = (
    "id",
    "site",
    "caller_id",
    "text",
    "language",
    "revision",
    "action",
    "campaign",
    "parent",
    "parent_text",
    "written",
    "received",
    "erased",
)


def history(tx: Connection, comment_id: int) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Revisions, decisions and appeals of a comment, oldest first."""
    return {
        name: _rows(
            tx.execute(select(table).where(table.c.comment_id == comment_id).order_by(table.c.id)).all()
        )
        for name, table in (("revisions", revisions), ("decisions", decisions), ("appeals", appeals))
    }


def records(tx: Connection, ids: set[int]) -> dict[int, AuthorRecord]:
    """Authors with what became of their comments."""
    counted = (
        select(comments.c.author_id, comments.c.action, func.count().label("number"))
        .where(comments.c.author_id.in_(ids))
        .group_by(comments.c.author_id, comments.c.action)
    )
    numbers = {(row.author_id, row.action): row.number for row in tx.execute(counted)}
    return {
        row.id: AuthorRecord(
            id=row.id,
            caller_id=row.caller_id,
            name=row.name,
            role=row.role,
            site=row.site,
            first_seen=row.first_seen,
            published=numbers.get((row.id, "publish"), 0),
            held=numbers.get((row.id, "hold"), 0),
            rejected=numbers.get((row.id, "reject"), 0),
        )
        for row in tx.execute(select(authors).where(authors.c.id.in_(ids)))
    }


@dataclass(frozen=True, slots=True)
class Search:
    """Which comments; what is None is left free. ``words`` is looked for as it stands, whatever the case."""

    sites: tuple[str, ...] = ()
    words: str | None = None
    action: str | None = None
    thread: int | None = None
    author: int | None = None
    campaign: int | None = None


def search(
    tx: Connection, wanted: Search, limit: int, after: str | None = None
) -> tuple[list[Comment], str | None]:
    """A page of comments, newest first, and the cursor of the next; raises Refusal for a strange cursor."""
    query: Select[Any] = select(comments.c.id).where(comments.c.erased.is_(None))
    exact = {
        comments.c.action: wanted.action,
        comments.c.thread_id: wanted.thread,
        comments.c.author_id: wanted.author,
        comments.c.campaign: wanted.campaign,
    }
    query = query.where(*(column == value for column, value in exact.items() if value is not None))
    query = within(query, comments.c.site, wanted.sites)
    if wanted.words:
        query = query.where(comments.c.text.icontains(wanted.words, autoescape=True))
    rows, following = cursor.page(tx, query, "newest", (comments.c.id,), limit, after)
    return load(tx, [row.id for row in rows]), following


def _last(tx: Connection, table: Table, ids: Sequence[int]) -> dict[int, Mapping[str, Any]]:
    """The newest row of each comment in ``table``."""
    newest = select(func.max(table.c.id)).where(table.c.comment_id.in_(ids)).group_by(table.c.comment_id)
    return _by(tx, select(table).where(table.c.id.in_(newest)), "comment_id")


def _by(tx: Connection, query: Select[Any], key: str) -> dict[int, Mapping[str, Any]]:
    return {row[key]: row for row in _rows(tx.execute(query).all())}


def _rows(rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in rows]


def _campaign_sizes(tx: Connection, campaigns: set[int]) -> dict[int | None, int]:
    query = (
        select(comments.c.campaign, func.count().label("number"))
        .where(comments.c.campaign.in_(campaigns))
        .group_by(comments.c.campaign)
    )
    return {row.campaign: row.number for row in tx.execute(query)}
