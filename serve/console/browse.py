"""The console's other views of comments: one with its history, a thread, an author, a campaign, a search."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from sqlalchemy import select

from belowline.serve.api.comments import comment_id, sites_of
from belowline.serve.api.messages import Number
from belowline.serve.console.queue import card
from belowline.serve.console.session import Form, Person, page, redirect
from belowline.serve.http.service import ServiceDep
from belowline.serve.queue import comments, queue_items, reviews
from belowline.serve.queue.erasure import erase_author, erase_comment
from belowline.serve.scoring.reason_codes import MODERATOR_CODES
from belowline.serve.store.refusal import unknown
from belowline.serve.store.tables import golden, threads

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Known = Annotated[Number, Path()]
After = Annotated[str | None, Query(max_length=200)]
_PAGE = 50


@router.get("/console/comments/{number}")
def comment(request: Request, service: ServiceDep, actor: Person, number: Known) -> HTMLResponse:
    """A comment with its revisions, decisions and appeals."""
    with service.database.read() as tx:
        found = comment_id(tx, actor, str(number))
        [shown] = comments.load(tx, [found])
        history = comments.history(tx, found)
        is_golden = tx.execute(select(golden.c.action).where(golden.c.comment_id == found)).scalar()
    return page(
        "console_comment.html",
        request,
        actor,
        one=card(shown),
        history=history,
        golden=is_golden,
        labels=service.pipeline.scorer.labels,
        codes=MODERATOR_CODES,
        may_bulk=actor.may("decide in bulk"),
    )


@router.get("/console/comments/{number}/text")
def whole_text(service: ServiceDep, actor: Person, number: Known) -> PlainTextResponse:
    """The text of a comment that is too long for a page."""
    with service.database.read() as tx:
        [found] = comments.load(tx, [comment_id(tx, actor, str(number))])
    if found.text is None:
        raise unknown("comment")
    return PlainTextResponse(found.text)


@router.post("/console/comments/{number}/golden")
def toggle_golden(service: ServiceDep, actor: Person, number: Known, form: Form) -> Response:
    """Makes a comment one to check judgement by, or no longer."""
    actor.require("administer")
    with service.database.write() as tx:
        found = comment_id(tx, actor, str(number))
        if "drop" in form:
            reviews.drop_golden(tx, found)
        else:
            reviews.make_golden(tx, actor.name, found)
    return redirect(f"/console/comments/{number}")


@router.post("/console/comments/{number}/erase")
def erase(service: ServiceDep, actor: Person, number: Known) -> Response:
    """Erases a comment."""
    actor.require("erase")
    with service.database.write() as tx:
        erase_comment(tx, actor, comment_id(tx, actor, str(number)))
    service.database.forget()
    return redirect(f"/console/comments/{number}")


@router.get("/console/threads/{number}")
def thread(
    request: Request, service: ServiceDep, actor: Person, number: Known, after: After = None
) -> HTMLResponse:
    """An article's comments, newest first."""
    with service.database.read() as tx:
        row = tx.execute(select(threads).where(threads.c.id == number)).one_or_none()
        if row is None or not actor.sees(row.site):
            raise unknown("thread")
        found, following = comments.search(tx, comments.Search(thread=number), _PAGE, after)
    return page(
        "console_list.html",
        request,
        actor,
        title=row.title or row.caller_id,
        kind="Thread",
        facts=[("Site", row.site), ("Address", row.url or row.caller_id)],
        cards=[card(one) for one in found],
        following=following,
        bulk=None,
        author=None,
    )


@router.get("/console/authors/{number}")
def author(
    request: Request, service: ServiceDep, actor: Person, number: Known, after: After = None
) -> HTMLResponse:
    """An author's record and comments, with what may be done to all of them."""
    with service.database.read() as tx:
        known = comments.records(tx, {number}).get(number)
        if known is None or not actor.sees(known.site):
            raise unknown("author")
        found, following = comments.search(tx, comments.Search(author=number), _PAGE, after)
    return page(
        "console_list.html",
        request,
        actor,
        title=known.name or known.caller_id or "Erased author",
        kind="Author",
        facts=[
            ("Site", known.site),
            ("Published", f"{known.published:,}"),
            ("Held", f"{known.held:,}"),
            ("Rejected", f"{known.rejected:,}"),
            ("First seen", known.first_seen.date().isoformat() if known.first_seen else "–"),
        ],
        cards=[card(one) for one in found],
        following=following,
        bulk=("author", number, known.held) if actor.may("decide in bulk") else None,
        author=known if actor.may("erase") and known.caller_id else None,
        codes=MODERATOR_CODES,
    )


@router.post("/console/authors/{number}/erase")
def erase_everything(service: ServiceDep, actor: Person, number: Known) -> Response:
    """Erases an author and their comments."""
    actor.require("erase")
    with service.database.write() as tx:
        erase_author(tx, actor, number)
    service.database.forget()
    return redirect(f"/console/authors/{number}")


@router.get("/console/campaigns/{number}")
def campaign(
    request: Request, service: ServiceDep, actor: Person, number: Known, after: After = None
) -> HTMLResponse:
    """Near-copies, to be decided at once."""
    with service.database.read() as tx:
        found, following = comments.search(tx, comments.Search(actor.sites, campaign=number), _PAGE, after)
        waiting = queue_items.count(tx, queue_items.Filter(sites=actor.sites, campaign=number))
    if not found:
        raise unknown("campaign")
    return page(
        "console_list.html",
        request,
        actor,
        title=f"{found[0].copies:,} near-copies",
        kind="Campaign",
        facts=[("Waiting", f"{waiting:,}")],
        cards=[card(one) for one in found],
        following=following,
        bulk=("campaign", number, waiting) if actor.may("decide in bulk") else None,
        author=None,
        codes=MODERATOR_CODES,
    )


@router.get("/console/search")
def search(
    request: Request,
    service: ServiceDep,
    actor: Person,
    words: Annotated[str, Query(max_length=200)] = "",
    site: str = "",
    action: str = "",
    after: After = None,
) -> HTMLResponse:
    """Comments by a part of their text."""
    with service.database.read() as tx:
        wanted = comments.Search(sites_of(actor, site or None), words or None, action or None)
        found, following = comments.search(tx, wanted, _PAGE, after)
    chosen = {"words": words, "site": site, "action": action}
    cards = [card(one) for one in found]
    return page("console_search.html", request, actor, cards=cards, following=following, chosen=chosen)
