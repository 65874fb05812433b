"""An archive as a stream of comments, each with its place and context."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

from belowline.data import Reject, Thread, read_threads
from belowline.model import ScoreInput
from belowline.serve.audit.copies import Copies
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.terminal import counting
from belowline.serve.scoring.fault_isolation import article_context

REJECTS = "rejects.jsonl"
_THREADS = "threads.jsonl"
_REJECTS_TOLD = 20


@dataclass(frozen=True, slots=True)
class ArchiveComment:
    """A comment, where it stands (``position`` counts from 0 in its thread), when it was written (ISO 8601 in UTC), what the site's
    moderators made of it, and what the model is told."""

    source: str
    thread: str
    position: int
    author: str | None
    id: str
    parent: str | None
    time: str | None
    verdict: str | None
    comment: ScoreInput


@dataclass(frozen=True, slots=True)
class Archive:
    """What is to be audited: files and folders, and how to read them (see ``belowline.data.read_threads``).

    ``names`` has what to call a file whose path means nothing to people.
    """

    paths: Sequence[Path]
    format: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[Path, str] = field(default_factory=dict)

    def threads(self, on_reject: Callable[[Reject], None]) -> Iterator[Thread]:
        """Every thread that can be read; raises ReadError for what cannot be asked of the archive."""
        for path in self.paths:
            yield from read_threads(
                path,
                format=self.format,
                columns=self.columns or None,
                on_reject=on_reject,
                name=self.names.get(path),
            )

    def comments(self) -> Iterator[ArchiveComment]:
        """Every comment that can be read, in the readers' order."""
        for thread in self.threads(lambda _: None):
            yield from comments_of(thread)


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an archive holds, known before anything is scored. Threads and rejects lie in files of ``folder``.

    The fingerprint covers everything that scores depend on; ``repeated`` has how many comments share a text that is read once, and how
    many texts these are.
    """

    folder: Path
    comments: int
    fingerprint: str
    rejects: Mapping[str, Any]
    repeated: Mapping[str, int]

    @property
    def threads(self) -> Iterator[dict[str, Any]]:
        """The threads, with their notes."""
        with (self.folder / _THREADS).open("rb") as lines:
            for line in lines:
                yield json.loads(line)


def take_inventory(archive: Archive, folder: Path, copies: Copies) -> Inventory:
    """Reads the whole archive once, so that what cannot be read shows before hours of scoring.

    Writes threads and rejects into ``folder`` and fills ``copies``; raises ReadError.
    """
    digest, comments = hashlib.sha256(), 0
    with (
        counting(what="reading") as advance,
        replacing(folder / _THREADS) as threads,
        replacing(folder / REJECTS) as rejected,
    ):
        rejects = _Rejects(rejected.write)
        for thread in archive.threads(rejects):
            for one in comments_of(thread):
                digest.update(json.dumps(_identity(one)).encode())
                copies.add(one.comment.text)
            threads.write(json.dumps(_described(thread)).encode() + b"\n")
            comments += len(thread.comments)
            advance(len(thread.comments))
    copies.seal()
    return Inventory(folder, comments, digest.hexdigest(), rejects.told(), copies.counts())


def comments_of(thread: Thread) -> Iterator[ArchiveComment]:
    """The comments of a thread with what the model is told of each."""
    texts = {comment.id: comment.text for comment in thread.comments}
    article = article_context(thread.title, thread.text)
    for position, comment in enumerate(thread.comments):
        parent = texts.get(comment.parent) if comment.parent else None
        yield ArchiveComment(
            source=thread.source,
            thread=thread.title or thread.source,
            position=position,
            author=comment.author,
            id=comment.id,
            parent=comment.parent,
            time=comment.time.astimezone(UTC).isoformat() if comment.time else None,
            verdict=comment.verdict,
            comment=ScoreInput(comment.text, article, parent),
        )


def _identity(one: ArchiveComment) -> tuple[object, ...]:
    place = (one.source, one.thread, one.position, one.author, one.id, one.parent, one.time, one.verdict)
    return (*place, one.comment.text, one.comment.article, one.comment.parent)


class _Rejects:
    """Writes what could not be read as it comes, and keeps the first for the summary."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._count, self._first = 0, list[dict[str, Any]]()

    def __call__(self, reject: Reject) -> None:
        row = asdict(reject)
        self._write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        self._count += 1
        if len(self._first) < _REJECTS_TOLD:
            self._first.append(row)

    def told(self) -> dict[str, Any]:
        return {"rejects": self._count, "first": self._first}


def _described(thread: Thread) -> dict[str, Any]:
    return {
        "source": thread.source,
        "thread": thread.title or thread.source,
        "url": thread.url,
        "comments": len(thread.comments),
        "notes": list(thread.notes),
    }
