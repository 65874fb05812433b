"""The console's conversations: an article's comments as a tree, and the comments around one of them."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection, select

from belowline.serve.api import comments as api
from belowline.serve.console.browse import After, Id
from belowline.serve.console.queue import card, choices
from belowline.serve.console.session import Console
from belowline.serve.queue import comments, conversation
from belowline.serve.queue.conversation import Place
from belowline.serve.store.refusal import Refusal, unknown
from belowline.serve.store.tables import threads

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_PAGE = 50


@router.get("/console/threads/{number}")
def thread(console: Console, number: Id, after: After = None) -> HTMLResponse:
    """An article's comments, oldest first, each reply below what it answers; each can be decided."""
    with console.service.database.read() as tx:
        row = tx.execute(select(threads).where(threads.c.id == number)).one_or_none()
        if row is None or not console.actor.sees(row.site):
            raise unknown("thread")
        places = conversation.tree(tx, number)
        begin = _after(places, after)
        shown = places[begin : begin + _PAGE]
        replies = _replies(tx, shown, blind=console.blind)
    values: dict[str, Any] = {
        "thread": row,
        "replies": replies,
        "count": len(places),
        "following": shown[-1].comment if begin + _PAGE < len(places) else None,
        "full": len(places) >= conversation.MOST,
    }
    return console.page(
        "console_thread.html", own=0, here=f"/console/threads/{number}", **values, **choices(console)
    )


@router.get("/console/comments/{number}/conversation")
def around(console: Console, number: Id, part: bool = False) -> HTMLResponse:
    """The comments that a comment answers through, those beside it and its replies; ``part`` is without a page."""
    shown = api.read(console.service, console.actor, str(number))
    with console.service.database.read() as tx:
        replies = _replies(tx, conversation.around(tx, shown.id), blind=console.blind)
    template = "console_conversation_part.html" if part else "console_conversation.html"
    here = f"/console/comments/{number}/conversation"
    return console.page(
        template, one=card(shown), replies=replies, own=shown.id if part else 0, here=here, **choices(console)
    )


def _replies(tx: Connection, places: list[Place], *, blind: bool) -> list[dict[str, Any]]:
    depths = {place.comment: place.depth for place in places}
    return [
        card(comment, blind=blind) | {"depth": depths[comment.id]}
        for comment in comments.load(tx, [place.comment for place in places])
    ]


def _after(places: list[Place], after: str | None) -> int:
    """The position after the comment that the previous page ended with; raises Refusal if the thread lacks it."""
    if after is None:
        return 0
    for at, place in enumerate(places, start=1):
        if str(place.comment) == after:
            return at
    raise Refusal("bad-cursor", "this thread has no such comment any more; open the thread again")
