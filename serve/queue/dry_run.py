"""Dry run: compare two policies on recent comments by their stored scores."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlalchemy import Connection

from belowline.model import Context, Policy, PolicyDecision, Scores, decide
from belowline.serve.queue.comments import CommentOut, load, newest

_AT_ONCE = 500
_EXAMPLES = 10
_ORDER = ("publish", "hold", "reject")
Direction = Literal["stricter", "milder", "moved"]


@dataclass(frozen=True, slots=True)
class Change:
    """A comment that both policies decide differently."""

    comment: int
    before: PolicyDecision
    after: PolicyDecision

    @property
    def direction(self) -> Direction:
        """``stricter``, ``milder``, or ``moved`` for the same action with another reason."""
        gap = _ORDER.index(self.after.action) - _ORDER.index(self.before.action)
        return "moved" if gap == 0 else "stricter" if gap > 0 else "milder"


@dataclass(slots=True)
class DryRun:
    """Counts of actions under both policies over ``compared`` comments, and of changed actions as (before, after).

    ``moved`` counts comments with the same action and another reason, by action and new reason code. ``examples`` has
    the newest comments of each direction.
    """

    compared: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    directions: Counter[str] = field(default_factory=Counter)
    examples: list[Change] = field(default_factory=list)


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
    elif after.code != before.code:
        run.moved[after.action, after.code] += 1
    else:
        return
    change = Change(comment.id, before, after)
    run.directions[change.direction] += 1
    if run.directions[change.direction] <= _EXAMPLES:
        run.examples.append(change)


def context_of(comment: CommentOut, text: str) -> Context:
    """Return the policy's input for a stored comment; the author's published comments do not include it."""
    context = Context(text=text, site=comment.site, copies=comment.copies)
    if (author := comment.author) is None:
        return context
    published = max(0, author.published - (comment.action == "publish"))
    until = author.until.date().isoformat() if author.until else None
    context = replace(context, author=author.caller_id, role=author.role, published=published)
    return replace(context, standing=author.standing, until=until)
