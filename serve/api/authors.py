"""The API: authors, their standing and notes about them; escalation of comments."""

from typing import Annotated

from fastapi import Depends, Path
from sqlalchemy import Connection

from belowline.serve.api.comments import Reader, Reference, comment_id
from belowline.serve.api.messages import ActOut, EscalationIn, FullAuthor, NoteIn, StandingIn
from belowline.serve.api.queue import Worker
from belowline.serve.http.auth import allowed
from belowline.serve.http.errors import api_router
from belowline.serve.http.service import ServiceDep
from belowline.serve.queue import acts, author_acts, comments, escalation
from belowline.serve.store.accounts import Actor
from belowline.serve.store.refusal import unknown
from belowline.serve.store.tables import authors

router = api_router("authors", 404, 409)
AuthorReference = Annotated[
    str,
    Path(
        description="The author's id here, or `site:id` with the caller's id.", examples=["paper.example:u5"]
    ),
]


@router.get("/authors/{reference:path}/record", summary="An author's record")
def read_author(service: ServiceDep, actor: Reader, reference: AuthorReference) -> FullAuthor:
    """Counts of comments, the standing, and moderators' notes."""
    with service.database.read() as tx:
        number = author_id(tx, actor, reference)
        return FullAuthor(**dict(comments.records(tx, {number})[number]))


@router.post(
    "/authors/{reference:path}/standing",
    status_code=201,
    summary="Suspend, ban, pre-moderate or trust an author",
)
def set_standing(
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("act on authors"))],
    reference: AuthorReference,
    request: StandingIn,
) -> ActOut:
    """Applies to new comments of the author. Webhooks get `author.changed`; `POST /v1/acts/{act}/undo` undoes it."""
    with service.database.write() as tx:
        number = author_id(tx, actor, reference)
        act = author_acts.set_standing(tx, actor, number, request.standing, request.until, request.note)
        return ActOut.model_validate(acts.read(tx, act))


@router.post("/authors/{reference:path}/notes", status_code=201, summary="Add a note about an author")
def add_note(service: ServiceDep, actor: Worker, reference: AuthorReference, request: NoteIn) -> ActOut:
    """For other moderators, who see it on the author's comments; erased together with the author."""
    with service.database.write() as tx:
        act = author_acts.add_note(tx, actor, author_id(tx, actor, reference), request.note)
        return ActOut.model_validate(acts.read(tx, act))


@router.post("/comments/{reference:path}/escalation", status_code=201, summary="Escalate a comment")
def escalate(service: ServiceDep, actor: Worker, reference: Reference, request: EscalationIn) -> ActOut:
    """The comment leaves the queue of everybody but the receiver; admins still see it among all escalated ones."""
    with service.database.write() as tx:
        act = escalation.escalate(tx, actor, comment_id(tx, actor, reference), request.to, request.note)
        return ActOut.model_validate(acts.read(tx, act))


def author_id(tx: Connection, actor: Actor, reference: str) -> int:
    """Return the id that ``reference`` means; raises Refusal if ``actor`` may see no such author."""
    number = comments.find(tx, reference, actor.sites, authors)
    if number is None:
        raise unknown("author")
    return number
