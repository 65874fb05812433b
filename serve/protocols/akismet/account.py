"""Akismet's calls about a key: whether it is valid, what it is used for, and what the WordPress plugin asks before it is active."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from sqlalchemy import Row
from starlette.concurrency import run_in_threadpool

from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.akismet import usage
from belowline.serve.protocols.akismet.access import read_as, site_named
from belowline.serve.protocols.akismet.messages import Listing
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now

_INTERVALS: Mapping[str, timedelta] = {"60-days": timedelta(days=60), "6-months": timedelta(days=182)}
_COUNTED = ("spam", "ham", "missed_spam", "false_positives")
router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)


@router.get("/1.1/test")
async def connectivity() -> PlainTextResponse:
    """`connected`; no key is asked for."""
    return PlainTextResponse("connected")


@router.post("/1.1/verify-key")
async def verify_key(request: Request) -> PlainTextResponse:
    """`valid`, or `invalid` for an unknown key and for one that is for other sites."""
    call, actor = await read_as(request, "score")
    if call.get("blog"):
        site_named(call, actor)
    return PlainTextResponse("valid")


@router.post("/1.1/get-subscription")
async def get_subscription(request: Request) -> JSONResponse:
    """Always active and never billed; the WordPress plugin shows `account_name` as the kind of subscription."""
    _, actor = await read_as(request, "score")
    account = {"account_id": actor.name, "account_name": "belowline", "account_type": "belowline"}
    return JSONResponse({"status": "active", "next_billing_date": False, "limit_reached": False, **account})


@router.post("/1.1/get-stats")
async def get_stats(request: Request, service: ServiceDep) -> JSONResponse:
    """Totals of whole months, and each month; an interval begins with the month of its first day."""
    call, actor = await read_as(request, "score")
    site, reach = site_named(call, actor), _INTERVALS.get(call.get("from"))
    since = "" if reach is None else f"{now() - reach:%Y-%m}"
    return JSONResponse(_stats(await run_in_threadpool(_months, service, actor, site, since)))


@router.post("/1.1/deactivate")
async def deactivate(request: Request) -> PlainTextResponse:
    """`deactivated`; the key stays valid until an admin revokes it, for the plugin may be activated again."""
    await read_as(request, "score")
    return PlainTextResponse("deactivated")


@router.get("/1.2/usage-limit")
@router.post("/1.2/usage-limit")
async def usage_limit(request: Request, service: ServiceDep) -> Response:
    """How many comments the key asked about this month; there is no limit."""
    _, actor = await read_as(request, "score")
    used = await run_in_threadpool(_used, service, actor)
    return JSONResponse({"limit": "none", "usage": used, "percentage": "0.00", "throttled": False})


@router.get("/1.2/key-sites")
@router.post("/1.2/key-sites")
async def key_sites(request: Request, service: ServiceDep) -> Response:
    """What became of a month's comments, by site."""
    call, actor = await read_as(request, "score")
    asked = Listing.of(call)
    rows, total = await run_in_threadpool(_sites, service, actor, asked)
    if asked.format == "json":
        sites = [{**_numbers(row), "is_revoked": False} for row in rows]
        page = {"limit": asked.limit, "offset": asked.offset, "total": total}
        return JSONResponse({asked.month: sites, **page})
    lines = [
        f"Active sites for {actor.name} during {asked.month} "
        f"(limit:{asked.limit}, offset: {asked.offset}, total: {total})",
        "Site,Total API Calls,Spam,Ham,Missed Spam,False Positives,Is Revoked",
        *(",".join([*_numbers(row).values(), "false"]) for row in rows),
    ]
    return Response("\n".join(lines), media_type="text/csv")


def _months(service: Service, actor: Actor, site: str, since: str) -> Sequence[Row[Any]]:
    with service.database.read() as tx:
        return usage.by_month(tx, actor.name, site, since)


def _stats(months: Sequence[Row[Any]]) -> dict[str, Any]:
    """Totals with the share of right answers in percent, and the numbers of each month, of this one in any case."""
    totals = {name: sum(row._mapping[name] for row in months) for name in _COUNTED}
    checked, wrong = totals["spam"] + totals["ham"], totals["missed_spam"] + totals["false_positives"]
    accuracy = round(100 * max(0.0, 1 - wrong / checked), 2) if checked else 100.0
    breakdown = {usage.this_month(): dict.fromkeys(_COUNTED, 0)}
    breakdown = {row.month: {name: row._mapping[name] for name in _COUNTED} for row in months} or breakdown
    each = {month: {**numbers, "da": f"{month}-01"} for month, numbers in breakdown.items()}
    # Akismet estimates the time that a site has saved; nobody measures it here.
    return {**totals, "accuracy": accuracy, "time_saved": 0, "breakdown": each}


def _used(service: Service, actor: Actor) -> int:
    with service.database.read() as tx:
        return usage.total(tx, actor.name, usage.this_month())


def _sites(service: Service, actor: Actor, asked: Listing) -> tuple[Sequence[Row[Any]], int]:
    part = asked.filter.rpartition("://")[2].rstrip("/")
    with service.database.read() as tx:
        return usage.by_site(tx, actor.name, asked.month, part, asked.order, asked.limit, asked.offset)


def _numbers(row: Row[Any]) -> Mapping[str, str]:
    """A site and its numbers, which Akismet writes as strings."""
    counted = {name: str(row._mapping[name]) for name in _COUNTED}
    return {"site": row.site, "api_calls": str(row.total), **counted}
