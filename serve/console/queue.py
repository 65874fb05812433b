"""The console's queue: cards to decide with one key press, campaigns to decide at once."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy import Connection, Row, select

from belowline.model import Policy
from belowline.model.policy import Action
from belowline.serve.api import queue as api
from belowline.serve.api.decision_reason import agreeing
from belowline.serve.api.messages import ReleaseIn
from belowline.serve.api.queue import check_labels
from belowline.serve.console.copies import CampaignCard, campaign_card
from belowline.serve.console.forms import Form
from belowline.serve.console.queue_filter import Chosen, ChosenDep, lists, without_conditions
from belowline.serve.console.scores import bars, not_judged
from belowline.serve.console.session import Console, ConsoleRequest, FormDep
from belowline.serve.console.toasts import Toast, receiver_words, toast_of
from belowline.serve.http.errors import Problem, invalid_field
from belowline.serve.queue import card_claims, comments, escalation, moderator_decisions, queue_items
from belowline.serve.queue.comments import CommentOut
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.queue.queue_items import Filter
from belowline.serve.scoring.reason_codes import MODERATOR_CODES, NO_REASON
from belowline.serve.scoring.results import EvidenceSpan
from belowline.serve.scoring.segments import WHOLE, Segment, excerpt, stretch
from belowline.serve.scoring.wording import DONE
from belowline.serve.store.tables import LIVE, appeals
from belowline.serve.templating import templates

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_CARDS = 10
_LONG, _LINES, _FOLDED = 420, 5, 330
"""A comment of more characters or lines is folded to so many characters."""


@router.get("/console")
def queue(console: Console, chosen: ChosenDep) -> HTMLResponse:
    """Releases what the moderator holds, claims the first comments under this filter and order, and shows them."""
    with console.service.database.write() as tx:
        queue_items.release(tx, console.actor.name)
        cards = _claimed(tx, console, chosen)
    return _page(console, chosen, cards)


@router.get("/console/paused")
def paused(console: Console, chosen: ChosenDep) -> HTMLResponse:
    """The queue without any comment; it claims nothing."""
    return _page(console, chosen, [], paused=True)


@router.get("/console/cards")
def more_cards(
    console: Console,
    chosen: ChosenDep,
    have: Annotated[tuple[int, ...], Query(max_length=200)] = (),
    campaign: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> HTMLResponse:
    """The next cards alone, for a page that runs low, without those of the items in ``have``.

    With ``campaign`` it is the card of that campaign's held copies, those that arrived since included.
    """
    with console.service.database.write() as tx:
        cards = _claimed(tx, console, chosen, have, campaign or None)
    return console.page("console_cards.html", cards=cards, **choices(console), here=_address(chosen))


@router.get("/console/state")
def state(
    console: Console,
    chosen: ChosenDep,
    campaign: Annotated[tuple[int, ...], Query(max_length=200)] = (),
) -> JSONResponse:
    """Numbers of what waits, the words of an empty queue, and the number of held copies of campaigns on cards."""
    wanted = chosen.filter(console.actor)
    with console.service.database.read() as tx:
        found = _rest(tx, console, chosen)
        copies = card_claims.copies(
            tx, campaign, console.actor.name, replace(wanted, sites=console.actor.sites)
        )
    words = templates.get_template("console_empty.html").render(found, chosen=chosen, paused=False)
    numbers = {number: len(one.comments) for number, one in copies.items()}
    return JSONResponse({"waiting": found["waiting"], "empty": words, "copies": numbers})


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
    """Decides the selected comments, a campaign or an author's comments at once.

    With ``until`` it decides the held copies of a campaign up to that item, and counts those that arrived later.
    """
    console.actor.require("decide in bulk")
    campaign, until = form.optional_number("campaign"), form.optional_number("until")
    aims: dict[str, Any] = {
        "campaign": campaign,
        "author": form.optional_number("author"),
        "chosen": form.numbers("comments"),
    }
    decision = ModeratorDecision(
        action=_action(form), **_reason_for_many(form), note=_note(form), message=_message(form), via="bulk"
    )
    decision = agreeing(decision, console.service.pipeline.scorer.labels)
    with console.service.database.write() as tx:
        if campaign and until:
            aims = {"chosen": _held_copies(tx, console, campaign, until)}
        done = moderator_decisions.record_for_all(
            tx,
            console.actor,
            decision,
            console.service.pair_in(tx).policy,
            **aims,
            queued_only=form.first("scope", "queued") == "queued",
        )
        arrived = len(_held_copies(tx, console, campaign)) if campaign and until else 0
        toast = toast_of(tx, done.act) if done.act is not None else Toast("Nothing was decided")
    answer = {
        "decided": len(done.decisions),
        "skipped": len(done.skipped),
        "made": done.made,
        "arrived": arrived,
    }
    return console.done(form, answer | {"action": decision.action} | toast.answer, done.act)


@router.post("/console/release")
def release(console: Console, form: FormDep) -> Response:
    """Releases all items that the moderator has claimed; the next page claims nothing."""
    released = api.release(console.service, console.actor, ReleaseIn(items=None))
    return console.done(form, released, home="/console/paused")


def card(
    comment: CommentOut,
    plea: str | None = None,
    escalated: Row[Any] | None = None,
    *,
    blind: bool = False,
    policy: Policy | None = None,
    campaign: CampaignCard | None = None,
) -> dict[str, Any]:
    """A comment with the values of its card, without scores if ``policy`` is None.

    ``plea`` is the text of its author's open appeal, ``escalated`` the act that escalated it. ``blind`` leaves out the
    scores, the evidence, and this comment from the author's record. ``campaign`` has the copies that the card decides
    too.
    """
    text, evidence = comment.text or "", [] if blind else comment.evidence
    rule = comment.decision.rule if comment.decision else ""
    scores = bars(comment.probabilities, policy, comment.site, rule) if policy and not blind else []
    return {
        "comment": comment,
        "segments": excerpt(text, evidence),
        "fold": _fold(text, evidence),
        "cut": len(text) > WHOLE,
        "plea": plea,
        "escalation": escalated,
        "default_code": NO_REASON if blind else _default_code(comment),
        "bars": sorted(scores, key=lambda bar: (bar.state != "over", -bar.probability)),
        "not_judged": not_judged(comment.language, policy) if policy else None,
        "campaign": campaign,
        "record": _record(comment, blind=blind),
        "blind": blind,
    }


def _record(comment: CommentOut, *, blind: bool) -> dict[str, int]:
    """The numbers of the author's published and rejected comments; in a blind review without this one."""
    author, own = comment.author, DONE[comment.action] if blind else ""
    counts = {"published": author.published, "rejected": author.rejected} if author else {}
    return {name: number - (name == own) for name, number in counts.items()}


