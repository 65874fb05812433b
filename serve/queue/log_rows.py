"""The decision log for a person: kinds of decisions, and rows with author, first words and thread."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select

from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import within
from belowline.serve.store.tables import SYSTEM, authors, comments, decisions, threads

_CHARACTERS = 160
_RECENT = 1000


def _unclear() -> tuple[ColumnElement[bool], ...]:
    """Rejections with an unclear reason that no person has replaced."""
    later = decisions.alias("later")
    replaced = exists().where(
        later.c.comment_id == decisions.c.comment_id, later.c.id > decisions.c.id, later.c.via != "policy"
    )
    rejected = (decisions.c.code_choice == "unclear") & (decisions.c.action == "reject")
    return rejected, comments.c.erased.is_(None), ~replaced


def _final() -> tuple[ColumnElement[bool], ...]:
    later = decisions.alias("undo")
    undone = exists().where(later.c.comment_id == decisions.c.comment_id, later.c.undoes == decisions.c.id)
    return decisions.c.via != "policy", decisions.c.action != "hold", decisions.c.undoes.is_(None), ~undone


def _overturned() -> tuple[ColumnElement[bool], ...]:
    return *_final(), decisions.c.before != "hold", decisions.c.before != decisions.c.action


KINDS: Mapping[str, tuple[str, Callable[[], tuple[ColumnElement[bool], ...]]]] = {
    "people": ("by moderators", lambda: (decisions.c.via != "policy",)),
    "final": ("by moderators, to publish or reject, not undone", _final),
    "overturned": ("overturned by moderators", _overturned),
    "held": ("held by the policy", lambda: (decisions.c.via == "policy", decisions.c.action == "hold")),
    "received": ("first decision on each comment", lambda: (decisions.c.before.is_(None),)),
    "sample": ("random sample", lambda: (*_final(), decisions.c.via == "sample")),
    "second": ("second reviews", lambda: (*_final(), decisions.c.via == "second")),
    "unclear": ("unclear reasons", _unclear),
}
"""Kinds of decisions in words, and their conditions on ``decisions`` joined with ``comments``."""


def readable(tx: Connection, rows: Sequence[Mapping[str, Any]], actor: Actor) -> list[dict[str, Any]]:
    """Return rows of the log with ``words``, author and thread of the comment, and whether ``actor`` may undo them."""
    ids = {row["comment_id"] for row in rows}
    query = (
        select(
            comments.c.id,
            comments.c.erased,
            func.substr(comments.c.text, 1, _CHARACTERS).label("words"),
            comments.c.author_id,
            func.coalesce(authors.c.name, authors.c.caller_id).label("author"),
            comments.c.thread_id,
            func.coalesce(threads.c.title, threads.c.caller_id).label("thread"),
        )
        .join(authors, authors.c.id == comments.c.author_id, isouter=True)
        .join(threads, threads.c.id == comments.c.thread_id, isouter=True)
        .where(comments.c.id.in_(ids))
    )
    about = {row["id"]: dict(row) for row in tx.execute(query).mappings()}
    newest = select(func.max(decisions.c.id)).where(decisions.c.comment_id.in_(ids))
    last = set(tx.execute(newest.group_by(decisions.c.comment_id)).scalars())
    return [
        {**about[row["comment_id"]], **row, "undoable": row["id"] in last and _may_undo(row, about, actor)}
        for row in rows
    ]


def recent_actors(tx: Connection, sites: Sequence[str] = ()) -> list[str]:
    """Return the people among the actors of the newest decisions on comments of ``sites`` (none: all)."""
    query = select(decisions.c.actor).join(comments, comments.c.id == decisions.c.comment_id)
    newest = within(query, comments.c.site, sites).order_by(decisions.c.id.desc()).limit(_RECENT)
    names = tx.execute(select(newest.subquery().c.actor).distinct()).scalars()
    return sorted(name for name in names if name != SYSTEM)


def _may_undo(row: Mapping[str, Any], about: Mapping[int, Mapping[str, Any]], actor: Actor) -> bool:
    by_person = row["actor"] != SYSTEM and row["undoes"] is None
    own = row["actor"] == actor.name or actor.may("administer")
    return by_person and own and about[row["comment_id"]]["erased"] is None
