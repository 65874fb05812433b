"""The console's queue: cards to decide with one key press, campaigns to decide at once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import Connection, Row, select

from belowline.model.policy import Action
from belowline.serve.api import queue as api
from belowline.serve.api.comments import sites_of
from belowline.serve.api.decision_reason import agreeing
from belowline.serve.api.messages import ReleaseIn
from belowline.serve.api.queue import check_labels
from belowline.serve.console.forms import Form
from belowline.serve.console.session import Console, ConsoleRequest, FormDep
from belowline.serve.console.toasts import Toast, receiver_words, toast_of
from belowline.serve.http.errors import Problem, invalid_field
from belowline.serve.queue import comments, escalation, moderator_decisions, queue_items
from belowline.serve.queue.comments import CommentOut
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.queue.queue_items import ORDERS, Filter, Order
from belowline.serve.scoring.reason_codes import MODERATOR_CODES, NO_REASON
from belowline.serve.scoring.segments import WHOLE, excerpt
from belowline.serve.scoring.wording import DONE
from belowline.serve.store.accounts import Actor
from belowline.serve.store.tables import appeals

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_CARDS = 10
_LONGEST_MESSAGE = 4000
_KINDS = {"held": "Held", "appeal": "Appeals", "sample": "Random sample", "second": "Second review"}
_KINDS["escalated"] = "Escalated to me"
_BLIND_KINDS = {kind: _KINDS[kind] for kind in ("appeal", "second", "escalated")}
_BLIND_ORDERS: tuple[Order, ...] = ("oldest", "newest")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The filter and the order of the queue, from the page's address."""

    site: str = ""
    label: str = ""
    kind: str = ""
    language: str = ""
    sort: Order = "priority"

    @property
    def query(self) -> str:
        """The part of the page's address."""
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def filter(self, actor: Actor, *, blind: bool = False) -> Filter:
        """The store's filter, limited to the sites of ``actor``; a blind review has no filter that tells it."""
        kinds = _BLIND_KINDS if blind else _KINDS
        return Filter(
            sites=sites_of(actor, self.site or None),
            label=None if blind else self.label or None,
            kind=self.kind if self.kind in kinds and self.kind != "escalated" else None,
            escalated=self.kind == "escalated",
            reader=actor,
            language=self.language or None,
            appeals=actor.may("answer appeals"),
        )

    def order(self, *, blind: bool) -> Order:
        """The order; priority and uncertainty tell the scores, so a blind review has the order of arrival."""
        return "oldest" if blind and self.sort not in _BLIND_ORDERS else self.sort


ChosenDep = Annotated[Chosen, Depends()]


@router.get("/console")
def queue(console: Console, chosen: ChosenDep) -> HTMLResponse:
    """Claims the next ten comments for the moderator and shows them."""
    blind = console.blind
    with console.service.database.write() as tx:
        wanted = chosen.filter(console.actor, blind=blind)
        rows = queue_items.claim(tx, console.actor.name, wanted, chosen.order(blind=blind), _CARDS)
        cards = _cards(tx, [row.comment_id for row in rows], blind=blind)
        waiting = queue_items.count(tx, wanted)
    return console.page(
        "console_queue.html",
        cards=cards,
        waiting=waiting,
        chosen=chosen,
        orders=_BLIND_ORDERS if blind else ORDERS,
        kinds=_BLIND_KINDS if blind else _KINDS,
        **choices(console),
    )


@router.get("/console/cards")
def more_cards(
    console: Console, chosen: ChosenDep, have: Annotated[tuple[int, ...], Query(max_length=200)] = ()
) -> HTMLResponse:
    """The next cards alone, for a page that runs low, without those of the items in ``have``."""
    with console.service.database.write() as tx:
        blind = console.blind
        wanted, order = chosen.filter(console.actor, blind=blind), chosen.order(blind=blind)
        rows = queue_items.claim(tx, console.actor.name, wanted, order, _CARDS + len(have))
        shown = [row.comment_id for row in rows if row.id not in have][:_CARDS]
        cards = _cards(tx, shown, blind=blind)
    return console.page("console_cards.html", cards=cards, **choices(console))


@router.post("/console/decide")
def decide(console: Console, form: FormDep) -> Response:
    """Decides one comment; answers a script with JSON, a browser without one with the queue."""
    comment = form.number("comment")
    decision = ModeratorDecision(
        action=_action(form),
        labels=tuple(form.all("labels")),
        **_reason(form),
        note=_note(form),
        message=_message(form),
        blind=form.first("blind") == "1",
        revision=form.optional_number("revision"),
        after=form.optional_number("after"),
        via="console",
    )
    check_labels(decision.labels, console.service)
    decision = agreeing(decision, console.service.pipeline.scorer.labels)
    with console.service.database.write() as tx:
        policy = console.service.pair_in(tx).policy
        row = moderator_decisions.record_decision(tx, console.actor, comment, decision, policy)
        toast = toast_of(tx, row.act_id)
    answer = {"comment": comment, "action": row.action, **toast.answer, "decision": row.id}
    return console.done(form, answer, row.act_id)