def _fold(text: str, evidence: Sequence[EvidenceSpan]) -> list[Segment]:
    """The part of a long text that is shown at first: its beginning, or the surroundings of its evidence."""
    if len(text) <= _LONG and text.count("\n") < _LINES:
        return []
    return stretch(text.replace("\n", " "), evidence, _FOLDED)


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


def _address(chosen: Chosen, path: str = "/console") -> str:
    return f"{path}?{chosen.query}" if chosen.query else path


def _page(
    console: ConsoleRequest, chosen: Chosen, cards: list[dict[str, Any]], *, paused: bool = False
) -> HTMLResponse:
    with console.service.database.read() as tx:
        values = lists(tx, chosen, console.actor, blind=console.blind) | _rest(tx, console, chosen)
    values |= {"here": _address(chosen), "away": _address(chosen, "/console/paused")}
    return console.page("console_queue.html", cards=cards, paused=paused, **values, **choices(console))


def _rest(tx: Connection, console: ConsoleRequest, chosen: Chosen) -> dict[str, Any]:
    """Numbers of what waits: under the filter, of that what the moderator can decide, and without the filter."""
    wanted = chosen.filter(console.actor, blind=console.blind)
    anything = without_conditions(chosen)
    return {
        "waiting": queue_items.count(tx, wanted),
        "free": card_claims.free(tx, console.actor.name, wanted),
        "elsewhere": queue_items.count(tx, anything.filter(console.actor)) if chosen.conditions else 0,
        "anything": _address(anything),
        "here": _address(chosen),
    }


def _claimed(
    tx: Connection,
    console: ConsoleRequest,
    chosen: Chosen,
    have: Sequence[int] = (),
    campaign: int | None = None,
) -> list[dict[str, Any]]:
    """The next cards under a filter, or that of one campaign; their items are leased to the moderator."""
    actor, blind = console.actor, console.blind
    wanted, order = chosen.filter(actor, blind=blind), chosen.order(blind=blind)
    grouped = actor.may("decide in bulk") and not blind  # who judges by the text alone judges each text
    if campaign is not None:
        wanted = Filter(sites=actor.sites, kind="held", campaign=campaign, reader=actor)
    limit = _CARDS if campaign is None else 1
    rows = card_claims.claim_cards(tx, actor.name, wanted, order, limit, have=have, grouped=grouped)
    everywhere = replace(wanted, sites=actor.sites)
    joined = {row.campaign for row in rows if grouped and row.kind == "held" and row.campaign is not None}
    copies = card_claims.copies(tx, joined, actor.name, everywhere)
    shown = comments.load(tx, [row.comment_id for row in rows])
    pleas, policy = _pleas(tx, [comment.id for comment in shown]), console.service.pair_in(tx).policy
    escalated = escalation.newest(tx, [one.id for one in shown if one.item and one.item.escalated_to])
    return [
        card(
            comment,
            pleas.get(comment.id),
            escalated.get(comment.id),
            blind=blind,
            policy=policy,
            campaign=campaign_card(tx, comment, copies.get(row.campaign)) if row.kind == "held" else None,
        )
        for row, comment in zip(rows, shown, strict=True)
    ]


def _pleas(tx: Connection, ids: Sequence[int]) -> dict[int, str]:
    """Texts of the open appeals of these comments."""
    query = select(appeals.c.comment_id, appeals.c.text).where(
        appeals.c.comment_id.in_(ids), appeals.c.state == LIVE
    )
    return {row.comment_id: row.text or "" for row in tx.execute(query)}


def _held_copies(
    tx: Connection, console: ConsoleRequest, campaign: int, until: int | None = None
) -> tuple[int, ...]:
    """Comments of a campaign that the moderator can decide, of items up to ``until``."""
    wanted = Filter(sites=console.actor.sites, reader=console.actor)
    found = card_claims.copies(tx, [campaign], console.actor.name, wanted, until)
    if until is not None and campaign not in found:
        raise Problem("conflict", "none of these copies waits for you any longer; take the next card")
    return found[campaign].comments if campaign in found else ()


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
    message = form.words("message")
    return message if _action(form) == "reject" else None


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
