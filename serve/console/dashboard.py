"""The console's dashboard: comments received, waiting and decided, by day, week and day of the week."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection

from belowline.model.policy import label_code
from belowline.serve.api.comments import sites_of
from belowline.serve.console.session import Console, ConsoleRequest
from belowline.serve.http.errors import Problem, invalid_field
from belowline.serve.queue import reviews
from belowline.serve.queue.moderator_pace import Pace, moderator_pace
from belowline.serve.queue.sites import known_sites
from belowline.serve.queue.statistics import Statistics, statistics
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_DAYS = 14
_MOST_DAYS = 366
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LOW = 10
"""A chart reaches at least this height, so that one busy day among empty ones does not look like many comments."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A number by day; ``kind`` is the kind of decisions in the log that it counts."""

    title: str
    kind: str
    meaning: str
    days: Mapping[date, int]

    @property
    def total(self) -> int:
        """The sum of all days."""
        return sum(self.days.values())

    @property
    def top(self) -> int:
        """The height of the chart."""
        return max(*self.days.values(), _LOW)

    def by_week(self) -> dict[date, int]:
        """Return the sums of calendar weeks, by their Mondays."""
        weeks: dict[date, int] = {}
        for day, number in self.days.items():
            monday = day - timedelta(days=day.weekday())
            weeks[monday] = weeks.get(monday, 0) + number
        return weeks

    def by_weekday(self) -> list[float]:
        """Return the mean number of each day of the week, Monday first; 0 for days that do not occur."""
        numbers: list[list[int]] = [[] for _ in _WEEKDAYS]
        for day, number in self.days.items():
            numbers[day.weekday()].append(number)
        return [sum(own) / len(own) if own else 0.0 for own in numbers]


@router.get("/console/dashboard")
def dashboard(console: Console, days: str = str(_DAYS), site: str = "") -> HTMLResponse:
    """The figures of the last days, for all sites or for one; a filter that cannot be keeps what was typed."""
    actor = console.actor
    actor.require("read the log")
    typed: dict[str, Any] = {"days": days, "site": site, "problem": None}
    with console.service.database.read() as tx:
        sites = known_sites(tx, actor.sites)
        try:
            number, chosen = _number_of(days), sites_of(actor, site.strip() or None)
        except (Problem, Refusal) as problem:
            typed |= {"problem": problem.detail}
            return console.page("console_dashboard.html", 422, **typed, sites=sites, figures=None)
        figures = statistics(tx, number, chosen)
        values = _values(console, tx, figures, chosen)
    since = min(figures.received).isoformat()

    def in_log(kind: str, **more: str) -> str:
        """Address of the decisions in the log that a number counts."""
        own = {"kind": kind, "since": since, "site": site.strip(), **more}
        return "/console/log?" + urlencode({name: value for name, value in own.items() if value})

    return console.page(
        "console_dashboard.html", **typed, **values, sites=sites, figures=figures, in_log=in_log
    )


def _values(
    console: ConsoleRequest, tx: Connection, figures: Statistics, sites: tuple[str, ...]
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "charts": _charts(figures),
        "weekdays": _WEEKDAYS,
        "week": timedelta(days=6),
        "first": min(figures.received).isoformat(),
        "label_code": label_code,
        "moderators": None,
    }
    if console.actor.may("administer"):
        start = datetime.combine(min(figures.received), datetime.min.time(), now().tzinfo)
        values["moderators"] = _moderators(tx, figures, moderator_pace(tx, start, sites))
    return values


def _charts(figures: Statistics) -> list[Chart]:
    return [
        Chart("Received", "received", "Comments that came in.", figures.received),
        Chart("Held by the policy", "held", "Comments that the policy put into the queue.", figures.held),
        Chart(
            "Decided by moderators",
            "final",
            "Published or rejected by a person, and not undone.",
            figures.decided,
        ),
        Chart(
            "Overturned",
            "overturned",
            "Decisions that changed a published comment to rejected, or the reverse. A held comment has no "
            "decision yet, so to publish or reject it is none of these.",
            figures.overturned,
        ),
    ]


def _moderators(tx: Connection, figures: Statistics, pace: Mapping[str, Pace]) -> list[dict[str, Any]]:
    checks = {(row.actor, row.kind): row for row in reviews.results(tx)}
    names = [*figures.by_moderator, *sorted({actor for actor, _ in checks} - figures.by_moderator.keys())]
    return [
        {
            "name": name,
            "decided": figures.by_moderator.get(name, 0),
            "pace": pace.get(name, Pace(0, None)),
            "golden": checks.get((name, "golden")),
            "second": checks.get((name, "second")),
        }
        for name in names
    ]


def _number_of(days: str) -> int:
    text = days.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 5 and 2 <= int(text) <= _MOST_DAYS):
        raise invalid_field("days", f"must be a whole number from 2 to {_MOST_DAYS}")
    return int(text)
