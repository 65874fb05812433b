"""What moderators decide: one comment, many at once, and a change of mind. A decision is a row that is only ever added."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, and_, insert, select, update

from belowline.model import Policy
from belowline.serve.queue import items, reviews
from belowline.serve.queue.comments import last_decision, last_scores, locked
from belowline.serve.store.database import now, within
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import LIVE, SYSTEM, appeals, comments, decisions
from belowline.serve.store.tables import items as queue
from belowline.serve.webhooks import outbox

Action = Literal["publish", "hold", "reject"]
CodeChoice = Literal["person", "default"]
MOST_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Moderator:
    """Who decides: a name that stays the same, and the sites that they may see, none for all."""

    name: str
    sites: tuple[str, ...] = ()
    may_answer_appeals: bool = True

    def sees(self, site: str) -> bool:
        """Whether comments of ``site`` are theirs to see."""
        return not self.sites or site in self.sites


@dataclass(frozen=True, slots=True)
class ModeratorDecision:
    """A decision to be made. ``revision`` and ``after`` say what its maker had seen, so that nothing newer is overruled unseen.

    ``code_choice`` says whether a person chose ``code`` or left the preselected one; None where nobody could choose.
    ``elsewhere`` says that the site has decided already: that stands whoever holds the comment here.
    """

    action: Action
    labels: tuple[str, ...] = ()
    code: str = "none"
    code_choice: CodeChoice | None = None
    note: str | None = None
    blind: bool = False
    revision: int | None = None
    after: int | None = None
    via: str = "api"
    undoes: int | None = None
    elsewhere: bool = False


@dataclass(slots=True)
class Bulk:
    """What became of many comments."""

    decided: list[int] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)


def record_decision(
    tx: Connection, who: Moderator, comment_id: int, ruling: ModeratorDecision, policy: Policy
) -> Row[Any]:
    """Adds a decision to a comment and closes its item; returns the decision.

    Raises Refusal for an unknown comment, one that somebody else holds, one that is another's to review, or one that changed meanwhile.
    """
    moment = now()
    comment = locked(tx, comment_id)
    if comment is None or not who.sees(comment.site):
        raise unknown("comment")
    item = items.open_item(tx, comment_id)
    before = last_decision(tx, comment_id)
    _refuse_conflicts(who, comment, item, before, ruling, moment)
    decision = _add(tx, who, comment, item, before, ruling, policy, moment)
    tx.execute(update(comments).where(comments.c.id == comment_id).values(action=ruling.action))
    if item is not None:
        _settle(tx, item, comment, decision, before, policy)
    elif ruling.action == "hold":  # a comment that a moderator holds is one that waits
        items.add(
            tx,
            comment,
            "held",
            moment,
            label=next(iter(ruling.labels), None),
            code=ruling.code,
            action="hold",
            priority=items.UNKNOWN_PRIORITY,
            uncertainty=1.0,
        )
    outbox.tell(tx, comment, decision)
    return decision


def rule_all(
    tx: Connection,
    who: Moderator,
    ruling: ModeratorDecision,
    policy: Policy,
    *,
    campaign: int | None = None,
    author: int | None = None,
    chosen: Sequence[int] = (),
    queued_only: bool = True,
) -> Bulk:
    """One ruling for a campaign, an author's comments, or chosen ones; those that somebody else holds, or may review alone, are skipped."""
    query = select(comments.c.id).order_by(comments.c.id).limit(MOST_AT_ONCE)
    if queued_only:
        query = query.join(queue, and_(queue.c.comment_id == comments.c.id, queue.c.state == LIVE))
    else:
        query = query.where(comments.c.action != ruling.action)
    aims = {comments.c.campaign: campaign, comments.c.author_id: author}
    wanted = [column == value for column, value in aims.items() if value is not None]
    if chosen:
        wanted.append(comments.c.id.in_(chosen))
    if not wanted:
        raise Refusal("invalid-request", "name a campaign, an author or comments to decide")
    found = Bulk()
    for comment in tx.execute(within(query, comments.c.site, who.sites).where(*wanted)).scalars().all():
        try:
            found.decided.append(record_decision(tx, who, comment, ruling, policy).id)
        except Refusal:
            found.skipped.append(comment)
    return found


def undo(tx: Connection, who: Moderator, decision_id: int, policy: Policy, *, any_actor: bool) -> Row[Any]:
    """Takes back the last decision of a comment by a further one, and puts the comment back into the queue if it came from there.

    Raises Refusal unless it is a person's, the comment's last, and ``who`` made it or may take back anybody's.
    """
    wanted = tx.execute(select(decisions).where(decisions.c.id == decision_id)).one_or_none()
    comment = locked(tx, wanted.comment_id) if wanted is not None else None
    if wanted is None or comment is None or not who.sees(comment.site):
        raise unknown("decision")
    if comment.erased is not None:
        raise Refusal("conflict", "the comment was erased; there is nothing left to decide")
    last = last_decision(tx, comment.id)
    if last is None or last.id != decision_id or wanted.undoes is not None:
        raise Refusal("conflict", "only the last decision of a comment can be undone, and an undoing cannot")
    if wanted.actor == SYSTEM:
        raise Refusal("conflict", "the policy's decision is not undone; decide the comment instead")
    if wanted.actor != who.name and not any_actor:
        raise Refusal("forbidden", "another moderator decided; only they or an admin undo it")
    moment = now()
    ruling = ModeratorDecision(
        action=wanted.before or "hold", code="undo", note=None, via="undo", undoes=decision_id
    )
    decision = _add(tx, who, comment, None, last, ruling, policy, moment)
    tx.execute(update(comments).where(comments.c.id == comment.id).values(action=ruling.action))
    _reopen(tx, who, wanted, moment)
    if ruling.action == "publish":
        answer_appeals(tx, decision)
    outbox.tell(tx, comment, decision)
    return decision


