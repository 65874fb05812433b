"""The console's queue: cards to decide with one key press, campaigns to decide at once."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from sqlalchemy import Connection, select

from belowline.serve.api.comments import sites_of
from belowline.serve.api.queue import check_labels
from belowline.serve.console.session import Form, Parts, Person, first, page, redirect
from belowline.serve.errors import Problem
from belowline.serve.keys import Actor
from belowline.serve.rendering import segments
from belowline.serve.results import EvidenceSpan
from belowline.serve.statement import MODERATOR_CODES
from belowline.serve.store import comments as reading
from belowline.serve.store import items, rulings
from belowline.serve.store.comments import Comment
from belowline.serve.store.items import ORDERS, Filter, Order
from belowline.serve.store.rulings import Ruling
from belowline.serve.store.tables import appeals

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_CARDS = 10
_KINDS = {"held": "Held", "appeal": "Appeals", "sample": "Random sample", "second": "Second review"}


@router.get("/console")
def queue(
    request: Request,
    service: Parts,
    actor: Person,
    site: str = "",
    label: str = "",
    kind: str = "",
    language: str = "",
    sort: Order = "priority",
) -> HTMLResponse:
    """Leases the next ten comments to who looks at the page, and shows them."""
    chosen = {"site": site, "label": label, "kind": kind, "language": language, "sort": sort}
    wanted = _filter(actor, chosen)
    with service.database.write() as tx:
        rows = items.claim(tx, actor.name, wanted, sort, _CARDS)
        found = reading.load(tx, [row.comment_id for row in rows])
        waiting = items.count(tx, wanted)
        pleas = _appeals(tx, [comment.id for comment in found])
    return page(
        "console_queue.html",
        request,
        actor,
        cards=[card(comment, pleas.get(comment.id)) for comment in found],
        waiting=waiting,
        chosen=chosen,
        query=urlencode({name: value for name, value in chosen.items() if value}),
        orders=ORDERS,
        kinds=_KINDS,
        **_choices(service, actor),
    )


@router.get("/console/cards")
def more_cards(
    request: Request,
    service: Parts,
    actor: Person,
    have: Annotated[tuple[int, ...], Query(max_length=200)] = (),
    site: str = "",
    label: str = "",
    kind: str = "",
    language: str = "",
    sort: Order = "priority",
) -> HTMLResponse:
    """Cards alone, without those that the page has, for a page that runs low; nothing where nothing waits."""
    chosen = {"site": site, "label": label, "kind": kind, "language": language, "sort": sort}
    with service.database.write() as tx:
        rows = items.claim(tx, actor.name, _filter(actor, chosen), sort, _CARDS + len(have))
        fresh = [row.comment_id for row in rows if row.id not in have][:_CARDS]
        found = reading.load(tx, fresh)
        pleas = _appeals(tx, fresh)
    return page(
        "console_cards.html",
        request,
        actor,
        cards=[card(comment, pleas.get(comment.id)) for comment in found],
        **_choices(service, actor),
    )


@router.post("/console/decide")
def decide(request: Request, service: Parts, actor: Person, form: Form) -> Response:
    """Decides one comment; answers a script with JSON, a browser without one with the queue."""
    try:
        comment = int(first(form, "comment"))
        ruling = Ruling(
            action=_action(form),
            labels=tuple(form.get("labels", [])),
            code=_code(form),
            note=first(form, "note").strip() or None,
            blind=first(form, "blind") == "1",
            revision=int(first(form, "revision")) if first(form, "revision") else None,
            after=int(first(form, "after")) if first(form, "after") else None,
            via="console",
        )
    except ValueError:
        raise Problem("invalid-request", "the form lacks the comment's number") from None
    check_labels(list(ruling.labels), service)
    with service.database.write() as tx:
        policy = service.policy.refresh(tx).policy
        row = rulings.rule(tx, actor.moderator, comment, ruling, policy)
    return _after(request, form, {"decision": row.id, "comment": comment, "action": row.action})


@router.post("/console/undo")
def undo(request: Request, service: Parts, actor: Person, form: Form) -> Response:
    """Takes a decision back; the comment is the next card again."""
    try:
        decision = int(first(form, "decision"))
    except ValueError:
        raise Problem("invalid-request", "the form lacks the decision's number") from None
    with service.database.write() as tx:
        policy = service.policy.refresh(tx).policy
        row = rulings.undo(tx, actor.moderator, decision, policy, any_actor=actor.may("administer"))
    return _after(request, form, {"decision": row.id, "comment": row.comment_id, "action": row.action})


@router.post("/console/bulk")
def bulk(request: Request, service: Parts, actor: Person, form: Form) -> Response:
    """Decides chosen comments, a campaign or an author's comments at once."""
    actor.require("decide in bulk")
    try:
        chosen = [int(value) for value in form.get("comments", [])]
        campaign = int(first(form, "campaign")) if first(form, "campaign") else None
        author = int(first(form, "author")) if first(form, "author") else None
    except ValueError:
        raise Problem("invalid-request", "the form names comments by their numbers") from None
    ruling = Ruling(
        action=_action(form), code=_code(form), note=first(form, "note").strip() or None, via="bulk"
    )
    with service.database.write() as tx:
        policy = service.policy.refresh(tx).policy
        done = rulings.rule_all(
            tx,
            actor.moderator,
            ruling,
            policy,
            campaign=campaign,
            author=author,
            chosen=chosen,
            queued_only=first(form, "scope", "queued") == "queued",
        )
    answer = {"decided": len(done.decided), "skipped": len(done.skipped), "decisions": done.decided}
    return _after(request, form, answer | {"action": ruling.action})


