"""Histories of decided comments, and feedback.

Both are read in pages: memory stays flat, and an erasure counts from the next page on.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, func, select, true

from belowline.serve.store.database import Database, within
from belowline.serve.store.tables import comments, decisions, feedback, golden, items, revisions, threads

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class History:
    """A comment that a person decided or that is golden.

    Attributes:
        comment: Its row, with ``title``, ``lead`` and ``thread`` (the caller's id) of its article, and
            ``first_id`` and ``first_thread``: the caller's ids of the first of its near-duplicates and of
            that one's article.
        decisions: All decisions, the policy's too, oldest first; ``kind`` is the kind of the item that the
            decision opened or answered.
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
    """Yield the comments of ``sites`` (none: all) that a person decided ``since`` then, ordered by id."""
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


def newest_feedback(database: Database, sites: Sequence[str] = ()) -> Iterator[Row[Any]]:
    """Yield the feedback of ``sites`` (none: all) that is not erased, newest first; only the newest on each comment."""
    newer = feedback.alias()
    same = (newer.c.site == feedback.c.site) & (newer.c.caller_id == feedback.c.caller_id)
    replaced = exists().where(same, newer.c.id > feedback.c.id)  # an erasure covers all of the same comment
    query = within(select(feedback).where(feedback.c.erased.is_(None), ~replaced), feedback.c.site, sites)
    before = true()
    while True:
        with database.read() as tx:
            rows = tx.execute(query.where(before).order_by(feedback.c.id.desc()).limit(_AT_ONCE)).all()
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        before = feedback.c.id < rows[-1].id


def known_as(database: Database, site: str, caller_ids: Sequence[str]) -> Mapping[str, History | None]:
    """Return the stored comments of a site with these caller's ids, with their histories.

    None for an erased comment.
    """
    query = select(comments.c.id, comments.c.caller_id, comments.c.erased).where(
        comments.c.site == site, comments.c.caller_id.in_(caller_ids)
    )
    with database.read() as tx:
        rows = tx.execute(query).all()
        loaded = _load(tx, [row.id for row in rows if row.erased is None])
    by_id = {history.comment.id: history for history in loaded}
    return {row.caller_id: by_id.get(row.id) for row in rows}


def number(database: Database, sites: Sequence[str] = (), since: datetime | None = None) -> int:
    """Return the number of ``histories`` and ``newest_feedback`` at most."""
    with database.read() as tx:
        decided = select(func.count()).select_from(_decided(sites, since).subquery())
        rows = within(select(func.count()).select_from(feedback), feedback.c.site, sites)
        return int(tx.execute(decided).scalar_one() + tx.execute(rows).scalar_one())


def has_site(database: Database, site: str) -> bool:
    """Return whether the store has a comment or feedback of a site."""
    with database.read() as tx:
        return any(
            tx.execute(select(table.c.id).where(table.c.site == site).limit(1)).scalar() is not None
            for table in (comments, feedback)
        )


def _decided(sites: Sequence[str], since: datetime | None) -> Select[Any]:
    query = select(decisions.c.comment_id).where(decisions.c.via != "policy").distinct()
    if since is not None:
        query = query.where(decisions.c.at >= since)
    if sites:
        query = within(query.join(comments, comments.c.id == decisions.c.comment_id), comments.c.site, sites)
    return query


def _load(tx: Connection, ids: Sequence[int]) -> list[History]:
    first, article, first_article = comments.alias(), threads.alias(), threads.alias()
    query = (
        select(
            comments,
            article.c.title,
            article.c.lead,
            article.c.caller_id.label("thread"),
            first.c.caller_id.label("first_id"),
            first_article.c.caller_id.label("first_thread"),
        )
        .outerjoin(article, article.c.id == comments.c.thread_id)
        .outerjoin(first, first.c.id == comments.c.campaign)
        .outerjoin(first_article, first_article.c.id == first.c.thread_id)
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
