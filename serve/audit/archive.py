"""An archive as a stream of comments, each with its place and context."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from datetime import UTC
from pathlib import Path
from typing import Any

from belowline.data import Reject, Thread, read_threads
from belowline.data.comment import whole
from belowline.model import ScoreInput
from belowline.serve.audit.group_index import GroupIndex
from belowline.serve.audit.messages import Messages
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.terminal import counting
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.scoring.safe_text import json_line

_REJECTS_IN_SUMMARY = 20
_REMEMBERED = 100_000
LINE = re.compile(r":(\d{1,15})$")
"""The end of a source with a line or row."""


@dataclass(frozen=True, slots=True)
class ArchiveComment:
    """A comment of an archive and the input that the model gets for it.

    ``position`` counts from 0 within the thread, ``time`` is ISO 8601 in UTC, ``verdict`` is the prior status.
    ``permalink`` is the comment's address, else its page's. ``line`` is the line (in Parquet the row) in the file.
    """

    source: str
    thread: str
    position: int
    author: str | None
    id: str
    parent: str | None
    time: str | None
    verdict: str | None
    comment: ScoreInput
    permalink: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Archive:
    """Files and folders to audit, and the options of ``belowline.data.read_threads`` for them.

    ``names`` maps a temporary file to the name that results and errors show.
    """

    paths: Sequence[Path]
    format: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[Path, str] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    time_format: str | None = None

    def threads(self, on_reject: Callable[[Reject], None]) -> Iterator[Thread]:
        """Every readable thread; raises ReadError for a missing path and wrong options."""
        for path in self.paths:
            for thread in read_threads(
                path,
                format=self.format,
                columns=self.columns or None,
                statuses=self.statuses or None,
                time_format=self.time_format,
                on_reject=on_reject,
                name=self.names.get(path),
            ):
                # The name of a file need not be UTF-8; the tables of the results are.
                yield replace(thread, source=whole(thread.source))

    @property
    def folder(self) -> str:
        """The deepest folder that holds all paths; results can show sources relative to it."""
        folders = [path if path.is_dir() else path.parent for path in self.paths if path not in self.names]
        try:
            return whole(os.path.commonpath(folders)) if folders else ""
        except ValueError:  # relative and absolute paths
            return ""

    def comments(self) -> Iterator[ArchiveComment]:
        """Every readable comment, in the readers' order."""
        for thread, first in positioned(self.threads(lambda _: None)):
            yield from comments_of(thread, first)


@dataclass(slots=True)
class Inventory:
    """Contents of an archive before scoring.

    ``files`` counts those that hold threads or unreadable records. ``fingerprint`` covers everything that scores
    depend on. ``rejects`` counts unreadable records, for ``reasons``; ``notes`` are those of the readers.
    """

    folder: str = ""
    files: int = 0
    comments: int = 0
    fingerprint: str = ""
    rejects: int = 0
    first_rejects: list[dict[str, Any]] = field(default_factory=list)
    reasons: Messages = field(default_factory=Messages)
    notes: Messages = field(default_factory=Messages)
    _file: str = ""

    def enter(self, source: str) -> str:
        """Count the file of a thread or a reject if it is not the one before; return its name."""
        file = LINE.sub("", whole(source))
        self.files += file != self._file
        self._file = file
        return file


def take_inventory(archive: Archive, rejects: Path, index: GroupIndex) -> Inventory:
    """Read the whole archive once: unreadable records are reported before hours of scoring.

    Writes the file ``rejects`` and adds threads to ``index``. Raises ReadError.
    """
    inventory, digest = Inventory(archive.folder), hashlib.sha256()
    with counting(what="reading") as advance, replacing(rejects) as rejected:

        def on_reject(reject: Reject) -> None:
            row = asdict(reject)
            rejected.write(json_line(row))
            inventory.enter(reject.source)
            inventory.rejects += 1
            inventory.reasons.add(reject.reason)
            if len(inventory.first_rejects) < _REJECTS_IN_SUMMARY:
                inventory.first_rejects.append(row)

        for thread, first in positioned(archive.threads(on_reject)):
            for one in comments_of(thread, first):
                digest.update(json.dumps(astuple(one)).encode())
            index.add_thread(thread.source, thread.title or thread.source, thread.url, thread.notes)
            inventory.comments += len(thread.comments)
            file = inventory.enter(thread.source)
            for note in thread.notes:
                inventory.notes.add(note, file)
            advance(len(thread.comments))
    inventory.fingerprint = digest.hexdigest()
    return inventory


def positioned(threads: Iterable[Thread]) -> Iterator[tuple[Thread, int]]:
    """The threads with the positions of their first comments, which go on where parts of a thread stand apart.

    Of the many threads of a large archive only the first ones are remembered.
    """
    following: dict[int, int] = {}
    for thread in threads:
        key, first = hash((LINE.sub("", thread.source), thread.title, thread.url)), 0
        if thread.title or thread.url:
            first = following.get(key, 0)
            if first or len(following) < _REMEMBERED:
                following[key] = first + len(thread.comments)
        yield thread, first


def comments_of(thread: Thread, first: int = 0) -> Iterator[ArchiveComment]:
    """The comments of a thread, from the position ``first`` on, with the article and the parent as context."""
    texts = {comment.id: comment.text for comment in thread.comments}
    article = article_context(thread.title, thread.text)
    for position, comment in enumerate(thread.comments, first):
        yield ArchiveComment(
            source=thread.source,
            thread=thread.title or thread.source,
            position=position,
            author=comment.author,
            id=comment.id,
            parent=comment.parent,
            time=comment.time.astimezone(UTC).isoformat() if comment.time else None,
            verdict=comment.verdict,
            comment=ScoreInput(
                comment.text,
                article,
                texts.get(comment.parent) if comment.parent else None,
                comment.author,
                comment.author_url,
            ),
            permalink=comment.permalink or thread.url,
            line=comment.line,
        )
