"""The API: the queue, claims, decisions, and the log of them."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import StreamingResponse

from belowline.serve.api.comments import Reference, comment_id, sites_of
from belowline.serve.api.messages import (
    ActionAsked,
    AuthorAsked,
    BulkIn,
    BulkOut,
    CampaignAsked,
    ClaimIn,
    Cursor,
    DecisionIn,
    DecisionOut,
    Number,
    PageSize,
    ReleaseIn,
    SiteAsked,
    Table,
    ThreadAsked,
)
from belowline.serve.api.offers import OfferPage, offers
from belowline.serve.api.score import check_moment
from belowline.serve.http.auth import Actor, allowed
from belowline.serve.http.errors import Problem, documented, invalid_field
from belowline.serve.http.events import changes
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.json_body import JsonRoute
from belowline.serve.queue import decision_log, items, moderator_decisions
from belowline.serve.queue import idempotency as repeats
from belowline.serve.queue.items import Filter, Order
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.queue.statistics import Statistics, statistics
from belowline.serve.scoring.reason_codes import statement_of_reasons
from belowline.serve.store.database import digest
from belowline.serve.store.refusal import unknown

router = APIRouter(
    prefix="/v1",
    route_class=JsonRoute,
    tags=["queue"],
    responses=documented(400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 503),
)
Worker = Annotated[Actor, Depends(allowed("work the queue"))]
LogReader = Annotated[Actor, Depends(allowed("read the log"))]
IdempotencyKey = Annotated[
    str | None,
    Header(max_length=200, description="A request sent again under the same key gets the same answer."),
]
Days = Annotated[float | None, Query(ge=0, le=3650, description="Days that it has waited.")]
_LONGEST_ACTOR = 120
DecisionId = Annotated[Number, Path(description="Id of a decision.")]


@router.get("/queue", summary="List what waits for a moderator")
def queue(
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("read"))],
    site: SiteAsked = None,
    label: Annotated[str | None, Query(description="Only those held for this label.")] = None,
    code: Annotated[str | None, Query(description="Only those with this reason code.")] = None,
    action: ActionAsked = None,
    kind: Annotated[
        str | None,
        Query(pattern="^(held|sample|appeal|second)$", description="`held`, `sample`, `appeal` or `second`."),
    ] = None,
    thread: ThreadAsked = None,
    author: AuthorAsked = None,
    campaign: CampaignAsked = None,
    language: Annotated[str | None, Query(description="Such as `en`.")] = None,
    older_than: Days = None,
    newer_than: Days = None,
    unclaimed: Annotated[bool, Query(description="Only those that nobody holds.")] = False,
    sort: Annotated[Order, Query(description="Which come first.")] = "priority",
    limit: PageSize = 50,
    after: Cursor = None,
) -> OfferPage:
    """Every condition that is given must hold. The order `learn` is for training: comments near a threshold, every fourth drawn at random
    instead, and of near-copies one on each page."""
    wanted = Filter(
        sites=sites_of(actor, site),
        label=label,
        code=code,
        action=action,
        kind=kind,
        thread=thread,
        author=author,
        campaign=campaign,
        language=language,
        older_than=_days(older_than),
        newer_than=_days(newer_than),
        unclaimed=unclaimed,
    )
    with service.database.read() as tx:
        rows, following = items.page(tx, wanted, sort, limit, after)
        return offers(tx, [row.comment_id for row in rows], following, sort)


@router.post("/queue/claim", summary="Lease the next items")
def claim(service: ServiceDep, actor: Worker, request: ClaimIn) -> OfferPage:
    """For five minutes nobody else gets them; asking again renews the lease of those held already, which come first."""
    wanted = Filter(
        sites=sites_of(actor, request.site),
        label=request.label,
        kind=request.kind,
        language=request.language,
        appeals=actor.may("answer appeals"),
    )
    with service.database.write() as tx:
        rows = items.claim(tx, actor.name, wanted, request.sort, request.limit)
        return offers(tx, [row.comment_id for row in rows], None, request.sort)


@router.post("/queue/release", summary="Give items back")
def release(service: ServiceDep, actor: Worker, request: ReleaseIn) -> dict[str, int]:
    """Answers how many were yours."""
    with service.database.write() as tx:
        return {"released": items.release(tx, actor.name, request.items)}


@router.post("/comments/{reference:path}/decisions", status_code=201, summary="Decide a comment")
def decide(
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("read"))],
    reference: Reference,
    request: DecisionIn,
    idempotency_key: IdempotencyKey = None,
) -> DecisionOut:
    """A further decision replaces the one that stands and keeps it on record.

    With `made_by` it reports a decision that was made on the site; it bears the name of the key and of that moderator.
    """
    actor.require("report" if request.made_by else "work the queue")
    who = actor.moderator
    if request.made_by:
        who = replace(who, name=f"{actor.name}:{request.made_by}"[:_LONGEST_ACTOR])
    check_labels(request.labels, service)
    ruling = ModeratorDecision(
        action=request.action,
        labels=tuple(request.labels),
        **_reason(request),
        note=request.note,
        blind=request.blind,
        revision=request.revision,
        after=request.after,
        via="site" if request.made_by else "api",
        elsewhere=request.made_by is not None,
    )
    asked = digest(f"decide {reference} {request.model_dump_json()}")
    with service.database.write() as tx:

        def make() -> Table:
            policy = service.pair_in(tx).policy
            row = moderator_decisions.record_decision(
                tx, who, comment_id(tx, actor, reference), ruling, policy
            )
            return DecisionOut.model_validate(row).model_dump(mode="json")

        return DecisionOut.model_validate(repeats.once(tx, actor.name, idempotency_key, asked, make))


@router.post("/decisions/bulk", status_code=201, summary="Decide a campaign, an author's comments, or many")
def decide_many(
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("decide in bulk"))],
    request: BulkIn,
    idempotency_key: IdempotencyKey = None,
) -> BulkOut:
    """All in one transaction; at most 10,000 at once."""
    check_labels(request.labels, service)
    if sum((request.campaign is not None, request.author is not None, bool(request.comments))) != 1:
        raise Problem("invalid-request", "give exactly one of campaign, author and comments")
    ruling = ModeratorDecision(
        request.action, tuple(request.labels), **_reason(request), note=request.note, via="bulk"
    )
    asked = digest(f"bulk {request.model_dump_json()}")
    with service.database.write() as tx:

        def make() -> Table:
            done = moderator_decisions.rule_all(
                tx,
                actor.moderator,
                ruling,
                service.pair_in(tx).policy,
                campaign=request.campaign,
                author=request.author,
                chosen=request.comments,
                queued_only=request.queued_only,
            )
            return {"decisions": done.decided, "skipped": done.skipped}

        return BulkOut.model_validate(repeats.once(tx, actor.name, idempotency_key, asked, make))


@router.post("/decisions/{decision}/undo", status_code=201, summary="Take a decision back")
def undo(service: ServiceDep, actor: Worker, decision: DecisionId) -> DecisionOut:
    """By a further decision; the comment waits again if it did before. Others' decisions need an admin's key."""
    with service.database.write() as tx:
        policy = service.pair_in(tx).policy
        row = moderator_decisions.undo(
            tx, actor.moderator, decision, policy, any_actor=actor.may("administer")
        )
        return DecisionOut.model_validate(row)


@router.get(
    "/decisions",
    summary="Every decision as JSON lines, oldest first",
    responses={200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}},
    response_class=StreamingResponse,
)
def log(
    service: ServiceDep,
    actor: LogReader,
    since: Annotated[
        str | None, Query(description="Id of the last decision seen, or a time in ISO 8601.")
    ] = None,
    site: SiteAsked = None,
    people: Annotated[bool, Query(description="Only what people decided.")] = False,
) -> StreamingResponse:
    """One JSON object a line, without comments' texts; the id of the last one is `since` of the next call."""
    number, moment = _since(since)
    wanted = decision_log.LogFilter(sites=sites_of(actor, site), by_people=people, since=moment)
    rows = decision_log.stream(service.database, wanted, number)
    return StreamingResponse(_lines(rows), media_type="application/jsonl")


