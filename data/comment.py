"""Comments and threads as every archive reader returns them, and the errors of reading."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NoReturn

from belowline.model.errors import BelowlineError

PriorStatus = Literal["publish", "hold", "reject", "spam"]
"""Prior status of a comment on its site: published, pending, removed, or removed as spam."""


Unit = Literal["line", "row", "byte"]


class ReadError(BelowlineError):
    """An archive or one of its records cannot be read; the message gives place, reason and remedy.

    Attributes:
        reason: What is wrong and what to do about it.
        source: File, or ``FILE.zip/MEMBER``; empty if ``reason`` names everything.
        position: Position in the source, counted in ``unit``; None for the whole source.
        unit: Unit of ``position``.
        part: Part of the record, such as ``"field 'text'"``, or empty.
    """

    def __init__(
        self,
        reason: str,
        source: object = "",
        position: int | None = None,
        unit: Unit = "line",
        part: str = "",
    ) -> None:
        self.reason, self.source, self.part = reason, str(source), part
        self.position, self.unit = position, unit
        where = (self.source, "" if position is None else f"{unit} {position}", part)
        super().__init__(": ".join(filter(None, (", ".join(filter(None, where)), reason))))

    def at(self, source: object, position: int | None = None, unit: Unit = "line") -> "ReadError":
        """A copy of this error with another source and position."""
        return ReadError(self.reason, source, position, unit, self.part)


@dataclass(frozen=True, slots=True)
class Reject:
    """A record or a file that could not be read.

    Attributes:
        source: File, or ``FILE.zip/MEMBER``.
        position: Where in the source: JSONL, CSV and XML the line (of CSV the one on which the row begins), Parquet the
            row, WARC the byte at which the record begins, in the file as gzip unpacks it where all records share
            one gzip member. None where the whole source is meant.
        reason: What is wrong and what to do about it; never holds comment text.
    """

    source: str
    position: int | None
    reason: str


Report = Callable[[ReadError], None]
"""Callback of a reader for each record that it cannot read; reading continues with the next record."""


def refuse(error: ReadError) -> NoReturn:
    """Raises ``error``: the ``Report`` of a reader that stops at the first unreadable record."""
    raise error from None


@dataclass(frozen=True, slots=True)
class Comment:
    """One reader comment.

    Attributes:
        id: Unique within its thread: the archive's own, or a number that the reader gave.
        text: Plain text, never empty; a blank line separates paragraphs.
        author: Name as printed, or None if unknown.
        time: Time of writing with a time zone, or None if unknown.
        parent: ``id`` of the comment in the same thread that this comment replies to, or None.
        verdict: Prior status: the decision of the site's own moderators, or None if unknown.
        author_url: Website that the author gave, or None if unknown.
        permalink: Address of the comment, or None if unknown.
        line: Line of the source on which its record begins, in Parquet the row, or None if there is none.
    """

    id: str
    text: str
    author: str | None = None
    time: datetime | None = None
    parent: str | None = None
    verdict: PriorStatus | None = None
    author_url: str | None = None
    permalink: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Thread:
    """An article and the comments below it.

    Attributes:
        source: File it came from, followed by ``:LINE`` where one file holds several threads.
        title: The article's title, or None.
        url: The article's address, or None.
        text: The article's body, ``""`` when unknown.
        comments: In the archive's order.
        notes: One sentence for each uncertainty of the reader; never holds comment text.
    """

    source: str
    title: str | None
    url: str | None
    text: str
    comments: tuple[Comment, ...]
    notes: tuple[str, ...] = ()


def whole(text: str) -> str:
    """``text`` without NUL, and U+FFFD for each lone surrogate: JSON can contain both, CSV and UTF-8 cannot."""
    text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
