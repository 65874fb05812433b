"""The console's log of decisions, with CSV, and its dashboard."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, StreamingResponse

from belowline.serve.api.comments import sites_of
from belowline.serve.console.charts import columns
from belowline.serve.console.session import Person, page
from belowline.serve.http.service import ServiceDep
from belowline.serve.queue import decision_log, reviews
from belowline.serve.queue.decision_log import LogFilter
from belowline.serve.queue.statistics import Statistics, statistics

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_COLUMNS = (
    *("id", "at", "site", "caller_id", "comment_id", "revision", "actor", "via", "action", "before", "code"),
    *("rule", "labels", "policy", "model", "blind", "undoes", "code_choice"),
)
_RISKY = ("=", "+", "-", "@", "\t", "\r")


@router.get("/console/log")
def log(
    request: Request,
    service: ServiceDep,
    actor: Person,
    who: str = "",
    action: str = "",
    people: bool = False,
    unclear: bool = False,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> HTMLResponse:
    """Decisions, newest first."""
    actor.require("read the log")
    wanted = LogFilter(actor.sites, who or None, action or None, by_people=people, unclear=unclear)
    with service.database.read() as tx:
        rows, following = decision_log.page(tx, wanted, 100, after)
    chosen = {"who": who, "action": action, "people": people, "unclear": unclear}
    return page("console_log.html", request, actor, rows=rows, following=following, chosen=chosen)


@router.get("/console/log.csv")
def log_csv(service: ServiceDep, actor: Person, people: bool = False) -> StreamingResponse:
    """Every decision, oldest first, as CSV, without comments' texts and notes."""
    actor.require("read the log")
    rows = decision_log.stream(service.database, LogFilter(actor.sites, by_people=people), 0)
    headers = {"Content-Disposition": 'attachment; filename="decisions.csv"'}
    return StreamingResponse(_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/console/dashboard")
def dashboard(
    request: Request,
    service: ServiceDep,
    actor: Person,
    days: Annotated[int, Query(ge=2, le=366)] = 14,
    site: str = "",
) -> HTMLResponse:
    """How much comes, waits and is decided, and how good the decisions are."""
    actor.require("read the log")
    with service.database.read() as tx:
        figures = statistics(tx, days, sites_of(actor, site or None))
        checks = reviews.results(tx)
    return page(
        "console_dashboard.html",
        request,
        actor,
        figures=figures,
        charts=_charts(figures),
        checks=checks,
        days=days,
        site=site,
    )


def _charts(figures: Statistics) -> list[tuple[str, Any]]:
    series: tuple[tuple[str, Any], ...] = (
        ("Received", figures.received),
        ("Held by the policy", figures.held),
        ("Decided by people", figures.decided),
        ("Overturned", figures.overturned),
    )
    return [
        (title, columns([(_day(day), number) for day, number in values.items()])) for title, values in series
    ]


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"


def _csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(_COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in _COLUMNS])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _cell(value: Any) -> str:
    """A value as a spreadsheet may read it without taking it for a formula."""
    if value is None:
        return ""
    text = " ".join(value) if isinstance(value, list) else str(value)
    return "'" + text if text.startswith(_RISKY) else text
