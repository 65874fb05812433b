"""Scores one part of an archive, in whichever process an engine runs it."""

from typing import NamedTuple

from belowline.serve.audit.archive import ArchiveComment
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.safe_text import json_line

_PLACE = ("source", "thread", "position", "author", "parent", "time", "verdict", "permalink", "line")


class Job(NamedTuple):
    """The comments of a part file."""

    part: str
    comments: list[ArchiveComment]


class ScoredPart(NamedTuple):
    """A part file: its name, the number of its comments, and its rows, which are those of comments.jsonl."""

    part: str
    comments: int
    rows: bytes


def score_part(pipeline: ModerationPipeline, job: Job) -> ScoredPart:
    """The scored rows of ``job``, without the campaign."""
    results = pipeline([one.id for one in job.comments], [one.comment for one in job.comments])
    rows = (
        {**{name: getattr(one, name) for name in _PLACE}, "text": one.comment.text, **result.model_dump()}
        for one, result in zip(job.comments, results, strict=True)
    )
    return ScoredPart(job.part, len(job.comments), b"".join(map(json_line, rows)))
