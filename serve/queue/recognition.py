"""Recognising a comment whose caller has no ids: by a hash of its text, its page and its author."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, exists, select, update

from belowline.serve.store.database import within
from belowline.serve.store.pseudonyms import alias
from belowline.serve.store.tables import SYSTEM, authors, comments, decisions, threads

PREFIX = "akismet-"
"""What the ids of comments begin with that Akismet's clients sent."""
BY_ADDRESS = "ip-"
"""What the ids of authors begin with of whom nothing but an IP address is known."""
LONG = 40
"""Characters from which on the same text of two unknown authors is the same comment, not a coincidence."""
_ERASED = "erased-"
_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")
_CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class RecognitionQuery:
    """A comment to recognise.

    Attributes:
        site: The site that it is on, as far as its caller says.
        sites: The sites on which the same text under the same page is the same comment too; empty for every site.
        ids: The caller's ids that it may have, the likeliest first.
        text_hash: What ``hash_of`` returned.
        permalink: The page that it is on, None where that is not said.
        author: The caller's id of its author, None where nothing is known.
        long: Whether the text is too long to be the same by coincidence.
    """

    site: str
    sites: Sequence[str]
    ids: Sequence[str]
    text_hash: str
    permalink: str | None
    author: str | None
    long: bool


def bare(text: str) -> str:
    """``text`` without markup, entities and white space, which hosts change between a check and a report."""
    text = text.replace("\x00", "\ufffd")  # as it is stored
    plain = html.unescape(_TAG.sub("", text))
    return "".join(plain.split()) or "".join(text.split())


def hash_of(tx: Connection, bare_text: str) -> str:
    """The keyed hash of a text that ``bare`` returned, 32 hexadecimal digits."""
    return alias(tx, f"text\n{bare_text}")


def reported(tx: Connection, sought: RecognitionQuery) -> Row[Any] | None:
    """The comment that a moderator's report means, None for an unknown one.

    By its id, else by site, page and text, else by site and text. Of several, one that no person has decided comes first, then the newest.
    An author who is known by an address of mail or web excludes the comments of others; an IP address excludes nothing, for some hosts send
    the moderator's.
    """
    if (known := _by_id(tx, sought)) is not None:
        return known
    fitting = [
        row
        for row in _same_text(tx, sought)
        if (_same_page(row, sought) or row.site == sought.site) and not _contradicts(row, sought)
    ]
    return max(fitting, key=lambda row: (_same_page(row, sought), not row.by_person, row.id), default=None)


def checked(tx: Connection, sought: RecognitionQuery) -> Row[Any] | None:
    """The comment that is checked again, None for a new one.

    By its id; else one with the same text that a person has decided, if its author is the same, or if neither author is known and the text
    is long or was reported for the same page. A short text of unknown authors is judged anew: many readers write "lol". So is a text that
    was published on another page: one wrong approval must not publish every later copy.
    """
    if (known := _by_id(tx, sought)) is not None:
        return known
    fitting = [row for row in _same_text(tx, sought) if row.by_person and _same_comment(row, sought)]
    return max(fitting, key=lambda row: (_same_page(row, sought), row.id), default=None)


def forget(tx: Connection, ids: Sequence[int]) -> None:
    """Replaces what erased comments could be recognised by: their ids are hashes of their texts."""
    rows = tx.execute(
        select(comments.c.id).where(comments.c.id.in_(ids), comments.c.caller_id.startswith(PREFIX))
    )
    for comment in rows.scalars().all():
        gone = update(comments).where(comments.c.id == comment)
        tx.execute(gone.values(caller_id=f"{PREFIX}{_ERASED}{comment}"))


def _by_id(tx: Connection, sought: RecognitionQuery) -> Row[Any] | None:
    mine = comments.c.site == sought.site, comments.c.caller_id.in_(sought.ids)
    rows = tx.execute(_query(sought).where(*mine)).all()
    return min(rows, key=lambda row: sought.ids.index(row.caller_id), default=None)


def _same_text(tx: Connection, sought: RecognitionQuery) -> Sequence[Row[Any]]:
    query = _query(sought).where(
        comments.c.text_hash == sought.text_hash, comments.c.caller_id.startswith(PREFIX)
    )
    return tx.execute(query.order_by(comments.c.id.desc()).limit(_CANDIDATES)).all()


def _query(sought: RecognitionQuery) -> Any:
    by_person = exists().where(decisions.c.comment_id == comments.c.id, decisions.c.actor != SYSTEM)
    names = ("id", "site", "caller_id", "text", "text_hash", "action")
    columns = (comments.c[name] for name in names)
    joined = comments.outerjoin(threads, threads.c.id == comments.c.thread_id).outerjoin(
        authors, authors.c.id == comments.c.author_id
    )
    query = (
        select(
            *columns,
            threads.c.caller_id.label("page"),
            authors.c.caller_id.label("author"),
            by_person.label("by_person"),
        )
        .select_from(joined)
        .where(comments.c.erased.is_(None))
    )
    return within(query, comments.c.site, sought.sites)


def _same_page(row: Row[Any], sought: RecognitionQuery) -> bool:
    return row.page is not None and row.page == sought.permalink


def _known(author: str | None) -> bool:
    return author is not None and not author.startswith(BY_ADDRESS)


def _contradicts(row: Row[Any], sought: RecognitionQuery) -> bool:
    return _known(row.author) and _known(sought.author) and row.author != sought.author


def _same_comment(row: Row[Any], sought: RecognitionQuery) -> bool:
    if row.author == sought.author and _known(row.author):
        return True
    if _known(row.author) and _known(sought.author):
        return False
    if _same_page(row, sought):
        return sought.long or row.author is None
    return sought.long and row.action != "publish"
