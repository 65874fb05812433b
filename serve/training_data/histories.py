"""What people decided and what callers told, read in pages for an export: memory stays flat, and an erasure counts for the next page."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, exists, func, select

from belowline.serve.store.database import Database, within
from belowline.serve.store.tables import comments, decisions, feedback, golden, items, revisions, threads

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class History:
    """A comment that a person decided or that is golden.

    Attributes:
        comment: Its row, with ``title``, ``lead`` and ``thread`` (the caller's id) of its article, and the caller's ids of the first of
            its near-copies (``first_id``, None where it could be a copy of nothing) and of that one's article (``first_thread``).
        decisions: Every decision, the policy's too, oldest first; ``kind`` is that of the item that it placed or answered.
        texts: Revision to text; None once erased.
        golden: Its golden row, or None.
    """

    comment: Row[Any]
    decisions: Sequence[Row[Any]]
    texts: Mapping[int, str | None]
    golden: Row[Any] | None


def histories(
    database: Database, sites: Sequence[str] = (), since: datetime | None = None
) -> Iterator[History]:
    """Comments of ``sites`` (none: all) of which a person decided something ``since`` then, in the order of their ids."""
    after = 0
    while True:
        query = _decided(sites, since).where(decisions.c.comment_id > after)
        with database.read() as tx:
            ids = tx.execute(query.order_by(decisions.c.comment_id).limit(_AT_ONCE)).scalars().all()
            page = _load(tx, ids)
        yield from page
        if len(ids) < _AT_ONCE:
            return
        after = ids[-1]


def told(database: Database, sites: Sequence[str] = ()) -> Iterator[Row[Any]]:
    """Feedback of ``sites`` (none: all) that is not erased, newest first; of several on the same comment the newest alone."""
    newer = feedback.alias()
    same = (newer.c.site == feedback.c.site) & (newer.c.caller_id == feedback.c.caller_id)
    replaced = exists().where(same, newer.c.id > feedback.c.id)  # an erasure takes all of the same
    query = select(feedback).where(feedback.c.erased.is_(None), ~replaced)
    before: ColumnElement[bool] | None = None
    while True:
        page = within(query if before is None else query.where(before), feedback.c.site, sites)
        with database.read() as tx:
            rows = tx.execute(page.order_by(feedback.c.id.desc()).limit(_AT_ONCE)).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        before = feedback.c.id < rows[-1].id


def known_as(database: Database, site: str, caller_ids: Sequence[str]) -> Mapping[str, History | None]:
    """Of comments of a site by the caller's ids: each that is kept, with its history, None for one that was erased."""
    query = select(comments.c.id, comments.c.caller_id, comments.c.erased).where(
        comments.c.site == site, comments.c.caller_id.in_(caller_ids)
    )
    with database.read() as tx:
        rows = tx.execute(query).all()
        found = {one.comment.id: one for one in _load(tx, [row.id for row in rows if row.erased is None])}
    return {row.caller_id: found.get(row.id) for row in rows}


def number(database: Database, sites: Sequence[str] = (), since: datetime | None = None) -> int:
    """How many ``histories`` and ``told`` give at most."""
    with database.read() as tx:
        decided = select(func.count()).select_from(_decided(sites, since).subquery())
        rows = within(select(func.count()).select_from(feedback), feedback.c.site, sites)
        return int(tx.execute(decided).scalar_one() + tx.execute(rows).scalar_one())


def has_site(database: Database, site: str) -> bool:
    """Whether there is a comment or feedback of a site."""
    with database.read() as tx:
        return any(
            tx.execute(select(table.c.id).where(table.c.site == site).limit(1)).scalar() is not None
            for table in (comments, feedback)
        )


def _decided(sites: Sequence[str], since: datetime | None) -> Select[Any]:
    """Ids of comments; what counts now of one was decided ``since`` then only if anything was."""
    query = select(decisions.c.comment_id).where(decisions.c.via != "policy").distinct()
    if since is not None:
        query = query.where(decisions.c.at >= since)
    if sites:
        query = within(query.join(comments, comments.c.id == decisions.c.comment_id), comments.c.site, sites)
    return query


def _load(tx: Connection, ids: Sequence[int]) -> list[History]:
    first, under, first_under = comments.alias(), threads.alias(), threads.alias()
    query = (
        select(
            comments,
            under.c.title,
            under.c.lead,
            under.c.caller_id.label("thread"),
            first.c.caller_id.label("first_id"),
            first_under.c.caller_id.label("first_thread"),
        )
        .outerjoin(under, under.c.id == comments.c.thread_id)
        .outerjoin(first, first.c.id == comments.c.campaign)
        .outerjoin(first_under, first_under.c.id == first.c.thread_id)
        .where(comments.c.id.in_(ids))
        .order_by(comments.c.id)
    )
    made = defaultdict(list)
    ordered = select(decisions, items.c.kind).outerjoin(items, items.c.id == decisions.c.item_id)
    for row in tx.execute(ordered.where(decisions.c.comment_id.in_(ids)).order_by(decisions.c.id)):
        made[row.comment_id].append(row)
    texts: dict[int, dict[int, str | None]] = defaultdict(dict)
    for row in tx.execute(select(revisions).where(revisions.c.comment_id.in_(ids))):
        texts[row.comment_id][row.number] = row.text
    agreed = {row.comment_id: row for row in tx.execute(select(golden).where(golden.c.comment_id.in_(ids)))}
    return [History(row, made[row.id], texts[row.id], agreed.get(row.id)) for row in tx.execute(query).all()]
