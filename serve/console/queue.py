"""The console's queue: cards to decide with one key press, campaigns to decide at once."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy import Connection, select

from belowline.model.policy import Action
from belowline.serve.api.comments import sites_of
from belowline.serve.api.queue import check_labels
from belowline.serve.console.rendering import WHOLE, excerpt
from belowline.serve.console.session import Form, Person, first, number, numbers, page, redirect
from belowline.serve.http.errors import Problem, invalid_field
from belowline.serve.http.service import ServiceDep
from belowline.serve.queue import comments, moderator_decisions, queue_items
from belowline.serve.queue.comments import Comment
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.queue.queue_items import ORDERS, Filter, Order
from belowline.serve.scoring.reason_codes import MODERATOR_CODES, NO_REASON
from belowline.serve.scoring.results import EvidenceSpan
from belowline.serve.store.accounts import Actor
from belowline.serve.store.tables import appeals

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_CARDS = 10
_KINDS = {"held": "Held", "appeal": "Appeals", "sample": "Random sample", "second": "Second review"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a moderator wants to see, as the page's address says it."""

    site: str = ""
    label: str = ""
    kind: str = ""
    language: str = ""
    sort: Order = "priority"

    @property
    def query(self) -> str:
        """As a part of an address."""
        return urlencode({name: value for name, value in asdict(self).items() if value})

    def filter(self, actor: Actor) -> Filter:
        """As the store's filter, within what ``actor`` may see."""
        return Filter(
            sites=sites_of(actor, self.site or None),
            label=self.label or None,
            kind=self.kind or None,
            language=self.language or None,
            appeals=actor.may("answer appeals"),
        )


@router.get("/console")
def queue(
    request: Request, service: ServiceDep, actor: Person, chosen: Annotated[Chosen, Depends()]
) -> HTMLResponse:
    """Leases the next ten comments to who looks at the page, and shows them."""
    wanted = chosen.filter(actor)
    with service.database.write() as tx:
        rows = queue_items.claim(tx, actor.name, wanted, chosen.sort, _CARDS)
        cards = _cards(tx, [row.comment_id for row in rows])
        waiting = queue_items.count(tx, wanted)
    return page(
        "console_queue.html",
        request,
        actor,
        cards=cards,
        waiting=waiting,
        chosen=chosen,
        orders=ORDERS,
        kinds=_KINDS,
        **_choices(service, actor),
    )


@router.get("/console/cards")
def more_cards(
    request: Request,
    service: ServiceDep,
    actor: Person,
    chosen: Annotated[Chosen, Depends()],
    have: Annotated[tuple[int, ...], Query(max_length=200)] = (),
) -> HTMLResponse:
    """Cards alone, without those of the items that the page has, for a page that runs low; nothing where nothing waits."""
    with service.database.write() as tx:
        rows = queue_items.claim(tx, actor.name, chosen.filter(actor), chosen.sort, _CARDS + len(have))
        cards = _cards(tx, [row.comment_id for row in rows if row.id not in have][:_CARDS])
    return page("console_cards.html", request, actor, cards=cards, **_choices(service, actor))


@router.post("/console/decide")
def decide(request: Request, service: ServiceDep, actor: Person, form: Form) -> Response:
    """Decides one comment; answers a script with JSON, a browser without one with the queue."""
    comment = number(form, "comment")
    ruling = ModeratorDecision(
        action=_action(form),
        labels=tuple(form.get("labels", [])),
        **_reason(form),
        note=first(form, "note").strip() or None,
        blind=first(form, "blind") == "1",
        revision=number(form, "revision") if first(form, "revision") else None,
        after=number(form, "after") if first(form, "after") else None,
        via="console",
    )
    check_labels(ruling.labels, service)
    with service.database.write() as tx:
        policy = service.pair_in(tx).policy
        row = moderator_decisions.record_decision(tx, actor, comment, ruling, policy)
    return _after(request, form, {"decision": row.id, "comment": comment, "action": row.action})


@router.post("/console/undo")
def undo(request: Request, service: ServiceDep, actor: Person, form: Form) -> Response:
    """Takes a decision back; the comment is the next card again."""
    decision = number(form, "decision")
    with service.database.write() as tx:
        policy = service.pair_in(tx).policy
        row = moderator_decisions.undo(tx, actor, decision, policy)
    return _after(request, form, {"decision": row.id, "comment": row.comment_id, "action": row.action})


