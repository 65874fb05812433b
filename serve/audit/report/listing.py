"""Comments as the report lists them: place, author, time, link, and a text with its evidence marked."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from belowline.serve.audit.archive import LINE
from belowline.serve.audit.evidence import deciding_spans
from belowline.serve.audit.summary_counts import TopComment, strength
from belowline.serve.scoring.segments import Segment, stretch

TEXT_SHOWN = 4000
"""Most characters of a comment in the report; comments.jsonl has the whole text."""
_OF_GROUP = 1000
_EXCERPT, _BEFORE = 160, 30
_IN_ROWS = re.compile(r"\.(parquet|sqlite3?|db)$", re.IGNORECASE)
_WEB = re.compile(r"https?://\S+$", re.IGNORECASE)
_LONGEST_LINK = 2000


def counted(number: int, thing: str) -> str:
    """A number with its thing, ``2 threads``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Listed:
    """A comment of a list in the report.

    Attributes:
        row: Its row of comments.jsonl.
        probability: The number that orders the list, or None.
        times: Number of comments with this text.
        excerpt: Short part of the text with the strongest evidence.
        text: The text, or ``TEXT_SHOWN`` characters of it, less in lists of threads and authors.
        further: Number of characters that ``text`` leaves out.
        thread: The article's title, or None.
        link: Web address of the comment or its page, or None.
        place: File, and line or row.
    """

    row: Mapping[str, Any]
    probability: float | None
    times: int
    excerpt: list[Segment]
    text: list[Segment]
    further: int
    thread: str | None
    link: str | None
    place: str


@dataclass(frozen=True, slots=True)
class Listing:
    """Makes the lists' comments; ``folder`` is left out of the names of files, ``redacted`` rows have no words."""

    folder: str = ""
    redacted: bool = False

    def top(self, item: TopComment) -> Listed:
        """A comment of ``TopItems``."""
        return self._listed(item.row, item.probability, item.times)

    def reviewed(self, item: TopComment) -> Listed:
        """A comment of a reason's list; a rule without a label has no probability."""
        return self._listed(item.row, item.probability or None, item.times)

    def grouped(self, row: Mapping[str, Any]) -> Listed:
        """A comment below its thread or author."""
        return self._listed(row, strength(row) or None, 1, _OF_GROUP)

    def file(self, source: str) -> str:
        """The name of a file relative to the audited folder."""
        inside = self.folder and source.startswith(f"{self.folder.rstrip(os.sep)}{os.sep}")
        return source[len(self.folder) :].lstrip(os.sep) if inside else source

    def about(self, note: Mapping[str, Any], files: int) -> str:
        """The files of a note if there are several ``files``, else the number of its threads if it has several."""
        if files > 1 and note.get("files"):
            more = note["in_files"] - len(note["files"])
            names = ", ".join(map(self.file, note["files"]))
            return f"{names} and {counted(more, 'more file')}" if more else names
        return counted(note["times"], "thread") if note["times"] > 1 else ""

    def place(self, row: Mapping[str, Any]) -> str:
        """The file of a comment, with its line, in tables of other kinds the row."""
        line = row.get("line")
        if line is None:
            return self.source(row["source"])
        return self._numbered(LINE.sub("", self.file(row["source"])), line)

    def source(self, source: str) -> str:
        """As ``file``, with the line or row of a thread in words."""
        found = LINE.search(source)
        return (
            self._numbered(self.file(source[: found.start()]), int(found[1])) if found else self.file(source)
        )

    def _numbered(self, file: str, line: int) -> str:
        return f"{file}, {'row' if _IN_ROWS.search(file) else 'line'} {line}"

    def _listed(
        self, row: Mapping[str, Any], probability: float | None, times: int, longest: int = TEXT_SHOWN
    ) -> Listed:
        text, link = row["text"], row.get("permalink") or ""
        spans = [] if self.redacted else deciding_spans(row)
        return Listed(
            row=row,
            probability=probability,
            times=times,
            excerpt=stretch(text, spans, _EXCERPT, _BEFORE),
            text=stretch(text, spans, longest),
            further=max(0, len(text) - longest),
            thread=None if row["thread"] == row["source"] else row["thread"],
            link=link if len(link) <= _LONGEST_LINK and _WEB.match(link) else None,
            place=self.place(row),
        )
