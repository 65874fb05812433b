"""Scores a text of any length within a time limit: in pieces, between which other comments get their turns."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from belowline.model import Evidence, ScoreInput, Scores
from belowline.serve.http.errors import Problem
from belowline.serve.http.service import Service

_PIECE = 4096
"""Characters of a piece: a tenth of a second on one core, so that others do not wait long."""
_OVERLAP = 256
_CONCURRENT = 4
"""Pieces of one text in the queue at a time, so that a long text does not fill it."""
_MOST_EVIDENCE = 200
"""Spans of a long text that are returned, the strongest first."""


async def score_within(service: Service, comment: ScoreInput, seconds: float) -> Scores | str:
    """Returns the scores of a comment, or the reason why it has none: a full queue, a failing model, or no time.

    A text of up to ``max_comment_chars`` is scored whole; a longer one in pieces, whose scores are joined.
    """
    if service.score_queue.full:
        return "not scored: too many comments were waiting"
    try:
        async with asyncio.timeout(seconds):
            scores = await _scores(service, comment)
    except TimeoutError:
        return f"not scored: {len(comment.text):,} characters took longer than {seconds:g} seconds"
    except Problem as problem:
        return f"not scored: {problem.kind.replace('-', ' ')}"
    return scores or "scoring failed"


async def _scores(service: Service, comment: ScoreInput) -> Scores | None:
    if len(comment.text) <= service.settings.max_comment_chars:
        [scores] = await service.scores([comment])
        return scores
    starts = range(0, max(len(comment.text) - _OVERLAP, 1), _PIECE - _OVERLAP)
    pieces: list[tuple[int, Scores]] = []
    for first in range(0, len(starts), _CONCURRENT):
        batch = starts[first : first + _CONCURRENT]
        inputs = [replace(comment, text=comment.text[at : at + _PIECE]) for at in batch]
        for at, scores in zip(batch, await service.scores(inputs), strict=True):
            if scores is None:
                return None
            pieces.append((at, scores))
    return _joined(pieces)


def _joined(pieces: Sequence[tuple[int, Scores]]) -> Scores:
    """Joins the scores of a text's pieces, each with the offset where the piece starts.

    Labels and relevance get their highest probability, and the language is that of most pieces.
    """
    every = [scores for _, scores in pieces]
    languages = [scores.language for scores in every]
    relevances = [scores.relevance for scores in every if scores.relevance is not None]
    # Overlapping pieces find the same span twice.
    evidence = dict.fromkeys(
        Evidence(span.label, span.start + at, span.end + at, span.strength)
        for at, scores in pieces
        for span in scores.evidence
    )
    return Scores(
        {label: max(scores.probabilities[label] for scores in every) for label in every[0].probabilities},
        tuple(sorted(evidence, key=lambda span: -span.strength)[:_MOST_EVIDENCE]),
        max(dict.fromkeys(languages), key=languages.count),
        every[0].model,
        max(relevances, default=None),
    )
