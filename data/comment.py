"""What a comment and a thread are, whatever archive they were read from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Verdict = Literal["publish", "hold", "reject", "spam"]
"""What moderators made of a comment: shown, waiting, taken down, or taken down as spam."""


class ReadError(Exception):
    """An archive cannot be read; the message says what, where (file, line or byte, field) and what to do."""


@dataclass(frozen=True, slots=True)
class Comment:
    """One reader comment.

    Attributes:
        id: Unique within its thread: the archive's own, or a number that the reader gave.
        text: What was written, never empty; paragraphs are parted by a blank line.
        author: Name as printed, or None where the archive does not tell.
        time: When it was written, with a time zone, or None.
        parent: ``id`` of the comment in the same thread that this one answers, or None.
        verdict: What the site's own moderators made of it, or None where the archive does not tell.
    """

    id: str
    text: str
    author: str | None = None
    time: datetime | None = None
    parent: str | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """An article and the comments below it.

    Attributes:
        source: File it came from, followed by ``:LINE`` where one file holds several threads.
        title: The article's title, or None.
        url: The article's address, or None.
        text: The article's body, ``""`` when unknown.
        comments: In the archive's order.
        notes: What the reader could not settle, a sentence each; never holds comment text.
    """

    source: str
    title: str | None
    url: str | None
    text: str
    comments: tuple[Comment, ...]
    notes: tuple[str, ...] = ()


def whole(text: str) -> str:
    """JSON can spell half a character; no file can hold it, so it becomes U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
