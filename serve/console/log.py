"""The console's log of decisions, and the same as CSV."""

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse, StreamingResponse

from belowline.serve.api.comments import sites_of
from belowline.serve.console.session import Console
from belowline.serve.http.errors import Problem, invalid_field
from belowline.serve.queue import decision_log
from belowline.serve.queue.decision_log import LogFilter
from belowline.serve.queue.log_rows import KINDS, readable, recent_actors
from belowline.serve.scoring.reason_codes import CODES
from belowline.serve.scoring.safe_text import cell
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import now

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_PAGE = 100
_COLUMNS = (
    *("id", "at", "site", "caller_id", "comment_id", "revision", "actor", "via", "action", "before", "code"),
    *("rule", "labels", "policy", "model", "blind", "undoes", "code_choice"),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The filter of the log as it was typed; ``people`` and ``unclear`` are older names of kinds."""

    who: str = ""
    action: str = ""
    kind: str = ""
    code: str = ""
    site: str = ""
    since: str = ""
    until: str = ""
    people: bool = False
    unclear: bool = False

    @property
    def shown_kind(self) -> str:
        """The kind of decisions, empty for all."""
        return self.kind or ("people" if self.people else "unclear" if self.unclear else "")

    @property
    def query(self) -> str:
        """The part of the page's address, without the cursor."""
        own = asdict(self) | {"kind": self.shown_kind, "people": False, "unclear": False}
        return urlencode({name: value for name, value in own.items() if value})

    def filter(self, actor: Actor) -> LogFilter:
        """The store's filter, limited to the sites of ``actor``; raises Problem for a value that cannot be."""
        if self.shown_kind not in (*KINDS, ""):
            raise invalid_field("kind", "is not one of the list; choose one")
        until = _day("to", self.until)
        return LogFilter(
            sites_of(actor, self.site.strip() or None),
            self.who.strip() or None,
            self.action or None,
            since=_day("from", self.since),
            until=until and until + timedelta(days=1),
            kind=self.shown_kind or None,
            code=self.code or None,
        )


ChosenDep = Annotated[Chosen, Depends()]
After = Annotated[str | None, Query(max_length=200)]


@router.get("/console/log")
def log(console: Console, chosen: ChosenDep, after: After = None) -> HTMLResponse:
    """Decisions, newest first; a filter that cannot be keeps what was typed."""
    actor = console.actor
    actor.require("read the log")
    values: dict[str, Any] = {"chosen": chosen, "kinds": KINDS, "codes": CODES, "problem": None}
    values["year"] = now().year
    with console.service.database.read() as tx:
        values["actors"] = recent_actors(tx, actor.sites)
        try:
            wanted = chosen.filter(actor)
        except Problem as problem:
            values |= {"problem": problem.detail, "rows": [], "following": None}
            return console.page("console_log.html", 422, **values)
        rows, values["following"] = decision_log.page(tx, wanted, _PAGE, after)
        values["rows"] = readable(tx, rows, actor)
    return console.page("console_log.html", **values)


@router.get("/console/log.csv")
def log_csv(console: Console, chosen: ChosenDep) -> StreamingResponse:
    """All decisions of the filter as CSV, oldest first, without texts and notes."""
    console.actor.require("read the log")
    rows = decision_log.stream(console.service.database, chosen.filter(console.actor), 0)
    headers = {"Content-Disposition": 'attachment; filename="decisions.csv"'}
    return StreamingResponse(_csv(rows), media_type="text/csv; charset=utf-8", headers=headers)


def _day(name: str, text: str) -> datetime | None:
    """The first moment of a day in UTC, None for an empty text; raises Problem for anything else."""
    if not text.strip():
        return None
    try:
        moment = datetime.strptime(text.strip(), "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise invalid_field(name, "must be a day such as 2026-11-30") from None
    if not 1970 <= moment.year < 9999:  # the day after must be in the calendar
        raise invalid_field(name, "must be a day of this era")
    return moment


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
