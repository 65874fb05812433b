"""Scoring a text of any length within a time: in pieces, between which other comments get their turns."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from belowline.model import Evidence, ScoreInput, Scores
from belowline.serve.http.errors import Problem
from belowline.serve.http.service import Service

_PIECE = 4096
"""Characters of a piece: a tenth of a second of one core, so that nobody waits long behind it."""
_OVERLAP = 256
_AT_ONCE = 4
"""Pieces of one text that wait for the model at a time: a long text must not fill the queue."""
_MOST_EVIDENCE = 200
"""Spans that are kept of a long text, the strongest first."""


async def score_within(service: Service, comment: ScoreInput, seconds: float) -> Scores | str:
    """The scores of a comment, or why it has none: no room in the queue, a model that fails, or no time.

    A text up to ``max_comment_chars`` is scored at once, as everywhere; a longer one in pieces, whose scores are joined.
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
    found: list[tuple[int, Scores]] = []
    for first in range(0, len(starts), _AT_ONCE):
        some = starts[first : first + _AT_ONCE]
        pieces = [ScoreInput(comment.text[at : at + _PIECE], comment.article, comment.parent) for at in some]
        for at, scores in zip(some, await service.scores(pieces), strict=True):
            if scores is None:
                return None
            found.append((at, scores))
    return joined(found, service.pipeline.scorer.config.window.aggregate)


def joined(pieces: Sequence[tuple[int, Scores]], aggregate: Mapping[str, str]) -> Scores:
    """The scores of a text from those of its pieces, each with the place where it begins.

    Of each label the highest probability, or the mean where ``aggregate`` says so, as within a piece; relevance by the piece that is
    closest; the language of most pieces.
    """
    every = [scores for _, scores in pieces]
    first = every[0]
    languages = [scores.language for scores in every]
    relevances = [scores.relevance for scores in every if scores.relevance is not None]
    evidence = dict.fromkeys(chain.from_iterable(_shifted(scores, at) for at, scores in pieces))
    return Scores(
        {label: _over(label, every, aggregate) for label in first.probabilities},
        tuple(sorted(evidence, key=lambda span: -span.strength)[:_MOST_EVIDENCE]),
        max(dict.fromkeys(languages), key=languages.count),
        first.model,
        max(relevances, default=None),
    )


def _over(label: str, every: Sequence[Scores], aggregate: Mapping[str, str]) -> float:
    values = [scores.probabilities[label] for scores in every]
    return sum(values) / len(values) if aggregate.get(label) == "mean" else max(values)


def _shifted(scores: Scores, by: int) -> Iterator[Evidence]:
    return (Evidence(span.label, span.start + by, span.end + by, span.strength) for span in scores.evidence)
