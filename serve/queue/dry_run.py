"""What another policy would have decided on recent comments, by the scores that are kept of them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from belowline.model import Context, Policy, Scores, decide
from belowline.serve.queue.comments import Comment, load
from belowline.serve.store.database import within
from belowline.serve.store.tables import comments

_AT_ONCE = 500
_EXAMPLES = 10


@dataclass(slots=True)
class DryRun:
    """How many of ``compared`` comments each policy treats how, and which change: pairs of an action before and after."""

    compared: int = 0
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: list[tuple[int, str, str, str]] = field(default_factory=list)
    """Comment, action before, action after, rule after."""


def dry_run(tx: Connection, present: Policy, proposed: Policy, sites: Sequence[str], limit: int) -> DryRun:
    """Both policies on the newest ``limit`` comments of ``sites`` (none: all) that are not erased and could be scored."""
    query = select(comments.c.id).where(comments.c.erased.is_(None)).order_by(comments.c.id.desc())
    ids = tx.execute(within(query, comments.c.site, sites).limit(limit)).scalars().all()
    found = DryRun()
    for start in range(0, len(ids), _AT_ONCE):
        for comment in load(tx, ids[start : start + _AT_ONCE]):
            _compare(comment, present, proposed, found)
    return found


def _compare(comment: Comment, present: Policy, proposed: Policy, found: DryRun) -> None:
    if not comment.probabilities or comment.text is None:
        return
    scores = Scores(dict(comment.probabilities), (), comment.language, comment.model or "", comment.relevance)
    context = context_of(comment, comment.text)
    before, after = decide(scores, present, context), decide(scores, proposed, context)
    found.compared += 1
    found.before[before.action] += 1
    found.after[after.action] += 1
    if before.action != after.action:
        found.changes[before.action, after.action] += 1
        if len(found.examples) < _EXAMPLES:
            found.examples.append((comment.id, before.action, after.action, after.rule))


def context_of(comment: Comment, text: str) -> Context:
    """Returns the policy's context of a stored comment; the author's published comments do not count this one."""
    author = comment.author
    return Context(
        text=text,
        site=comment.site,
        author=author.caller_id if author else None,
        role=author.role if author else None,
        published=max(0, author.published - (comment.action == "publish")) if author else None,
        copies=comment.copies,
    )
