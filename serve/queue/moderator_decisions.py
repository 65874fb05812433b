"""Decisions of moderators: on one comment, on many at once, and undo. Every decision is a new row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update

from belowline.model import Policy
from belowline.model.policy import Action
from belowline.serve.queue import acts, decision_log, queue_items, reviews
from belowline.serve.queue.comments import last_decision, locked, standing_decision
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now, within
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import LIVE, SYSTEM, appeals, comments, decisions, items

CodeChoice = Literal["person", "default"]
MOST_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class ModeratorDecision:
    """A decision to be recorded.

    Attributes:
        code_choice: Whether a person chose ``code`` or left the preselected one; None without a choice.
        note: A note for other moderators.
        message: Words for the author, which webhooks deliver.
        blind: Whether the scores were hidden.
        revision: The revision that the moderator read; a newer one is a conflict. None: any.
        after: The decision that the moderator saw; a newer one is a conflict. None: any.
        via: How the decision was made, such as ``console``.
        undoes: The decision that this one takes back.
        elsewhere: Whether the site has decided already; then it counts whoever holds the comment here.
    """

    action: Action
    labels: tuple[str, ...] = ()
    code: str = "none"
    code_choice: CodeChoice | None = None
    note: str | None = None
    message: str | None = None
    blind: bool = False
    revision: int | None = None
    after: int | None = None
    via: str = "api"
    undoes: int | None = None
    elsewhere: bool = False


@dataclass(slots=True)
class BulkResult:
    """The recorded decision of each comment, comments that were skipped, and the act; None if nothing was decided."""

    made: dict[int, int] = field(default_factory=dict)
    skipped: list[int] = field(default_factory=list)
    act: int | None = None

    @property
    def decisions(self) -> list[int]:
        """The ids of the decisions."""
        return list(self.made.values())


@dataclass(frozen=True, slots=True)
class _Case:
    """A locked comment that ``who`` decides at ``moment``; ``last`` is the newest row of its log."""

    tx: Connection
    who: Actor
    policy: Policy
    moment: datetime
    comment: Row[Any]
    last: Row[Any] | None
    item: Row[Any] | None = None


def record_decision(
    tx: Connection,
    who: Actor,
    comment_id: int,
    decision: ModeratorDecision,
    policy: Policy,
    act: int | None = None,
) -> Row[Any]:
    """Add a decision to a comment and close its queue item; returns the new row.

    The decision belongs to ``act``, or to an act of its own for None. Raises Refusal for an unknown or erased comment,
    one that another moderator holds or has to review, and one that has changed.
    """
    moment, comment = now(), locked(tx, comment_id)
    if comment is None or not who.sees(comment.site):
        raise unknown("comment")
    item, last = queue_items.open_item(tx, comment_id), last_decision(tx, comment_id)
    case = _Case(tx, who, policy, moment, comment, last, item)
    _check(case, decision)
    if act is None:
        own = {"site": comment.site, "comment_id": comment_id, "value": decision.action}
        act = acts.begin(tx, who, "decision", **own)
    row = _add(case, decision, act)
    if item is not None:
        _settle(case, item, row)
    elif decision.action == "hold":  # a held comment is always in the queue
        queue_items.add_for(tx, comment, "held", row, moment)
    return row


def record_for_all(
    tx: Connection,
    who: Actor,
    decision: ModeratorDecision,
    policy: Policy,
    *,
    campaign: int | None = None,
    author: int | None = None,
    chosen: Sequence[int] = (),
    queued_only: bool = True,
) -> BulkResult:
    """Record one decision for a campaign, an author's comments, or chosen comments.

    Comments that another moderator holds or has to review are skipped.
    """
    aims = {comments.c.campaign: campaign, comments.c.author_id: author}
    conditions = [column == value for column, value in aims.items() if value is not None]
    if chosen:
        conditions.append(comments.c.id.in_(chosen))
    if not conditions:
        raise Refusal("invalid-request", "name a campaign, an author or comments to decide")
    if queued_only:
        conditions.append(comments.c.id.in_(select(items.c.comment_id).where(items.c.state == LIVE)))
    else:
        conditions.append(comments.c.action != decision.action)
    query = (
        select(comments.c.id, comments.c.site).where(*conditions).order_by(comments.c.id).limit(MOST_AT_ONCE)
    )
    found = tx.execute(within(query, comments.c.site, who.sites)).all()
    result = BulkResult()
    if not found:  # perhaps there is no such author, whom an act could not name
        return result
    sites = {row.site for row in found}
    one_site = sites.pop() if len(sites) == 1 else None
    act = result.act = acts.begin(tx, who, "bulk", site=one_site, author_id=author, value=decision.action)
    for row in found:
        try:
            result.made[row.id] = record_decision(tx, who, row.id, decision, policy, act).id
        except Refusal:
            result.skipped.append(row.id)
    if not result.made:
        acts.drop(tx, act)
        result.act = None
    return result


def change_reason(
    tx: Connection, who: Actor, decision_id: int, reason: Mapping[str, Any], policy: Policy
) -> Row[Any]:
    """Record a rejection again with another code; it belongs to the same act, so that one undo takes back both.

    ``reason`` has the fields of the new reason. Raises Refusal unless the rejection is the comment's last decision,
    made by ``who``.
    """
    row, case = _found(tx, who, decision_id, policy)
    if row.action != "reject" or row.actor != who.name:
        raise Refusal(
            "conflict", "only your own rejection can get another reason; decide the comment instead"
        )
    same = {name: row._mapping[name] for name in ("note", "message", "blind", "via")}
    decision = ModeratorDecision("reject", **{**same, **reason})
    _check(case, decision)
    if row.act_id is None:
        raise Refusal("conflict", "an earlier version recorded this rejection; decide the comment again")
    return _add(case, decision, row.act_id, via=row.via)


def undo(tx: Connection, who: Actor, decision_id: int, policy: Policy, *, closing: bool = True) -> Row[Any]:
    """Take back the last decision of a comment by a new one, and reopen the queue item that it had closed.

    Decisions that were undone do not count. The new decision has the reason and the evidence of the one that counts
    again. ``closing`` also marks the act as undone if nothing of it is left. Raises Refusal unless it is the
    comment's last decision, made by ``who``, or by any person if ``who`` is an admin.
    """
    undone, case = _found(tx, who, decision_id, policy)
    decision = ModeratorDecision(undone.before or "hold", code="undo", via="undo", undoes=decision_id)
    _check(case, decision)
    if undone.actor == SYSTEM:
        raise Refusal("conflict", "a decision of the policy cannot be undone; decide the comment instead")
    if undone.actor != who.name and not who.may("administer"):
        raise Refusal("forbidden", "only the moderator who decided, or an admin, can undo this decision")
    restored = standing_decision(tx, undone.comment_id, before=decision_id)
    row = _add(case, decision, undone.act_id, **_reason_of(restored, decision))
    _reopen(case, undone)
    if row.action == "publish":
        answer_appeals(tx, row)
    if closing and undone.act_id is not None and not _left_of(tx, undone.act_id):
        acts.close(tx, undone.act_id, who, "undone")
    return row


def _found(tx: Connection, who: Actor, decision_id: int, policy: Policy) -> tuple[Row[Any], _Case]:
    """Return a decision that counts for its comment; raises Refusal for any other decision."""
    row = tx.execute(select(decisions).where(decisions.c.id == decision_id)).one_or_none()
    comment = locked(tx, row.comment_id) if row is not None else None
    if row is None or comment is None or not who.sees(comment.site):
        raise unknown("decision")
    standing = standing_decision(tx, comment.id)
    if standing is None or standing.id != decision_id:
        raise Refusal(
            "conflict", "only the latest decision can be undone, and an undo cannot itself be undone"
        )
    return row, _Case(tx, who, policy, now(), comment, last_decision(tx, comment.id))


def _reason_of(restored: Row[Any] | None, decision: ModeratorDecision) -> dict[str, Any]:
    """Return the reason of the decision that counts again: the comment keeps why it was held."""
    if restored is None or restored.action != decision.action:
        return {}
    return {name: restored._mapping[name] for name in ("labels", "code", "code_choice", "rule", "spans")}


def _left_of(tx: Connection, act: int) -> bool:
    """Return whether an act has a decision that is not undone."""
    made = tx.execute(select(decisions.c.id, decisions.c.undoes).where(decisions.c.act_id == act)).all()
    undone = {row.undoes for row in made}
    return any(row.undoes is None and row.id not in undone for row in made)


def answer_appeals(tx: Connection, decision: Row[Any]) -> None:
    """Answer the open appeal of a comment by a decision to publish or to reject."""
    state = "overturned" if decision.action == "publish" else "upheld"
    is_open = appeals.c.comment_id == decision.comment_id, appeals.c.state == LIVE
    tx.execute(update(appeals).where(*is_open).values(state=state, answered_by=decision.id))


def _check(case: _Case, decision: ModeratorDecision) -> None:
    """Raise Refusal if the comment, its item or its last decision does not allow the decision."""
    who, comment, item, last = case.who, case.comment, case.item, case.last
    if comment.erased is not None:
        raise Refusal("conflict", "the comment was erased and cannot be decided")
    if item is not None and not decision.elsewhere:
        if queue_items.claimed_by_other(item, who.name, case.moment):
            raise Refusal("conflict", "another moderator holds this comment; take the next one")
        if item.not_for == who.name:
            raise Refusal("forbidden", "you decided this comment first; another moderator has to review it")
        escalated = item.escalated_to not in (None, *queue_items.addresses(who))
        if escalated and not who.may("administer"):
            name = item.escalated_to.partition(":")[2]
            raise Refusal("forbidden", f"this comment was escalated to {name}, who decides it")
        if item.kind == "appeal" and not who.may("answer appeals"):
            raise Refusal("forbidden", "only a moderator or an admin can answer an appeal")
    if decision.revision not in (None, comment.revision):
        raise Refusal("conflict", "the comment was edited; read it again")
    if decision.after is not None and (last is None or last.id != decision.after):
        raise Refusal("conflict", "the comment has a newer decision; read it again")


def _add(case: _Case, decision: ModeratorDecision, act: int | None, **instead: Any) -> Row[Any]:
    """Insert the decision, apply its action to the comment, and notify webhooks; ``instead`` replaces its columns."""
    comment, item = case.comment, case.item
    kind = item.kind if item is not None else None
    same = ("action", "code", "code_choice", "note", "message", "blind", "undoes")
    values = {
        **{name: getattr(decision, name) for name in same},
        "actor": case.who.name,
        "via": kind if kind in ("appeal", "second", "sample") else decision.via,
        "before": case.last.action if case.last is not None else None,
        "labels": list(decision.labels),
        "rule": _rule(decision),
        "spans": [],
        "act_id": act,
        **instead,
    }
    case.tx.execute(update(comments).where(comments.c.id == comment.id).values(action=decision.action))
    item_id = item.id if item is not None else None
    return decision_log.add(case.tx, comment, case.policy, item_id, case.moment, values)


def _rule(decision: ModeratorDecision) -> str:
    if decision.undoes is not None:
        return f"undo of decision {decision.undoes}"
    # The rule keeps "bulk" even where ``via`` names the kind of the item.
    maker = decision.via if decision.elsewhere or decision.via == "bulk" else "moderator"
    return f"{maker}: {decision.action}"


def _settle(case: _Case, item: Row[Any], decision: Row[Any]) -> None:
    """Apply a decision to the queue item that it answers."""
    tx, comment, last = case.tx, case.comment, case.last
    if decision.action == "hold":  # the item stays for another moderator
        everybody = {"escalated_to": None, "escalated_by": None, **queue_items.UNCLAIMED}
        tx.execute(update(items).where(items.c.id == item.id).values(**everybody))
        return
    queue_items.close(tx, comment.id, decision.at)
    answer_appeals(tx, decision)
    if item.kind == "second" and last is not None:
        reviews.record(tx, "second", comment.id, decision.actor, decision.action, last.action)
    if item.kind in ("held", "sample") and reviews.wants_second(decision, case.policy.for_site(comment.site)):
        same = {name: item._mapping[name] for name in ("label", "code", "priority", "uncertainty")}
        queue_items.add_for(tx, comment, "second", decision, decision.at, **same, not_for=decision.actor)


def _reopen(case: _Case, undone: Row[Any]) -> None:
    """Reopen the item that an undone decision had closed, for who undoes it; an item opened later is closed."""
    tx, moment = case.tx, case.moment
    if undone.item_id is None:
        if undone.before == "publish":
            queue_items.close(tx, undone.comment_id, moment)
        elif undone.before == "reject":  # an open appeal is against the decision that counts again
            queue_items.close(tx, undone.comment_id, moment, items.c.kind != "appeal")
        return
    queue_items.close(tx, undone.comment_id, moment, items.c.id != undone.item_id)
    lease = {"claimed_by": case.who.name, "claimed_until": moment + queue_items.LEASE}
    tx.execute(update(items).where(items.c.id == undone.item_id).values(state=LIVE, closed=None, **lease))
    tx.execute(update(appeals).where(appeals.c.answered_by == undone.id).values(state=LIVE, answered_by=None))
