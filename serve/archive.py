"""An archive as a stream of comments, each with its place and context."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from datetime import UTC
from pathlib import Path
from typing import Any

from belowline.data import Thread, read_threads
from belowline.model import ScoreInput
from belowline.serve.scoring import article_context


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


@dataclass(slots=True)
class Inventory:
    """What an archive holds, known before anything is scored."""

    threads: list[dict[str, Any]] = field(default_factory=list)
    comments: int = 0
    fingerprint: str = ""


def archive_comments(paths: Sequence[Path], format: str | None) -> Iterator[ArchiveComment]:
    """Every comment of every thread, in the readers' order; raises ReadError."""
    for thread in _threads(paths, format):
        yield from _comments_of(thread)


def take_inventory(paths: Sequence[Path], format: str | None) -> Inventory:
    """Reads the whole archive once, so that a file that cannot be read shows before hours of scoring.

    The fingerprint covers everything that scores depend on; raises ReadError.
    """
    inventory, digest = Inventory(), hashlib.sha256()
    for thread in _threads(paths, format):
        for comment in _comments_of(thread):
            digest.update(json.dumps(astuple(comment)).encode())
        inventory.threads.append(
            {
                "source": thread.source,
                "thread": thread.title or thread.source,
                "url": thread.url,
                "comments": len(thread.comments),
                "notes": list(thread.notes),
            }
        )
        inventory.comments += len(thread.comments)
    inventory.fingerprint = digest.hexdigest()
    return inventory


def _threads(paths: Sequence[Path], format: str | None) -> Iterator[Thread]:
    for path in paths:
        yield from read_threads(path, format=format)


def _comments_of(thread: Thread) -> Iterator[ArchiveComment]:
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
