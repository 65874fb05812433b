"""What every door does around the model: give it context, and survive a comment that it cannot score."""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from belowline.model import ScoreInput, Scores

logger = logging.getLogger(__name__)
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
PROBE = ScoreInput("Thank you for this article.")
_ARTICLE_CHARS = 4000
"""Title and beginning of an article say what it is about; a megabyte of it would keep the model from comments."""


class Scoring(Protocol):
    """The part of ``belowline.model.Scorer`` that scoring needs."""

    def score(self, comments: Sequence[ScoreInput]) -> list[Scores]:
        """One Scores for each comment, in order."""
        ...


def article_context(title: str | None, text: str | None) -> str | None:
    """What the model is told of an article: its title and text, together 4,000 characters of them; None where there is neither."""
    parts = ((part or "").strip() for part in (title, text))
    return "\n".join(part for part in parts if part)[:_ARTICLE_CHARS] or None


def is_json_object(text: str) -> bool:
    """True for a JSON object, such as the ids that Coral sends as a comment's context: it is data, not an article."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def score_each(scorer: Scoring, comments: Sequence[ScoreInput]) -> list[Scores | None]:
    """Scores in order, None for a comment whose scoring failed; see ``each``."""
    return each(scorer.score, comments, "scoring")


def each(
    ask: Callable[[Sequence[Asked]], Sequence[Answer]], asked: Sequence[Asked], what: str
) -> list[Answer | None]:
    """What ``ask`` answers to each of ``asked``, in order, None where it failed: one bad comment takes no others down.

    A failure is logged by its type and place alone, as that of ``what``, because its message may quote the comment.
    """
    if not asked:
        return []
    try:
        answers = ask(asked)
        if len(answers) != len(asked):
            raise RuntimeError("the model answered another number of comments than it was asked")
        return list(answers)
    except Exception as error:
        if len(asked) == 1:
            logger.error("%s failed: %s", what, describe(error))
            return [None]
    middle = len(asked) // 2
    return each(ask, asked[:middle], what) + each(ask, asked[middle:], what)


def describe(error: BaseException) -> str:
    """Type and innermost place of an error, without its message, which may hold a comment's text."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if not trace:
        return type(error).__name__
    return f"{type(error).__name__} at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
