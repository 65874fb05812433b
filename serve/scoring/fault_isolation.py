"""Gives the model its context, and isolates comments that it cannot score."""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from belowline.model import ScoreInput, Scores

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Answer = TypeVar("Answer")
PROBE = ScoreInput("Thank you for this article.")
# Title and beginning tell the subject of an article; a megabyte of it would keep the model busy.
_ARTICLE_CHARS = 4000


class Scoring(Protocol):
    """The part of ``belowline.model.Scorer`` that scoring needs."""

    def score(self, comments: Sequence[ScoreInput]) -> list[Scores]:
        """Returns the scores of each comment, in order."""
        ...


def article_context(title: str | None, text: str | None) -> str | None:
    """Returns the first 4,000 characters of an article's title and text; None if both are empty."""
    parts = ((part or "").strip() for part in (title, text))
    return "\n".join(part for part in parts if part)[:_ARTICLE_CHARS] or None


def is_json_object(text: str) -> bool:
    """Returns True for a JSON object, such as the ids that Coral sends as context: it is data, not an article."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def score_each(scorer: Scoring, comments: Sequence[ScoreInput]) -> list[Scores | None]:
    """Returns scores in order, None for a comment whose scoring failed; see ``each``."""
    return each(scorer.score, comments, "scoring")


def each(
    function: Callable[[Sequence[Item]], Sequence[Answer]], items: Sequence[Item], task: str
) -> list[Answer | None]:
    """Calls ``function`` for all items and returns its answers in order, None for an item that makes it fail.

    If a call fails, it is repeated for both halves of the items, so one bad comment does not affect others. The log
    names ``task`` and the type and place of the error, not its message, which may quote the comment.
    """
    if not items:
        return []
    try:
        answers = function(items)
        if len(answers) != len(items):
            raise RuntimeError("the model returned another number of answers than comments")
        return list(answers)
    except Exception as error:
        if len(items) == 1:
            logger.error("%s failed: %s", task, describe(error))
            return [None]
    middle = len(items) // 2
    return each(function, items[:middle], task) + each(function, items[middle:], task)


def describe(error: BaseException) -> str:
    """Returns type and innermost place of an error without its message, which may contain a comment's text."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if not trace:
        return type(error).__name__
    return f"{type(error).__name__} at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
