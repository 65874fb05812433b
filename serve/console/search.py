"""The console's search: comments by words, author, id and date."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from belowline.serve.api.comments import sites_of
from belowline.serve.console.browse import After
from belowline.serve.console.queue import card
from belowline.serve.console.session import Console
from belowline.serve.http.errors import invalid_field
from belowline.serve.queue import card_claims, comments
from belowline.serve.queue.queue_items import Filter

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_PAGE = 50
_DAY = re.compile(r"\b(\d{4}-\d{2}-\d{2})(?:\.\.(\d{4}-\d{2}-\d{2}))?\b")
_ONE_DAY = timedelta(days=1)


@router.get("/console/search")
def search(
    console: Console,
    words: Annotated[str, Query(max_length=200)] = "",
    site: str = "",
    action: str = "",
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(alias="to", max_length=10)] = "",
    after: After = None,
) -> HTMLResponse:
    """Comments by words, author, id or date; a date among the words counts as a day, ``from..to`` as several."""
    fields = {"words": words, "site": site, "action": action, "from": since, "to": until}
    rest, first, last = _dates(words, since, until)
    wanted = comments.Search(
        sites_of(console.actor, site or None),
        anything=rest or None,
        action=action or None,
        since=first,
        until=last,
    )
    with console.service.database.read() as tx:
        page, following = comments.search(tx, wanted, _PAGE, after)
        sites = card_claims.waiting(tx, Filter(), console.actor.sites)["site"]
    cards: list[dict[str, Any]] = [card(comment, blind=console.blind) for comment in page]
    return console.page("console_search.html", cards=cards, following=following, fields=fields, sites=sites)


def _dates(words: str, since: str, until: str) -> tuple[str, datetime | None, datetime | None]:
    """The words without their date, and the bounds in time that both give; raises Problem for a wrong date."""
    found = _DAY.search(words)
    rest = _DAY.sub(" ", words, count=1) if found and not (since or until) else words
    if found and not (since or until):
        since, until = found[1], found[2] or found[1]
    first, last = _day("from", since), _day("to", until)
    return " ".join(rest.split()), first, last + _ONE_DAY if last else None


def _day(field: str, text: str) -> datetime | None:
    """The beginning of a day in UTC, None without one; raises Problem for a wrong date."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) if day < date.max - _ONE_DAY else None
    except ValueError:
        raise invalid_field(field, "is not a date; write it like 2026-11-29") from None
