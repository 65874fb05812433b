"""The API: the queue, claims, decisions, and the decision log."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from sqlalchemy import Connection

from belowline.model import Policy
from belowline.serve.api.comments import Reader, Reference, comment_id, comment_page, sites_of
from belowline.serve.api.decision_reason import agreeing
from belowline.serve.api.messages import (
    BulkIn,
    BulkOut,
    ClaimIn,
    CommentPage,
    DecisionIn,
    Moment,
    Number,
    QueueQuery,
    ReleaseIn,
    SiteQuery,
    Table,
)
from belowline.serve.http.auth import allowed
from belowline.serve.http.errors import Problem, api_router, invalid_field
from belowline.serve.http.events import changes
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.queue import decision_log, moderator_decisions, queue_items
from belowline.serve.queue.comments import DecisionOut
from belowline.serve.queue.idempotency import run_once
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.queue.queue_items import Filter
from belowline.serve.queue.statistics import Statistics, statistics
from belowline.serve.scoring.reason_codes import NO_REASON, statement_of_reasons
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import digest
from belowline.serve.store.refusal import unknown

router = api_router("queue", 404, 409)
Worker = Annotated[Actor, Depends(allowed("work the queue"))]
LogReader = Annotated[Actor, Depends(allowed("read the log"))]
IdempotencyKey = Annotated[
    str | None,
    Header(max_length=200, description="A request sent again under the same key gets the same answer."),
]
DecisionId = Annotated[Number, Path(description="Id of a decision.")]
_LONGEST_ACTOR = 120


@router.get("/queue", summary="List open queue items")
def queue(service: ServiceDep, actor: Reader, query: Annotated[QueueQuery, Query()]) -> CommentPage:
    """Comments in the queue for which all conditions hold."""
    reader = actor if query.escalated else None
    wanted = Filter(sites_of(actor, query.site), reader=reader, **query.conditions())
    with service.database.read() as tx:
        rows, following = queue_items.page(tx, wanted, query.sort, query.limit, query.after)
        return comment_page(tx, [row.comment_id for row in rows], following)


@router.post("/queue/claim", summary="Claim the next items")
def claim(service: ServiceDep, actor: Worker, request: ClaimIn) -> CommentPage:
    """A claim lasts five minutes. It renews the items that you already hold, which come first."""
    conditions = request.model_dump(include={"label", "kind", "language", "escalated"})
    conditions |= {"appeals": actor.may("answer appeals"), "reader": actor}
    wanted = Filter(sites_of(actor, request.site), **conditions)
    with service.database.write() as tx:
        rows = queue_items.claim(tx, actor.name, wanted, request.sort, request.limit)
        return comment_page(tx, [row.comment_id for row in rows])


@router.post("/queue/release", summary="Release items")
def release(service: ServiceDep, actor: Worker, request: ReleaseIn) -> dict[str, int]:
    """The answer has the number of items that you held."""
    with service.database.write() as tx:
        return {"released": queue_items.release(tx, actor.name, request.items)}


@router.post("/comments/{reference:path}/decisions", status_code=201, summary="Decide a comment")
def decide(
    service: ServiceDep,
    actor: Reader,
    reference: Reference,
    request: DecisionIn,
    idempotency_key: IdempotencyKey = None,
) -> DecisionOut:
    """A later decision replaces the current one, which stays in the log.

    With `made_by` the call reports a decision made on the site; the decision has the name of the key and of
    that moderator.
    """
    actor.require("report" if request.made_by else "work the queue")
    who = actor
    if request.made_by:
        who = replace(actor, name=f"{actor.name}:{request.made_by}"[:_LONGEST_ACTOR])
    decision = replace(
        _decision_of(request, service),
        blind=request.blind,
        revision=request.revision,
        after=request.after,
        via="site" if request.made_by else "api",
        elsewhere=request.made_by is not None,
    )

    def make(tx: Connection, policy: Policy) -> Table:
        comment = comment_id(tx, actor, reference)
        row = moderator_decisions.record_decision(tx, who, comment, decision, policy)
        return DecisionOut.model_validate(row).model_dump(mode="json")

    asked = f"decide {reference} {request.model_dump_json()}"
    return DecisionOut.model_validate(_once(service, actor, idempotency_key, asked, make))


@router.post("/decisions/bulk", status_code=201, summary="Decide many comments at once")
def decide_many(
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("decide in bulk"))],
    request: BulkIn,
    idempotency_key: IdempotencyKey = None,
) -> BulkOut:
    """Decides at most 10,000 comments in one transaction."""
    decision = replace(_decision_of(request, service), via="bulk")
    if sum((request.campaign is not None, request.author is not None, bool(request.comments))) != 1:
        raise Problem("invalid-request", "give exactly one of campaign, author and comments")

    def make(tx: Connection, policy: Policy) -> Table:
        result = moderator_decisions.record_for_all(
            tx,
            actor,
            decision,
            policy,
            campaign=request.campaign,
            author=request.author,
            chosen=request.comments,
            queued_only=request.queued_only,
        )
        return {"decisions": result.decisions, "skipped": result.skipped, "act": result.act}

    asked = f"bulk {request.model_dump_json()}"
    return BulkOut.model_validate(_once(service, actor, idempotency_key, asked, make))


@router.post("/decisions/{decision}/undo", status_code=201, summary="Undo a decision")
def undo(service: ServiceDep, actor: Worker, decision: DecisionId) -> DecisionOut:
    """Adds a decision that restores the earlier action, and reopens the queue item.

    An admin can undo other moderators' decisions.
    """
    with service.database.write() as tx:
        row = moderator_decisions.undo(tx, actor, decision, service.pair_in(tx).policy)
        return DecisionOut.model_validate(row)


@router.get(
    "/decisions",
    summary="All decisions as JSON lines, oldest first",
    responses={200: {"content": {"application/jsonl": {"schema": {"type": "string"}}}}},
    response_class=StreamingResponse,
)
def log(
    service: ServiceDep,
    actor: LogReader,
    since: Annotated[
        str | None, Query(description="Id of the last decision seen, or a time in ISO 8601.")
    ] = None,
    site: SiteQuery = None,
    people: Annotated[bool, Query(description="Only decisions of people.")] = False,
) -> StreamingResponse:
    """One JSON object a line, without comment text; pass the last `id` as `since` to the next call."""
    number, moment = _since(since)
    kind = "people" if people else None
    wanted = decision_log.LogFilter(sites=sites_of(actor, site), kind=kind, since=moment)
    rows = decision_log.stream(service.database, wanted, number)
    lines = (to_json(row) + b"\n" for row in rows)
    return StreamingResponse(lines, media_type="application/jsonl")


@router.get("/decisions/{decision:int}", summary="A decision")
def read_decision(service: ServiceDep, actor: LogReader, decision: DecisionId) -> Table:
    """With the site and ids of its comment."""
    with service.database.read() as tx:
        row = decision_log.read(tx, decision)
    if row is None or not actor.sees(row["site"]):
        raise unknown("decision")
    return row


@router.get("/decisions/{decision}/statement", summary="A statement of reasons for the author")
def statement(service: ServiceDep, actor: LogReader, decision: DecisionId) -> Table:
    """The fields of the EU's transparency database (DSA, Article 17), from the decision and its reason code."""
    return statement_of_reasons(read_decision(service, actor, decision))


