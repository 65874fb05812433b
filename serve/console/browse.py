"""The console's other views of comments: one with its history, an author, a campaign, a search."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy import select

from belowline.serve.api import comments as api
from belowline.serve.api.messages import Number
from belowline.serve.console.queue import card, choices
from belowline.serve.console.session import Console, ConsoleRequest, FormDep, redirect
from belowline.serve.console.toasts import standing_words
from belowline.serve.queue import comments, queue_items
from belowline.serve.queue.comments import CommentOut
from belowline.serve.scoring.reason_codes import MODERATOR_CODES
from belowline.serve.store.refusal import unknown
from belowline.serve.store.tables import golden

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Id = Annotated[Number, Path()]
After = Annotated[str | None, Query(max_length=200)]
_PAGE = 50


@router.get("/console/comments/{number}")
def comment(console: Console, number: Id) -> HTMLResponse:
    """A comment with its revisions, decisions and appeals."""
    shown = api.read(console.service, console.actor, str(number))
    with console.service.database.read() as tx:
        is_golden = tx.execute(select(golden.c.action).where(golden.c.comment_id == shown.id)).scalar()
    one = card(shown, blind=console.blind, policy=console.service.pipeline.policy)
    values: dict[str, Any] = {"one": one, "history": shown, "golden": is_golden}
    return console.page("console_comment.html", **values, **choices(console))


@router.get("/console/comments/{number}/text")
def whole_text(console: Console, number: Id) -> PlainTextResponse:
    """The text of a comment that is too long for a page."""
    text = api.read(console.service, console.actor, str(number)).text
    if text is None:
        raise unknown("comment")
    return PlainTextResponse(text)


@router.post("/console/comments/{number}/golden")
def toggle_golden(console: Console, number: Id, form: FormDep) -> Response:
    """Makes a comment a golden item of the quality check, or removes it from there."""
    console.actor.require("administer")
    change = api.drop_golden if "drop" in form else api.make_golden
    change(console.service, console.actor, str(number))
    return redirect(f"/console/comments/{number}")


@router.post("/console/comments/{number}/erase")
def erase(console: Console, number: Id) -> Response:
    """Erases a comment."""
    console.actor.require("erase")
    api.erase(console.service, console.actor, str(number))
    return redirect(f"/console/comments/{number}")


@router.get("/console/authors/{number}")
def author(console: Console, number: Id, after: After = None) -> HTMLResponse:
    """An author's record and comments."""
    with console.service.database.read() as tx:
        record = comments.records(tx, {number}).get(number)
        if record is None or not console.actor.sees(record.site):
            raise unknown("author")
        page, following = comments.search(tx, comments.Search(author=number), _PAGE, after)
    facts = [
        ("Site", record.site),
        ("Published", f"{record.published:,}"),
        ("Held", f"{record.held:,}"),
        ("Rejected", f"{record.rejected:,}"),
        ("Standing", standing_words(record.standing, record.until) or "–"),
        ("First seen", record.first_seen.date().isoformat() if record.first_seen else "–"),
    ]
    title = record.name or record.caller_id or "Erased author"
    erasable = record if console.actor.may("erase") and record.caller_id else None
    bulk = ("author", number, record.held)
    return _list(console, "Author", title, facts, page, following, bulk=bulk, author=erasable, record=record)


@router.post("/console/authors/{number}/erase")
def erase_everything(console: Console, number: Id) -> Response:
    """Erases an author and their comments."""
    console.actor.require("erase")
    api.erase_all(console.service, console.actor, str(number))
    return redirect(f"/console/authors/{number}")


@router.get("/console/campaigns/{number}")
def campaign(console: Console, number: Id, after: After = None) -> HTMLResponse:
    """The near-duplicates of a campaign, to be decided at once."""
    sites = console.actor.sites
    with console.service.database.read() as tx:
        page, following = comments.search(tx, comments.Search(sites, campaign=number), _PAGE, after)
        waiting = queue_items.count(tx, queue_items.Filter(sites=sites, campaign=number))
    if not page:
        raise unknown("campaign")
    title, facts = f"{page[0].copies:,} near-duplicates", [("Waiting", f"{waiting:,}")]
    return _list(console, "Campaign", title, facts, page, following, bulk=("campaign", number, waiting))


def _list(
    console: ConsoleRequest,
    kind: str,
    title: str,
    facts: Sequence[tuple[str, str]],
    page: Sequence[CommentOut],
    following: str | None,
    *,
    bulk: tuple[str, int, int] | None = None,
    author: Any = None,
    record: Any = None,
) -> HTMLResponse:
    """A list of comments; ``bulk`` is the field that names them in a bulk decision, its value, and how many wait."""
    return console.page(
        "console_list.html",
        kind=kind,
        title=title,
        facts=facts,
        cards=[card(comment, blind=console.blind) for comment in page],
        following=following,
        bulk=bulk if console.actor.may("decide in bulk") else None,
        author=author,
        record=record,
        codes=MODERATOR_CODES,
    )
