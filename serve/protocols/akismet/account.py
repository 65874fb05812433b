"""Akismet's calls about a key, its counts by month and site, and the key and the site that every call names."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal, get_args

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import Connection, Row, select
from starlette.concurrency import run_in_threadpool

from belowline.serve.http.auth import authenticate
from belowline.serve.http.errors import invalid_field
from belowline.serve.http.service import ServiceDep
from belowline.serve.protocols.akismet.messages import Call, read_call, site_of
from belowline.serve.protocols.protocol import only_site
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now, upsert
from belowline.serve.store.tables import usage

_INTERVALS: Mapping[str, timedelta] = {"60-days": timedelta(days=60), "6-months": timedelta(days=182)}
Counted = Literal["spam", "ham", "missed_spam", "false_positives"]
COUNTED: tuple[str, ...] = get_args(Counted)
router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)


async def read_as(request: Request, permission: str) -> tuple[Call, Actor]:
    """The fields of a call and the owner of its key; raises Problem unless the key's role has the ``permission``."""
    call = await read_call(request)
    actor = await authenticate(request, call.key or _host_key(request), any_key=True)
    actor.require(permission)
    return call, actor


def site_named(call: Call, actor: Actor) -> str:
    """The site of ``blog``, or the key's only site; raises Problem without one, or if the key is for others."""
    blog = call.get("blog")
    site = site_of(blog) if blog else only_site(actor)
    if not site:
        raise invalid_field("blog", "is not the address of a site" if blog else "is missing; add it")
    actor.require_site(site)
    return site


@router.get("/1.1/test")
async def connectivity() -> PlainTextResponse:
    """`connected`, without a key."""
    return PlainTextResponse("connected")


@router.post("/1.1/verify-key")
async def verify_key(request: Request) -> PlainTextResponse:
    """`valid`, or `invalid` for an unknown key and for a key of other sites."""
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
    """Totals and counts of whole months; an interval begins with the month of its first day."""
    call, actor = await read_as(request, "score")
    site, reach = site_named(call, actor), _INTERVALS.get(call.get("from"))
    since = "" if reach is None else f"{now() - reach:%Y-%m}"

    def months() -> Sequence[Row[Any]]:
        with service.database.read() as tx:
            return by_month(tx, actor.name, site, since)

    return JSONResponse(_stats(await run_in_threadpool(months)))


@router.post("/1.1/deactivate")
async def deactivate(request: Request) -> PlainTextResponse:
    """`deactivated`; the key stays valid until an admin revokes it, because the plugin may be activated again."""
    await read_as(request, "score")
    return PlainTextResponse("deactivated")


def count(tx: Connection, actor: str, site: str, what: Counted) -> None:
    """Adds one to this month's ``what``."""
    key = {"month": this_month(), "actor": actor, "site": site}
    upsert(tx, usage, key, ("month", "actor", "site"), add={**dict.fromkeys(COUNTED, 0), what: 1})


def this_month() -> str:
    """The current month, such as 2026-11."""
    return f"{now():%Y-%m}"


def by_month(tx: Connection, actor: str, site: str, since: str) -> Sequence[Row[Any]]:
    """The counts of one key on one site for each month from ``since`` on, such as 2026-06, in order."""
    columns = (usage.c[name] for name in ("month", *COUNTED))
    where = usage.c.actor == actor, usage.c.site == site, usage.c.month >= since
    return tx.execute(select(*columns).where(*where).order_by(usage.c.month)).all()


def _stats(months: Sequence[Row[Any]]) -> dict[str, Any]:
    """Totals with the percentage of right answers, and the counts of each month; without any, zeros for this month."""
    counts = {row.month: {name: row._mapping[name] for name in COUNTED} for row in months}
    totals = {name: sum(month[name] for month in counts.values()) for name in COUNTED}
    checked, wrong = totals["spam"] + totals["ham"], totals["missed_spam"] + totals["false_positives"]
    accuracy = round(100 * max(0.0, 1 - wrong / checked), 2) if checked else 100.0
    counts = counts or {this_month(): totals}
    breakdown = {month: {**numbers, "da": f"{month}-01"} for month, numbers in counts.items()}
    # Akismet estimates the time that a site has saved; belowline does not measure it.
    return {**totals, "accuracy": accuracy, "time_saved": 0, "breakdown": breakdown}


def _host_key(request: Request) -> str:
    """The first label of the host name, which is a key in Akismet's older form; empty if a header carries a key."""
    if "authorization" in request.headers or "x-api-key" in request.headers:
        return ""
    label, dot, _ = request.headers.get("host", "").partition(".")
    return label if dot else ""