@router.post("/console/bulk")
def bulk(request: Request, service: ServiceDep, actor: Person, form: Form) -> Response:
    """Decides chosen comments, a campaign or an author's comments at once."""
    actor.require("decide in bulk")
    campaign, author = (number(form, name) if first(form, name) else None for name in ("campaign", "author"))
    ruling = ModeratorDecision(
        action=_action(form), **_reason_for_many(form), note=first(form, "note").strip() or None, via="bulk"
    )
    with service.database.write() as tx:
        policy = service.pair_in(tx).policy
        done = moderator_decisions.record_for_all(
            tx,
            actor,
            ruling,
            policy,
            campaign=campaign,
            author=author,
            chosen=numbers(form, "comments"),
            queued_only=first(form, "scope", "queued") == "queued",
        )
    answer = {"decided": len(done.decisions), "skipped": len(done.skipped), "decisions": done.decisions}
    return _after(request, form, answer | {"action": ruling.action})


@router.post("/console/release")
def release(request: Request, service: ServiceDep, actor: Person, form: Form) -> Response:
    """Gives back all that one holds."""
    with service.database.write() as tx:
        released = queue_items.release(tx, actor.name)
    return _after(request, form, {"released": released})


def card(comment: Comment, plea: str | None = None) -> dict[str, Any]:
    """A comment with what its card shows."""
    spans = [EvidenceSpan.model_validate(span) for span in comment.evidence]
    return {
        "comment": comment,
        "segments": excerpt(comment.text or "", spans),
        "cut": len(comment.text or "") > WHOLE,
        "plea": plea,
        "default_code": _default_code(comment),
        "probabilities": sorted(comment.probabilities.items(), key=lambda pair: -pair[1]),
    }


def _default_code(comment: Comment) -> str:
    """The reason that a card preselects: the one that holds the comment, if it is on the list."""
    decision, item = comment.decision or {}, comment.item or {}
    if decision.get("code_choice") == "unclear":
        return NO_REASON
    # A decision that leaves the comment to others, or takes one back, has no reason of its own.
    found = (row.get("code") for row in (decision, item))
    return next((code for code in found if code in MODERATOR_CODES and code != NO_REASON), NO_REASON)


def _choices(service: Any, actor: Actor) -> dict[str, Any]:
    """What a card lets one choose from."""
    return {
        "labels": service.pipeline.scorer.labels,
        "codes": MODERATOR_CODES,
        "may_bulk": actor.may("decide in bulk"),
    }


def _cards(tx: Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    pleas = _appeals(tx, ids)
    return [card(comment, pleas.get(comment.id)) for comment in comments.load(tx, ids)]


def _appeals(tx: Connection, ids: Sequence[int]) -> dict[int, str]:
    """What authors said in their open appeals."""
    query = select(appeals.c.comment_id, appeals.c.text).where(
        appeals.c.comment_id.in_(ids), appeals.c.state == "open"
    )
    return {row.comment_id: row.text or "" for row in tx.execute(query)}


def _action(form: dict[str, list[str]]) -> Action:
    actions: dict[str, Action] = {
        "publish": "publish",
        "hold": "hold",
        "reject": "reject",
    }
    try:
        return actions[first(form, "action")]
    except KeyError:
        raise Problem("invalid-request", "choose to publish, hold or reject") from None


def _reason(form: dict[str, list[str]]) -> dict[str, Any]:
    """The reason code of one decision and who chose it: the person, or the card, which had preselected it."""
    action, code, preselected = _action(form), _chosen_code(form), first(form, "default_code")
    code = code or NO_REASON
    if action == "publish" or (action == "hold" and code == NO_REASON):
        return {"code": "none"}
    return {"code": code, "code_choice": "default" if code == (preselected or NO_REASON) else "person"}


def _reason_for_many(form: dict[str, list[str]]) -> dict[str, Any]:
    """The reason code of a decision for many comments; raises Problem for a rejection without one."""
    if _action(form) != "reject":
        return {"code": "none"}
    code = _chosen_code(form)
    if not code:
        raise invalid_field("code", "is missing; choose the reason for which these comments are rejected")
    return {"code": code, "code_choice": "person"}


def _chosen_code(form: dict[str, list[str]]) -> str:
    """The reason in the form, empty where there is none; raises Problem for one that is not on the list."""
    code = first(form, "code")
    if code and code not in MODERATOR_CODES:
        raise invalid_field("code", f"is not on the list; there are {', '.join(MODERATOR_CODES)}")
    # Pages of versions before 0.8 have no such field. They preselect spam, so that their reason says nothing.
    return code if "default_code" in form else ""


def _after(request: Request, form: dict[str, list[str]], answer: dict[str, Any]) -> Response:
    if "json" in request.headers.get("accept", ""):
        return JSONResponse(answer)
    onward = first(form, "next", "/console")
    return redirect(onward if onward.startswith("/console") else "/console")
