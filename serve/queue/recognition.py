"""Recognition of a comment whose caller has no ids: by a keyed hash of its text, its page and its author."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, exists, select, update

from belowline.serve.store.database import within
from belowline.serve.store.pseudonyms import alias
from belowline.serve.store.tables import SYSTEM, authors, comments, decisions, deliveries, threads

PREFIX = "akismet-"
"""First characters of the ids of comments that Akismet's clients sent."""
BY_ADDRESS = "ip-"
"""First characters of the ids of authors of whom only an IP address is known."""
LONG = 40
"""Characters from which the same text of two unknown authors is the same comment and no coincidence."""
_TAG = re.compile(r"</?[A-Za-z!][^<>]*>")
_CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class RecognitionQuery:
    """A comment to recognise.

    Attributes:
        site: The comment's site, as far as the caller says.
        sites: The sites on which the same text on the same page is the same comment; empty for all.
        ids: The ids that the comment may have, the likeliest first.
        text_hash: The result of ``hash_of``.
        permalink: The comment's page, None if unknown.
        author: The caller's id of the author, None if unknown.
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
    """Return ``text`` without markup, entities and white space, which hosts change between a check and a report."""
    text = text.replace("\x00", "\ufffd")  # as it is stored
    plain = html.unescape(_TAG.sub("", text))
    return "".join(plain.split()) or "".join(text.split())


def hash_of(tx: Connection, bare_text: str) -> str:
    """Return the keyed hash of a result of ``bare``: 32 hexadecimal digits."""
    return alias(tx, f"text\n{bare_text}")


def reported(tx: Connection, sought: RecognitionQuery) -> Row[Any] | None:
    """Return the comment that a moderator's report is about, None if it is unknown.

    The id decides; else site, page and text; else site and text. Of several comments the first is one without
    a person's decision, then the newest. An author known by e-mail or website excludes the comments of
    others; an IP address excludes none, because some hosts send the moderator's.
    """
    if (known := _by_id(tx, sought)) is not None:
        return known
    fitting = [
        row
        for row in _same_text(tx, sought)
        if (_same_page(row, sought) or row.site == sought.site)
        and not (_identified(row.author) and _identified(sought.author) and row.author != sought.author)
    ]
    return max(fitting, key=lambda row: (_same_page(row, sought), not row.by_person, row.id), default=None)


def checked(tx: Connection, sought: RecognitionQuery) -> Row[Any] | None:
    """Return the comment that is checked again, None for a new one.

    The id decides; else the comment has the same text and a person's decision, and either the same author, or
    no known author and a text that is long or was reported for the same page.
    """
    # A short text of unknown authors is new: many readers write "lol". So is a text that was published on another
    # page: one wrong approval must not publish every later copy.
    if (known := _by_id(tx, sought)) is not None:
        return known
    fitting = [row for row in _same_text(tx, sought) if row.by_person and _same_comment(row, sought)]
    return max(fitting, key=lambda row: (_same_page(row, sought), row.id), default=None)


def forget(tx: Connection, ids: Sequence[int]) -> None:
    """Replace the ids of erased comments that are hashes of their texts, also in the log of deliveries."""
    query = select(comments.c.id).where(comments.c.id.in_(ids), comments.c.caller_id.startswith(PREFIX))
    names = {comment: f"{PREFIX}erased-{comment}" for comment in tx.execute(query).scalars()}
    for comment, name in names.items():
        tx.execute(update(comments).where(comments.c.id == comment).values(caller_id=name))
    about = deliveries.c.payload["comment"].as_integer().in_(list(names))
    sent = select(deliveries.c.id, deliveries.c.payload).where(about)
    for row in tx.execute(sent).all() if names else ():
        payload = {**row.payload, "caller_id": names[row.payload["comment"]]}
        tx.execute(update(deliveries).where(deliveries.c.id == row.id).values(payload=payload))


def _by_id(tx: Connection, sought: RecognitionQuery) -> Row[Any] | None:
    mine = comments.c.site == sought.site, comments.c.caller_id.in_(sought.ids)
    rows = tx.execute(_query(sought).where(*mine)).all()
    return min(rows, key=lambda row: sought.ids.index(row.caller_id), default=None)


def _same_text(tx: Connection, sought: RecognitionQuery) -> Sequence[Row[Any]]:
    same = comments.c.text_hash == sought.text_hash, comments.c.caller_id.startswith(PREFIX)
    newest = _query(sought).where(*same).order_by(comments.c.id.desc())
    return tx.execute(newest.limit(_CANDIDATES)).all()


def _query(sought: RecognitionQuery) -> Select[Any]:
    by_person = exists().where(decisions.c.comment_id == comments.c.id, decisions.c.actor != SYSTEM)
    query = (
        select(
            *(comments.c[name] for name in ("id", "site", "caller_id", "text", "text_hash", "action")),
            threads.c.caller_id.label("page"),
            authors.c.caller_id.label("author"),
            by_person.label("by_person"),
        )
        .select_from(comments)
        .outerjoin(threads, threads.c.id == comments.c.thread_id)
        .outerjoin(authors, authors.c.id == comments.c.author_id)
        .where(comments.c.erased.is_(None))
    )
    return within(query, comments.c.site, sought.sites)


def _same_page(row: Row[Any], sought: RecognitionQuery) -> bool:
    return row.page is not None and row.page == sought.permalink


def _identified(author: str | None) -> bool:
    return author is not None and not author.startswith(BY_ADDRESS)


def _same_comment(row: Row[Any], sought: RecognitionQuery) -> bool:
    if _identified(row.author) and (row.author == sought.author or _identified(sought.author)):
        return bool(row.author == sought.author)
    if _same_page(row, sought):
        return sought.long or row.author is None
    return sought.long and row.action != "publish"
