"""Scores one part of an archive, in whichever process an engine runs it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from belowline.serve.audit.archive import ArchiveComment
from belowline.serve.audit.repeated_texts import pack, unpack
from belowline.serve.scoring.fault_isolation import each
from belowline.serve.scoring.pipeline import ModerationPipeline

_PLACE = ("source", "thread", "position", "author", "parent", "time", "verdict")


@dataclass(frozen=True, slots=True)
class Job:
    """The comments of a part file; ``repeated`` maps their repeated texts to packed readings, None before the first."""

    part: str
    comments: list[ArchiveComment]
    repeated: Mapping[str, str | None] = field(default_factory=dict)


class ScoredPart(NamedTuple):
    """The rows of a part file, and new packed readings of repeated texts."""

    rows: bytes
    readings: Mapping[str, str]


def score_part(pipeline: ModerationPipeline, job: Job) -> ScoredPart:
    """The scored rows of ``job``: rows of comments.jsonl without the campaign."""
    readings = {text: unpack(packed) for text, packed in job.repeated.items() if packed}
    unread = [text for text, packed in job.repeated.items() if packed is None]
    # A text that fails here fails again below, where its comment is held.
    read = zip(unread, each(pipeline.scorer.read, unread, "reading"), strict=True)
    fresh = {text: reading for text, reading in read if reading is not None}
    readings |= fresh
    comments = [one.comment for one in job.comments]
    scores = each(lambda some: pipeline.scorer.score(some, readings), comments, "scoring")
    results = pipeline.results([one.id for one in job.comments], comments, scores)
    rows = (
        {**{name: getattr(one, name) for name in _PLACE}, "text": one.comment.text, **result.model_dump()}
        for one, result in zip(job.comments, results, strict=True)
    )
    lines = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
    return ScoredPart(lines, {text: pack(reading) for text, reading in fresh.items()})