def _refuse_conflicts(
    who: Moderator,
    comment: Row[Any],
    item: Row[Any] | None,
    before: Row[Any] | None,
    ruling: ModeratorDecision,
    moment: datetime,
) -> None:
    if comment.erased is not None:
        raise Refusal("conflict", "the comment was erased; there is nothing left to decide")
    if item is not None and not ruling.elsewhere:
        _refuse_item(who, item, moment)
    if ruling.revision not in (None, comment.revision):
        raise Refusal("conflict", "the comment was edited meanwhile; read it again")
    if ruling.after is not None and (before is None or before.id != ruling.after):
        raise Refusal("conflict", "the comment was decided meanwhile; read it again")


def _refuse_item(who: Moderator, item: Row[Any], moment: datetime) -> None:
    if items.claimed_by_other(item, who.name, moment):
        raise Refusal("conflict", "another moderator holds this comment; take the next one")
    if item.not_for == who.name:
        raise Refusal("forbidden", "you decided this comment first; somebody else has to look at it again")
    if item.kind == "appeal" and not who.may_answer_appeals:
        raise Refusal("forbidden", "an appeal needs a moderator's answer")


def _add(
    tx: Connection,
    who: Moderator,
    comment: Row[Any],
    item: Row[Any] | None,
    before: Row[Any] | None,
    ruling: ModeratorDecision,
    policy: Policy,
    moment: datetime,
) -> Row[Any]:
    shown = last_scores(tx, comment.id)
    kind = item.kind if item is not None else None
    values = {
        "comment_id": comment.id,
        "revision": comment.revision,
        "actor": who.name,
        "via": kind if kind in ("appeal", "second", "sample") and ruling.via != "undo" else ruling.via,
        "action": ruling.action,
        "before": before.action if before is not None else None,
        "labels": list(ruling.labels),
        "code": ruling.code,
        "code_choice": ruling.code_choice,
        "rule": _rule(ruling),
        "spans": [],
        "note": ruling.note,
        "policy": policy.version,
        "model": shown.model if shown is not None else "",
        "model_digest": shown.model_digest if shown is not None else None,
        "scores": shown.probabilities if shown is not None else {},
        "blind": ruling.blind,
        "undoes": ruling.undoes,
        "item_id": item.id if item is not None else None,
        "at": moment,
    }
    return tx.execute(insert(decisions).values(**values).returning(decisions)).one()


def _rule(ruling: ModeratorDecision) -> str:
    if ruling.undoes is not None:
        return f"undo of decision {ruling.undoes}"
    # By whichever item it is reached, that many were decided alike stays known.
    maker = ruling.via if ruling.elsewhere or ruling.via == "bulk" else "moderator"
    return f"{maker}: {ruling.action}"


def _settle(
    tx: Connection,
    item: Row[Any],
    comment: Row[Any],
    decision: Row[Any],
    before: Row[Any] | None,
    policy: Policy,
) -> None:
    """What a decision does to the item it answers."""
    moment = decision.at
    if decision.action == "hold":  # it stays, for somebody to come back to
        tx.execute(update(queue).where(queue.c.id == item.id).values(**items.UNCLAIMED))
        return
    items.close_of(tx, comment.id, moment)
    answer_appeals(tx, decision)
    if item.kind == "second" and before is not None:
        reviews.note(tx, "second", decision, before.action)
    if item.kind in ("held", "sample") and reviews.wants_second(decision, policy.for_site(comment.site)):
        items.add(
            tx,
            comment,
            "second",
            moment,
            label=item.label,
            code=item.code,
            action=decision.action,
            priority=item.priority,
            uncertainty=item.uncertainty,
            not_for=decision.actor,
        )


def answer_appeals(tx: Connection, decision: Row[Any]) -> None:
    """A decision to publish or to reject answers the appeal that waits, by whichever item it was reached."""
    state = "overturned" if decision.action == "publish" else "upheld"
    tx.execute(
        update(appeals)
        .where(appeals.c.comment_id == decision.comment_id, appeals.c.state == LIVE)
        .values(state=state, answered_by=decision.id)
    )


def _reopen(tx: Connection, who: Moderator, undone: Row[Any], moment: datetime) -> None:
    """The item that an undone decision had closed waits again, held by who undid it; what was opened since for the comment goes."""
    if undone.item_id is None:
        if undone.before == "publish":
            items.close_of(tx, undone.comment_id, moment)
        elif undone.before == "reject":  # an appeal goes on: it is against what stands again
            items.close_of(tx, undone.comment_id, moment, queue.c.kind != "appeal")
        return
    items.close_of(tx, undone.comment_id, moment, queue.c.id != undone.item_id)
    tx.execute(
        update(queue)
        .where(queue.c.id == undone.item_id)
        .values(state=LIVE, closed=None, claimed_by=who.name, claimed_until=moment + items.LEASE)
    )
    tx.execute(update(appeals).where(appeals.c.answered_by == undone.id).values(state=LIVE, answered_by=None))
