"""What a comment and a thread are, whatever archive they were read from."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NoReturn

Verdict = Literal["publish", "hold", "reject", "spam"]
"""What moderators made of a comment: shown, waiting, taken down, or taken down as spam."""


class ReadError(Exception):
    """An archive cannot be read; the message says what, where (file, line or byte, field) and what to do.

    Attributes:
        reason: What is wrong and what to do about it.
        source: File, or ``FILE.zip/MEMBER``; empty where the message says it all.
        position: Where in the source, counted in ``unit``; None where the whole of it is meant.
        unit: What ``position`` counts.
        part: Which part of the record is meant, ``"field 'text'"`` say, or empty.
    """

    def __init__(
        self,
        reason: str,
        source: object = "",
        position: int | None = None,
        unit: Literal["line", "row", "byte"] = "line",
        part: str = "",
    ) -> None:
        self.reason, self.source, self.position, self.unit, self.part = (
            reason,
            str(source),
            position,
            unit,
            part,
        )
        where = (self.source, "" if position is None else f"{unit} {position}", part)
        super().__init__(": ".join(filter(None, (", ".join(filter(None, where)), reason))))

    def at(
        self, source: object, position: int | None = None, unit: Literal["line", "row", "byte"] = "line"
    ) -> "ReadError":
        """The same error in another place."""
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
"""What a reader does with a record that it cannot read, before it goes on with the next one."""


def refuse(error: ReadError) -> NoReturn:
    """The ``Report`` of a reader that stops at the first record that it cannot read."""
    raise error from None


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
