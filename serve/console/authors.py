"""The console's actions on authors, escalations, and the list of acts."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import HTMLResponse, Response
from sqlalchemy import Connection

from belowline.serve.api import authors as api
from belowline.serve.api.messages import EscalationIn, NoteIn, Number, StandingIn
from belowline.serve.console.forms import Form
from belowline.serve.console.session import Console, ConsoleRequest, FormDep
from belowline.serve.console.toasts import standing_words, toast_of, toasts
from belowline.serve.http.errors import invalid_field
from belowline.serve.queue import acts, author_acts, comments
from belowline.serve.store.database import now
from belowline.serve.templating import templates

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
Id = Annotated[Number, Path()]


@router.post("/console/authors/{number}/act")
def act_on_author(console: Console, number: Id, form: FormDep) -> Response:
    """Sets an author's standing, with a note if there is one, or adds a note alone."""
    note, choice = form.words("note"), form.first("do", "note")
    if choice == "note":
        if not note:
            raise invalid_field("note", "is empty; write the note, or choose what to do with the author")
        act = api.add_note(console.service, console.actor, str(number), NoteIn(note=note))
    else:
        console.actor.require("act on authors")
        act = api.set_standing(console.service, console.actor, str(number), _standing(choice, form, note))
    with console.service.database.read() as tx:
        answer = on_cards(tx, number)
    return _done(console, form, act.id, answer)


@router.post("/console/comments/{number}/escalate")
def escalate(console: Console, number: Id, form: FormDep) -> Response:
    """Gives a waiting comment to a colleague or a role."""
    to = form.first("to")
    if not to.startswith(("person:", "role:")) or len(to) > 130:
        raise invalid_field("to", "is missing; choose who gets the comment")
    act = api.escalate(
        console.service, console.actor, str(number), EscalationIn(to=to, note=form.words("note"))
    )
    return _done(console, form, act.id, {"comment": number})


@router.get("/console/acts")
def list_acts(
    console: Console, own: bool = False, after: Annotated[str | None, Query(max_length=200)] = None
) -> HTMLResponse:
    """The acts of moderators, newest first, with their undo; triage sees its own only."""
    actor = console.actor
    with console.service.database.read() as tx:
        own = own or not actor.may("read the log")
        rows, following = acts.page(tx, actor, 50, after, own=own)
        shown = [(row, toast.words) for row, toast in zip(rows, toasts(tx, rows), strict=True)]
    return console.page("console_acts.html", rows=shown, following=following, own=own)


def _done(console: ConsoleRequest, form: Form, act: int, answer: dict[str, Any]) -> Response:
    with console.service.database.read() as tx:
        toast = toast_of(tx, act)
    return console.done(form, answer | toast.answer, act)


def on_cards(tx: Connection, number: int) -> dict[str, Any]:
    """The standing and the notes of an author, as all cards of the author show them."""
    author = comments.records(tx, {number})[number]
    macros = templates.get_template("console_author.html").make_module({"standing_words": standing_words})
    notes = str(macros.notes(author))  # type: ignore[attr-defined]
    return {"author": number, "standing": standing_words(author.standing, author.until), "notes": notes}


def _standing(choice: str, form: Form, note: str | None) -> StandingIn:
    """The standing that a form asks for, such as ``suspended 7`` (days), ``suspended`` (until a date) or ``banned``."""
    standing, _, days = choice.partition(" ")
    if standing not in author_acts.CHOICES or (days and days not in ("1", "7", "30")):
        raise invalid_field("do", "is not on the list; choose what to do with the author")
    until = None
    if standing == "suspended":
        until = now() + timedelta(days=int(days)) if days else _end(form.first("until"))
    return StandingIn.model_validate({"standing": standing, "note": note}).model_copy(update={"until": until})


def _end(text: str) -> datetime:
    """The end of a day in UTC."""
    try:
        return datetime.combine(date.fromisoformat(text), time.max, UTC).replace(microsecond=0)
    except ValueError:
        raise invalid_field("until", "is not a date; write it like 2026-12-07") from None