@router.post("/console/bulk")
def bulk(console: Console, form: FormDep) -> Response:
    """Decides the selected comments, a campaign or an author's comments at once."""
    console.actor.require("decide in bulk")
    campaign, author = form.optional_number("campaign"), form.optional_number("author")
    decision = ModeratorDecision(
        action=_action(form), **_reason_for_many(form), note=_note(form), message=_message(form), via="bulk"
    )
    decision = agreeing(decision, console.service.pipeline.scorer.labels)
    with console.service.database.write() as tx:
        done = moderator_decisions.record_for_all(
            tx,
            console.actor,
            decision,
            console.service.pair_in(tx).policy,
            campaign=campaign,
            author=author,
            chosen=form.numbers("comments"),
            queued_only=form.first("scope", "queued") == "queued",
        )
        toast = toast_of(tx, done.act) if done.act is not None else Toast("Nothing was decided")
    answer = {"decided": len(done.decisions), "skipped": len(done.skipped), "made": done.made}
    return console.done(form, answer | {"action": decision.action} | toast.answer, done.act)


@router.post("/console/release")
def release(console: Console, form: FormDep) -> Response:
    """Releases all items that the moderator has claimed."""
    return console.done(form, api.release(console.service, console.actor, ReleaseIn(items=None)))


def card(
    comment: CommentOut, plea: str | None = None, escalated: Row[Any] | None = None, *, blind: bool = False
) -> dict[str, Any]:
    """A comment with the values of its card.

    ``plea`` is the text of its author's open appeal, ``escalated`` the act that escalated it. ``blind`` leaves out the
    evidence, and this comment from the author's record.
    """
    text = comment.text or ""
    return {
        "comment": comment,
        "segments": excerpt(text, [] if blind else comment.evidence),
        "cut": len(text) > WHOLE,
        "plea": plea,
        "escalation": escalated,
        "default_code": NO_REASON if blind else _default_code(comment),
        "probabilities": [] if blind else sorted(comment.probabilities.items(), key=lambda pair: -pair[1]),
        "record": _record(comment, blind=blind),
        "blind": blind,
    }


def _record(comment: CommentOut, *, blind: bool) -> dict[str, int]:
    """The numbers of the author's published and rejected comments; in a blind review without this one."""
    author, own = comment.author, DONE[comment.action] if blind else ""
    counts = {"published": author.published, "rejected": author.rejected} if author else {}
    return {name: number - (name == own) for name, number in counts.items()}


def choices(console: ConsoleRequest) -> dict[str, Any]:
    """The choices that cards offer."""
    labels, may_bulk = console.service.pipeline.scorer.labels, console.actor.may("decide in bulk")
    with console.service.database.read() as tx:
        receivers = escalation.receivers(tx, console.actor.sites)
    colleagues = [(to, receiver_words(to)) for to in receivers if to != f"person:{console.actor.name}"]
    return {"labels": labels, "codes": MODERATOR_CODES, "may_bulk": may_bulk, "colleagues": colleagues}


def _default_code(comment: CommentOut) -> str:
    """The reason that a card preselects: the one that holds the comment, if moderators can choose it."""
    if comment.decision and comment.decision.code_choice == "unclear":
        return NO_REASON
    # A decision that leaves the comment to others, and an undo, have no reason of their own.
    codes = (row.code for row in (comment.decision, comment.item) if row)
    return next((code for code in codes if code in MODERATOR_CODES and code != NO_REASON), NO_REASON)


def _cards(tx: Connection, ids: Sequence[int], *, blind: bool) -> list[dict[str, Any]]:
    query = select(appeals.c.comment_id, appeals.c.text).where(
        appeals.c.comment_id.in_(ids), appeals.c.state == "open"
    )
    pleas = {row.comment_id: row.text or "" for row in tx.execute(query)}
    loaded = comments.load(tx, ids)
    escalated = escalation.newest(tx, [one.id for one in loaded if one.item and one.item.escalated_to])
    return [card(one, pleas.get(one.id), escalated.get(one.id), blind=blind) for one in loaded]


def _action(form: Form) -> Action:
    for action in get_args(Action):
        if form.first("action") == action:
            chosen: Action = action
            return chosen
    raise Problem("invalid-request", "choose to publish, hold or reject")


def _note(form: Form) -> str | None:
    return form.first("note").strip() or None


def _message(form: Form) -> str | None:
    """The words for the author, which go with a rejection only."""
    message = form.first("message").strip()
    if len(message) > _LONGEST_MESSAGE:
        raise invalid_field("message", f"is longer than {_LONGEST_MESSAGE:,} characters; shorten it")
    return (message or None) if _action(form) == "reject" else None


def _reason(form: Form) -> dict[str, Any]:
    """The reason code of one decision, and whether the moderator or the card's preselection chose it."""
    action, code, preselected = _action(form), chosen_code(form), form.first("default_code")
    code = code or NO_REASON
    if action == "publish" or (action == "hold" and code == NO_REASON):
        return {"code": "none"}
    return {"code": code, "code_choice": "default" if code == (preselected or NO_REASON) else "person"}


def _reason_for_many(form: Form) -> dict[str, Any]:
    """The reason code of a decision for many comments; raises Problem for a rejection without one."""
    if _action(form) != "reject":
        return {"code": "none"}
    code = chosen_code(form)
    if not code:
        raise invalid_field("code", "is missing; choose the reason for which these comments are rejected")
    return {"code": code, "code_choice": "person"}


def chosen_code(form: Form) -> str:
    """The reason code in the form, empty if there is none; raises Problem for one that moderators cannot choose."""
    code = form.first("code")
    if code and code not in MODERATOR_CODES:
        raise invalid_field("code", f"is not on the list; there are {', '.join(MODERATOR_CODES)}")
    # Pages of versions before 0.8 have no such field. They preselect spam, so their reason says nothing.
    return code if "default_code" in form else ""