@router.get("/decisions/{decision:int}", summary="A decision")
def read_decision(service: ServiceDep, actor: LogReader, decision: DecisionId) -> Table:
    """With its comment's site and id."""
    return _decision(service, actor, decision)


@router.get("/decisions/{decision}/statement", summary="A statement of reasons for the author")
def statement(service: ServiceDep, actor: LogReader, decision: DecisionId) -> Table:
    """The fields of the EU's transparency database (DSA, Article 17), from the decision and its reason code."""
    return statement_of_reasons(_decision(service, actor, decision))


@router.get("/stats", summary="Figures of the queue and the decisions")
def stats(
    service: ServiceDep,
    actor: LogReader,
    days: Annotated[int, Query(ge=1, le=366, description="How many days, today among them.")] = 30,
    site: SiteAsked = None,
) -> Statistics:
    """Of the last `days` days, by day and label; what waits, and how good the decisions are."""
    with service.database.read() as tx:
        return statistics(tx, days, sites_of(actor, site))


@router.get("/events", summary="Server-sent events when the queue changes")
async def events(
    request: Request,
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("read"))],
    site: SiteAsked = None,
) -> StreamingResponse:
    """`queue` events with how many wait and the newest item's id; at most one a second."""
    sites = sites_of(actor, site)

    async def stream() -> AsyncIterator[str]:
        async for line in changes(service.database, sites, request.is_disconnected):
            yield line

    return StreamingResponse(stream(), media_type="text/event-stream")


def check_labels(labels: list[str], service: Service) -> None:
    """Raises Problem for a label that the model does not know."""
    known = service.pipeline.scorer.labels
    for index, label in enumerate(labels):
        if label not in known:
            raise invalid_field(f"labels[{index}]", f"is not a label; there are {', '.join(known)}")


def _reason(request: DecisionIn | BulkIn) -> dict[str, Any]:
    """The reason code and who chose it; a rejection without a code is ``other``, which says nothing of any label."""
    if request.code != "none":
        return {"code": request.code, "code_choice": "person"}
    rejects = request.action == "reject"
    return {"code": "other", "code_choice": "default"} if rejects else {"code": "none"}


def _decision(service: Service, actor: Actor, decision: int) -> Table:
    with service.database.read() as tx:
        found = decision_log.one(tx, decision)
    if found is None or not actor.moderator.sees(found["site"]):
        raise unknown("decision")
    return found


def _days(days: float | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _since(since: str | None) -> tuple[int, datetime | None]:
    if since is None:
        return 0, None
    if since.isdecimal() and len(since) < 16:
        return int(since), None
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise invalid_field(
            "since", "is neither a decision's id nor a time like 2026-11-25T12:00:00Z"
        ) from None
    check_moment(moment, "since")
    return 0, moment


def _lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    for row in rows:
        yield json.dumps(row, default=str, ensure_ascii=False) + "\n"
