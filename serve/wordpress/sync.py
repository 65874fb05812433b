"""Rounds of a bridge: comments on hold in WordPress are scored here, and either side gets the other's decisions.

For every linked comment the store knows its last status in WordPress. A round compares that status, the present
status in WordPress, and the action here (of the policy or of a moderator).

- WordPress is unchanged, the action here differs: WordPress is changed. A rejection for spam is marked as spam there,
  any other goes to the trash.
- WordPress changed: a moderator decided there. It becomes a decision here, by ``wordpress:USER``; spam and trash tell
  the reason.
- Both changed, to different actions: WordPress counts, because readers see it. The newest decision wins from round to
  round; within one round WordPress does not tell the time of a change.

A decision is stored here first and sent to WordPress afterwards, so the next round completes an interrupted one.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row

from belowline.model import ScoreInput, Scores
from belowline.serve.active.active import Active
from belowline.serve.batch.read import in_chunks
from belowline.serve.queue import moderator_decisions
from belowline.serve.queue.comments import last_decision
from belowline.serve.queue.intake import Author, IncomingComment, Thread, ingest
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.scoring.fault_isolation import article_context, score_each
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database, now, one_at_a_time
from belowline.serve.store.pseudonyms import alias
from belowline.serve.wordpress import links as bridges
from belowline.serve.wordpress.client import PAGE, Refused, Status, WordPress
from belowline.serve.wordpress.remote_comment import RemoteComment

logger = logging.getLogger(__name__)
WATCHED = timedelta(days=30)
"""Time for which a decided comment is compared with WordPress."""
Outcome = Literal["approve", "spam", "trash", "hold", "wait", "learn", "leave", "later", "fail"]
_OUTCOMES: Mapping[str, Outcome] = {"publish": "approve", "hold": "hold"}
_STATUSES: Mapping[Outcome, Status] = {
    "approve": "approved",
    "hold": "hold",
    "spam": "spam",
    "trash": "trash",
}
_DECISIONS: Mapping[str, ModeratorDecision] = {
    "approved": ModeratorDecision("publish", via="wordpress", elsewhere=True),
    "hold": ModeratorDecision("hold", via="wordpress", elsewhere=True),
    "spam": ModeratorDecision("reject", ("spam",), "spam", via="wordpress", elsewhere=True),
    "trash": ModeratorDecision("reject", (), "other", via="wordpress", elsewhere=True),
}
"""The decision of a moderator who set a status in WordPress."""


@dataclass(frozen=True, slots=True)
class Step:
    """The result of a round for one comment, or in a dry run the result that it would have.

    Outcomes that change nothing in WordPress: ``wait`` (stays on hold), ``learn`` (WordPress's decision was taken
    over), ``leave`` (WordPress would alter the text), ``later`` (changed in WordPress during the round), ``fail``
    (WordPress refused the change).
    """

    comment: int
    remote: int
    outcome: Outcome
    action: str
    seen: str
    code: str
    rule: str


class Bridge:
    """Rounds between one WordPress and the store; without ``apply`` nothing changes on either side."""

    def __init__(self, remote: WordPress, active: Active, database: Database, *, apply: bool = False) -> None:
        self._remote = remote
        self._active = active
        self._database = database
        self._apply = apply
        self._site = remote.name
        self._who = Actor(f"wordpress:{remote.user}"[:120])

    def round(self) -> Iterator[Step]:
        """Compares linked comments, then ingests those on hold in WordPress."""
        with self._database.read() as tx:
            due = bridges.due(tx, self._site, now() - WATCHED)
        for links in in_chunks(due, PAGE):
            yield from self._compare(links)
        for ids in in_chunks(self._remote.held(), PAGE):
            yield from self._ingest_new(ids)

    def _compare(self, links: Sequence[Row[Any]]) -> Iterator[Step]:
        statuses = self._remote.statuses([int(link.caller_id) for link in links])
        with self._transaction() as tx:
            merged = [self._merge(tx, link, statuses.get(int(link.caller_id))) for link in links]
        yield from self._send([step for step in merged if step is not None])

    def _ingest_new(self, ids: Sequence[int]) -> Iterator[Step]:
        with self._database.read() as tx:
            known = bridges.known(tx, self._site, [str(remote_id) for remote_id in ids])
        new = [remote_id for remote_id in ids if str(remote_id) not in known]
        if not new:
            return
        comments = self._remote.comments(new)
        scores = score_each(self._active.pipeline.scorer, [_to_score(comment) for comment in comments])
        with self._transaction() as tx:
            steps = [self._ingest(tx, *pair) for pair in zip(comments, scores, strict=True)]
        yield from self._send(steps)

    def _ingest(self, tx: Connection, comment: RemoteComment, scores: Scores | None) -> Step:
        """Ingests a comment that is on hold in WordPress."""
        title, lead, address = comment.article
        thread = Thread(str(comment.post), title or None, address, lead or None)
        incoming = IncomingComment(
            caller_id=str(comment.id),
            text=comment.text,
            scores=scores,
            author=_author(tx, comment),
            parent=str(comment.parent) if comment.parent else None,
            parent_text=comment.parent_text,
            written=comment.written,
            author_url=comment.author_url or None,
        )
        [kept] = ingest(tx, self._active.within(tx).pipeline, self._site, thread, [incoming])
        bridges.remember(tx, kept.comment, "hold")
        link = bridges.read(tx, kept.comment)
        return self._merge(tx, link, "hold") or _step(tx, link, "wait", "hold")

    def _merge(self, tx: Connection, before: Row[Any], status: str | None) -> Step | None:
        """The step for a comment with this status in WordPress, if any; records a decision made there."""
        link, theirs = bridges.read(tx, before.id), _DECISIONS.get(status or "")
        # Deleted, with an unknown status, or already handled by another round.
        if status is None or theirs is None or link.theirs != before.theirs:
            return None
        if theirs.action == link.action:
            if theirs.action != link.theirs:
                bridges.remember(tx, link.id, theirs.action)
            return None
        if theirs.action == link.theirs:
            return _step(tx, link, _OUTCOMES.get(link.action, "trash"), status)
        if link.erased is not None:
            return None
        moderator_decisions.record_decision(tx, self._who, link.id, theirs, self._active.within(tx).policy)
        bridges.remember(tx, link.id, theirs.action)
        return _step(tx, bridges.read(tx, link.id), "learn", status)

    def _send(self, steps: Sequence[Step]) -> Iterator[Step]:
        changes = [step.remote for step in steps if step.outcome not in ("wait", "learn")]
        left = self._remote.altered_by_change(changes)
        for step in steps:
            if step.remote in left:
                yield replace(step, outcome="leave")
            elif self._apply and step.remote in changes:
                yield replace(step, outcome=self._change(step))
            else:
                yield step

    def _change(self, step: Step) -> Outcome:
        """Changes the status in WordPress and stores it."""
        try:
            unchanged = self._remote.change(step.remote, step.seen, _STATUSES[step.outcome])
        except Refused as error:
            logger.warning("comment %d: %s", step.remote, error)
            return "fail"
        if unchanged:
            return unchanged
        with self._database.write() as tx:
            bridges.remember(tx, step.comment, step.action)
        return step.outcome

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """A transaction that a dry run rolls back."""
        with self._database.write() as tx:
            one_at_a_time(tx, f"bridge of {self._site}")
            yield tx
            if not self._apply:
                tx.rollback()


def _step(tx: Connection, link: Row[Any], outcome: Outcome, seen: str) -> Step:
    decision = last_decision(tx, link.id)
    code, rule = (decision.code, decision.rule) if decision is not None else ("none", "")
    if (
        outcome == "trash" and code == "spam"
    ):  # WordPress and its spam filters learn from what is marked as spam
        outcome = "spam"
    return Step(link.id, int(link.caller_id), outcome, link.action, seen, code, rule)


def _to_score(comment: RemoteComment) -> ScoreInput:
    title, lead, _ = comment.article
    return ScoreInput(
        comment.text,
        article_context(title, lead),
        comment.parent_text,
        comment.author_name,
        comment.author_url,
    )


def _author(tx: Connection, comment: RemoteComment) -> Author | None:
    """The comment's author under a pseudonym, None if unknown."""
    who = f"user {comment.author}" if comment.author else comment.author_email.strip().lower()
    name = comment.author_name[:200] or None
    return Author(alias(tx, f"wordpress {who}"), name) if who else None
