"""Rounds of a bridge: what waits in WordPress is judged here, and either side learns what the other decided.

For every comment that is carried the store knows what WordPress last made of it. A round compares three: that, what WordPress makes of it
now, and what stands here (the policy's decision, or a moderator's).

- WordPress as known, here something else: WordPress is changed. So the policy's decision gets there, and that of a moderator here.
- WordPress other than known: somebody decided there. It becomes a decision here, by ``wordpress:USER``; only spam and trash tell apart why.
- Both other than known, and not alike: the change in WordPress counts, as the one that readers see. The newest wins from round to round;
  within one round WordPress does not tell when it was changed.

A comment whose text WordPress would alter with its status is never changed there. The decision here stays, and every round says so until
somebody decides the comment in wp-admin.

What is decided is kept here first and told to WordPress afterwards, so that a round that was cut off is made good by the next. Compared are
the comments that wait, those that differ, and those that changed within the last 30 days. Comments that were deleted in WordPress are left
as they are.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
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
from belowline.serve.wordpress.client import PAGE, Refused, Status, WordPress, WouldAlter
from belowline.serve.wordpress.remote_comment import RemoteComment

logger = logging.getLogger(__name__)
WATCHED = timedelta(days=30)
"""How long a decided comment is looked after for a change of mind in WordPress."""
Outcome = Literal["approve", "spam", "hold", "wait", "learn", "leave", "later", "fail"]
_STATUSES: Mapping[str, Status] = {"publish": "approved", "hold": "hold", "reject": "spam"}
_OUTCOMES: Mapping[str, Outcome] = {"publish": "approve", "hold": "hold", "reject": "spam"}
_RULINGS: Mapping[str, ModeratorDecision] = {
    "approved": ModeratorDecision("publish", via="wordpress", elsewhere=True),
    "hold": ModeratorDecision("hold", via="wordpress", elsewhere=True),
    "spam": ModeratorDecision("reject", ("spam",), "spam", via="wordpress", elsewhere=True),
    "trash": ModeratorDecision("reject", (), "other", via="wordpress", elsewhere=True),
}
"""What somebody decided who set a status in WordPress."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a round does with a comment, or would do.

    ``wait`` leaves it on hold, ``learn`` takes WordPress's decision over, ``leave`` leaves as it is what WordPress would alter the text of,
    ``later`` leaves to the next round what somebody changed during this one, and ``fail`` is for what WordPress does not take.
    """

    comment: int
    remote: int
    outcome: Outcome
    action: str
    seen: str
    code: str
    rule: str


class Bridge:
    """Rounds between one WordPress and the store; unless ``apply``, nothing changes on either side."""

    def __init__(
        self,
        remote: WordPress,
        active: Active,
        database: Database,
        *,
        apply: bool = False,
        before_round: Callable[[], None] = lambda: None,
    ) -> None:
        self._remote = remote
        self._active = active
        self._database = database
        self._apply = apply
        self._before_round = before_round
        self._site = remote.name
        self._who = Actor(f"wordpress:{remote.user}"[:120])

    def round(self, since: date | None = None) -> Iterator[Step]:
        """Compares what is carried, then takes in what waits in WordPress (with ``since``: and was written then or later)."""
        self._before_round()
        with self._database.read() as tx:
            due = bridges.due(tx, self._site, now() - WATCHED)
        for links in in_chunks(due, PAGE):
            yield from self._compare(links)
        for ids in in_chunks(self._remote.held(since), PAGE):
            yield from self._take_in(ids)

    def _compare(self, links: Sequence[Row[Any]]) -> Iterator[Step]:
        statuses = self._remote.statuses([int(link.caller_id) for link in links])
        with self._transaction() as tx:
            merged = [self._merge(tx, link, statuses.get(int(link.caller_id))) for link in links]
        yield from self._carry([step for step in merged if step is not None])

    def _take_in(self, ids: Sequence[int]) -> Iterator[Step]:
        with self._database.read() as tx:
            known = bridges.known(tx, self._site, [str(one) for one in ids])
        new = [one for one in ids if str(one) not in known]
        if not new:
            return
        found = self._remote.comments(new)
        scores = score_each(self._active.pipeline.scorer, [_to_score(comment) for comment in found])
        with self._transaction() as tx:
            steps = [self._keep(tx, comment, scored) for comment, scored in zip(found, scores, strict=True)]
        yield from self._carry(steps)

    def _keep(self, tx: Connection, comment: RemoteComment, scores: Scores | None) -> Step:
        """Takes a comment in, which is on hold in WordPress; what is to be done with it there."""
        title, lead, address = comment.article
        thread = Thread(str(comment.post), title or None, address, lead or None)
        incoming = IncomingComment(
            caller_id=str(comment.id),
            text=comment.text,
            scores=scores,
            author=_author(tx, comment),
            parent=str(comment.parent) if comment.parent else None,
            parent_text=comment.answered,
            written=comment.written,
        )
        [kept] = ingest(tx, self._active.within(tx).pipeline, self._site, thread, [incoming])
        bridges.remember(tx, kept.comment, "hold")
        link = bridges.read(tx, kept.comment)
        return self._merge(tx, link, "hold") or _step(tx, link, "wait", "hold")

    def _merge(self, tx: Connection, before: Row[Any], status: str | None) -> Step | None:
        """What is to be done about a comment with this status in WordPress; what WordPress decided is taken over at once."""
        link, ruling = bridges.read(tx, before.id), _RULINGS.get(status or "")
        if (
            status is None or ruling is None or link.theirs != before.theirs
        ):  # gone, or another round is at it
            return None
        if ruling.action == link.action:
            if ruling.action != link.theirs:
                bridges.remember(tx, link.id, ruling.action)
            return None
        if ruling.action == link.theirs:
            return _step(tx, link, _OUTCOMES[link.action], status)
        if link.erased is not None:
            return None
        moderator_decisions.record_decision(tx, self._who, link.id, ruling, self._active.within(tx).policy)
        bridges.remember(tx, link.id, ruling.action)
        return _step(tx, bridges.read(tx, link.id), "learn", status)

    def _carry(self, steps: Sequence[Step]) -> Iterator[Step]:
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
        """Tells WordPress, and keeps that it took it."""
        try:
            changed = self._remote.change(step.remote, step.seen, _STATUSES[step.action])
        except WouldAlter:
            return "leave"
        except Refused as error:
            logger.warning("comment %d: %s", step.remote, error)
            return "fail"
        if not changed:
            return "later"
        with self._database.write() as tx:
            bridges.remember(tx, step.comment, step.action)
        return step.outcome

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        """Keeps what is done in it, or in a dry run nothing."""
        with self._database.write() as tx:
            one_at_a_time(tx, f"bridge of {self._site}")
            yield tx
            if not self._apply:
                tx.rollback()


def _step(tx: Connection, link: Row[Any], outcome: Outcome, seen: str) -> Step:
    decision = last_decision(tx, link.id)
    code, rule = (decision.code, decision.rule) if decision is not None else ("none", "")
    return Step(link.id, int(link.caller_id), outcome, link.action, seen, code, rule)


def _to_score(comment: RemoteComment) -> ScoreInput:
    title, lead, _ = comment.article
    return ScoreInput(comment.text, article=article_context(title, lead), parent=comment.answered)


def _author(tx: Connection, comment: RemoteComment) -> Author | None:
    """Who wrote a comment: the same person under a number that does not tell who, or nobody known."""
    who = f"user {comment.author}" if comment.author else comment.author_email.strip().lower()
    name = comment.author_name[:200] or None
    return Author(alias(tx, f"wordpress {who}"), name) if who else None
