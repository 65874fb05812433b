"""Small jobs for the engines of an audit."""

import time
from collections.abc import Iterator

from belowline.model import ScoreInput
from belowline.serve.audit.archive import ArchiveComment
from belowline.serve.audit.engines import (
    Job,
)
from belowline.serve.scoring.pipeline import ModerationPipeline


def jobs(count: int, comments: int = 7) -> Iterator[Job]:
    for number in range(count):
        yield Job(f"{number:06}.jsonl", [comment(f"{number} and {n} words") for n in range(comments)])


def comment(text: str) -> ArchiveComment:
    return ArchiveComment("s", "t", 0, None, text, None, None, None, ScoreInput(text, "an article"))


def sleep(pipeline: ModerationPipeline, job: Job) -> bytes:
    time.sleep(60)
    return b""