@router.get("/stats", summary="Statistics of the queue and the decisions")
def stats(
    service: ServiceDep,
    actor: LogReader,
    days: Annotated[int, Query(ge=1, le=366, description="Number of days, today included.")] = 30,
    site: SiteQuery = None,
) -> Statistics:
    """Decisions by day and label over the last `days` days, the backlog, and the agreement of moderators."""
    with service.database.read() as tx:
        return statistics(tx, days, sites_of(actor, site))


@router.get("/events", summary="Server-sent events when the queue changes")
async def events(
    request: Request, service: ServiceDep, actor: Reader, site: SiteQuery = None
) -> StreamingResponse:
    """`queue` events with the number of open items and the id of the newest item; at most one a second."""
    sites = sites_of(actor, site)

    async def stream() -> AsyncIterator[str]:
        async for line in changes(service.database, sites, request.is_disconnected):
            yield line

    return StreamingResponse(stream(), media_type="text/event-stream")


def check_labels(labels: tuple[str, ...], service: Service) -> None:
    """Raise Problem for a label that the model does not have."""
    known = service.pipeline.scorer.labels
    for index, label in enumerate(labels):
        if label not in known:
            raise invalid_field(f"labels[{index}]", f"is not a label; the labels are {', '.join(known)}")


def _decision_of(request: DecisionIn | BulkIn, service: Service) -> ModeratorDecision:
    """Return the requested decision.

    A rejection without a reason code gets that of its labels, or ``other``, which says nothing about labels.
    """
    decision = ModeratorDecision(
        request.action, tuple(request.labels), note=request.note, message=request.message
    )
    check_labels(decision.labels, service)
    if request.code != "none":
        decision = replace(decision, code=request.code, code_choice="person")
    elif request.action == "reject":
        decision = replace(decision, code=NO_REASON, code_choice="default")
    return agreeing(decision, service.pipeline.scorer.labels)


def _once(
    service: Service, actor: Actor, key: str | None, asked: str, make: Callable[[Connection, Policy], Table]
) -> Table:
    """Call ``make`` in a transaction, once for each idempotency key of ``actor``."""
    with service.database.write() as tx:
        return run_once(tx, actor.name, key, digest(asked), lambda: make(tx, service.pair_in(tx).policy))


def _since(since: str | None) -> tuple[int, datetime | None]:
    if since is None:
        return 0, None
    if since.isdecimal() and len(since) < 16:
        return int(since), None
    try:
        return 0, TypeAdapter(Moment).validate_python(since)
    except ValidationError:
        wanted = "is neither a decision's id nor a time with a zone like 2026-11-25T12:00:00Z"
        raise invalid_field("since", wanted) from None
