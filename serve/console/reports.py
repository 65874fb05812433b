"""The console's log of decisions, with CSV, and its dashboard."""

import csv
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, StreamingResponse

from belowline.serve.api.comments import sites_of
from belowline.serve.console.session import Console
from belowline.serve.queue import decision_log, reviews
from belowline.serve.queue.decision_log import LogFilter
from belowline.serve.queue.statistics import statistics
from belowline.serve.scoring.safe_text import cell

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_COLUMNS = (
    *("id", "at", "site", "caller_id", "comment_id", "revision", "actor", "via", "action", "before", "code"),
    *("rule", "labels", "policy", "model", "blind", "undoes", "code_choice"),
)


@router.get("/console/log")
def log(
    console: Console,
    who: str = "",
    action: str = "",
    people: bool = False,
    unclear: bool = False,
    after: Annotated[str | None, Query(max_length=200)] = None,
) -> HTMLResponse:
    """Decisions, newest first."""
    console.actor.require("read the log")
    wanted = LogFilter(console.actor.sites, who or None, action or None, by_people=people, unclear=unclear)
    with console.service.database.read() as tx:
        rows, following = decision_log.page(tx, wanted, 100, after)
    chosen = {"who": who, "action": action, "people": people, "unclear": unclear}
    return console.page("console_log.html", rows=rows, following=following, chosen=chosen)


@router.get("/console/log.csv")
def log_csv(console: Console, people: bool = False) -> StreamingResponse:
    """All decisions as CSV, oldest first, without texts and notes."""
    console.actor.require("read the log")
    wanted = LogFilter(console.actor.sites, by_people=people)
    rows = decision_log.stream(console.service.database, wanted, 0)
    headers = {"Content-Disposition": 'attachment; filename="decisions.csv"'}
    return StreamingResponse(_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/console/dashboard")
def dashboard(
    console: Console, days: Annotated[int, Query(ge=2, le=366)] = 14, site: str = ""
) -> HTMLResponse:
    """Comments received, waiting and decided, and the agreement of moderators."""
    console.actor.require("read the log")
    with console.service.database.read() as tx:
        figures = statistics(tx, days, sites_of(console.actor, site or None))
        checks = reviews.results(tx)
    charts = {
        "Received": figures.received,
        "Held by the policy": figures.held,
        "Decided by moderators": figures.decided,
        "Overturned": figures.overturned,
    }
    return console.page(
        "console_dashboard.html", figures=figures, charts=charts, checks=checks, days=days, site=site
    )


class _Lines:
    """A file for ``csv.writer``, whose ``writerow`` then returns the line."""

    def write(self, line: str) -> str:
        return line


def _csv(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    writer = csv.writer(_Lines())
    yield writer.writerow(_COLUMNS)
    for row in rows:
        values = (row[name] for name in _COLUMNS)
        yield writer.writerow(
            [cell(" ".join(value) if isinstance(value, list) else value) for value in values]
        )
