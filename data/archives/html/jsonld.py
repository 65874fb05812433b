"""Finds comments in a page's JSON-LD (schema.org)."""

import json
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser

from belowline.data.archives.html.comments import Found, with_known_parents, zoned_time
from belowline.data.archives.html.text import html_to_text
from belowline.data.comment import Comment, whole

_KINDS = frozenset({"Comment", "Answer", "UserComments"})


def find_stated_comments(page: LexborHTMLParser) -> Found | None:
    """The comments of the page's JSON-LD, parents before replies, or None."""
    found = Found("JSON-LD", ())
    comments: dict[str, Comment] = {}
    for script in page.css('script[type="application/ld+json"]'):
        for record, parent, id in _records(_load(script.text()), len(comments)):
            comment = _comment(record, parent, id)
            if comment is None:
                found.counts["empty"] += 1
            elif comment.id not in comments:
                found.counts["unzoned"] += comment.time is None and bool(_dated(record))
                comments[comment.id] = comment
    found.comments = with_known_parents(comments)
    return found if comments else None


def _load(text: str) -> object:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _records(value: object, before: int) -> Iterator[tuple[dict[str, object], str | None, str]]:
    """Every comment in a JSON value with its parent's id and its own, in order."""
    stack: list[tuple[object, str | None]] = [(value, None)]
    number = before
    while stack:
        current, parent = stack.pop()
        if isinstance(current, list):
            stack.extend((item, parent) for item in reversed(current))
        elif isinstance(current, dict):
            if _is_comment(current):
                number += 1
                id = _id(current) or f"n-{number}"
                yield current, parent, id
                parent = id
            stack.extend((item, parent) for item in reversed(list(current.values())))


def _is_comment(record: dict[str, object]) -> bool:
    kinds = record.get("@type")
    named = kinds if isinstance(kinds, list) else [kinds]
    return any(isinstance(kind, str) and kind.rpartition("/")[2] in _KINDS for kind in named)


def _id(record: dict[str, object]) -> str | None:
    for name in ("identifier", "@id", "url"):
        value = record.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return f"{value:d}" if abs(value) < 10**30 else None
        if isinstance(value, str) and value.strip():
            return whole(value.rpartition("#")[2].removeprefix("comment-") or value).strip()
    return None


def _comment(record: dict[str, object], parent: str | None, id: str) -> Comment | None:
    text = next(filter(None, (_plain(record.get(name)) for name in ("text", "commentText"))), None)
    if text is None:
        return None
    time = next(filter(None, map(zoned_time, _dated(record))), None)
    return Comment(id, text, _name(record.get("author") or record.get("creator")), time, parent)


def _dated(record: dict[str, object]) -> list[str]:
    values = (record.get(name) for name in ("dateCreated", "datePublished", "commentTime"))
    return [value for value in values if isinstance(value, str)]


def _name(author: object) -> str | None:
    if isinstance(author, list):
        author = author[0] if author else None
    if isinstance(author, dict):
        author = author.get("name")
    return " ".join((_plain(author) or "").split()) or None


def _plain(value: object) -> str | None:
    """Plain text; some systems leave markup and entities in it."""
    return html_to_text(value, links=True) or None if isinstance(value, str) else None
