"""Dry run: compare two policies on recent comments by their stored scores."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from belowline.model import Context, Policy, Scores, decide
from belowline.serve.queue.comments import CommentOut, load, newest

_AT_ONCE = 500
_EXAMPLES = 10


@dataclass(slots=True)
class DryRun:
    """Counts of actions under both policies over ``compared`` comments, and of changed actions as (before, after)."""

    compared: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[tuple[int, str, str, str]] = field(default_factory=list)
    """Comment, action before, action after, rule after."""


def dry_run(tx: Connection, present: Policy, proposed: Policy, sites: Sequence[str], limit: int) -> DryRun:
    """Apply both policies to the newest ``limit`` comments of ``sites`` (none: all) that are scored and not erased."""
    ids = newest(tx, limit, sites)
    run = DryRun()
    for start in range(0, len(ids), _AT_ONCE):
        for comment in load(tx, ids[start : start + _AT_ONCE]):
            if comment.probabilities and comment.text is not None:
                _compare(comment, comment.text, present, proposed, run)
    return run


def _compare(comment: CommentOut, text: str, present: Policy, proposed: Policy, run: DryRun) -> None:
    scores = Scores(dict(comment.probabilities), (), comment.language, comment.model or "", comment.relevance)
    context = context_of(comment, text)
    before, after = decide(scores, present, context), decide(scores, proposed, context)
    run.compared += 1
    run.before[before.action] += 1
    run.after[after.action] += 1
    if before.action != after.action:
        run.changes[before.action, after.action] += 1
        if len(run.examples) < _EXAMPLES:
            run.examples.append((comment.id, before.action, after.action, after.rule))


def context_of(comment: CommentOut, text: str) -> Context:
    """Return the policy's input for a stored comment; the author's published comments do not include it."""
    context = Context(text=text, site=comment.site, copies=comment.copies)
    if (author := comment.author) is None:
        return context
    published = max(0, author.published - (comment.action == "publish"))
    until = author.until.date().isoformat() if author.until else None
    context = replace(context, author=author.caller_id, role=author.role, published=published)
    return replace(context, standing=author.standing, until=until)