@router.post("/console/release")
def release(request: Request, service: Parts, actor: Person, form: Form) -> Response:
    """Gives back all that one holds."""
    with service.database.write() as tx:
        released = items.release(tx, actor.name)
    return _after(request, form, {"released": released})


def card(comment: Comment, plea: str | None = None) -> dict[str, Any]:
    """A comment with what its card shows."""
    spans = [EvidenceSpan.model_validate(span) for span in comment.evidence]
    return {
        "comment": comment,
        "segments": segments(comment.text or "", spans),
        "plea": plea,
        "probabilities": sorted(comment.probabilities.items(), key=lambda pair: -pair[1]),
    }


def _choices(service: Any, actor: Actor) -> dict[str, Any]:
    """What a card lets one choose from."""
    return {
        "labels": service.verdict.scorer.labels,
        "codes": MODERATOR_CODES,
        "may_bulk": actor.may("decide in bulk"),
    }


def _filter(actor: Actor, chosen: dict[str, str]) -> Filter:
    return Filter(
        sites=sites_of(actor, chosen["site"] or None),
        label=chosen["label"] or None,
        kind=chosen["kind"] or None,
        language=chosen["language"] or None,
        appeals=actor.may("answer appeals"),
    )


def _appeals(tx: Connection, ids: Sequence[int]) -> dict[int, str]:
    """What authors said in their open appeals."""
    query = select(appeals.c.comment_id, appeals.c.text).where(
        appeals.c.comment_id.in_(ids), appeals.c.state == "open"
    )
    return {row.comment_id: row.text or "" for row in tx.execute(query)}


def _action(form: dict[str, list[str]]) -> rulings.Action:
    actions: dict[str, rulings.Action] = {"publish": "publish", "hold": "hold", "reject": "reject"}
    try:
        return actions[first(form, "action")]
    except KeyError:
        raise Problem("invalid-request", "choose to publish, hold or reject") from None


def _code(form: dict[str, list[str]]) -> str:
    if _action(form) == "publish":
        return "none"
    code = first(form, "code", "other")
    return code if code in MODERATOR_CODES else "other"


def _after(request: Request, form: dict[str, list[str]], answer: dict[str, Any]) -> Response:
    if "json" in request.headers.get("accept", ""):
        return JSONResponse(answer)
    onward = first(form, "next", "/console")
    return redirect(onward if onward.startswith("/console") else "/console")
