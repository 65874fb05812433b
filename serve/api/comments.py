"""The API: ingest comments, read them, appeal, erase."""

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Response
from sqlalchemy import Connection

from belowline.model import ScoreInput, Scores
from belowline.serve.api.messages import (
    AppealIn,
    AppealOut,
    CommentPage,
    FullComment,
    KeptComment,
    KeptComments,
    NewComment,
    NewComments,
    RefusedKept,
    SearchQuery,
)
from belowline.serve.api.score import check_length, check_text, name_and_url
from belowline.serve.http.auth import allowed
from belowline.serve.http.errors import api_router, invalid_field
from belowline.serve.http.items import check_distinct, check_each, in_place
from belowline.serve.http.service import ServiceDep
from belowline.serve.queue import comments, reviews
from belowline.serve.queue.appeals import appeal
from belowline.serve.queue.erasure import erase_author, erase_comment, erase_feedback
from belowline.serve.queue.intake import Author, IncomingComment, Thread
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.store.accounts import Actor
from belowline.serve.store.refusal import unknown
from belowline.serve.store.tables import authors

router = api_router("comments", 404, 409)
Reader = Annotated[Actor, Depends(allowed("read"))]
Eraser = Annotated[Actor, Depends(allowed("erase"))]
Admin = Annotated[Actor, Depends(allowed("administer"))]
Reference = Annotated[str, Path(description="The comment's id here, or `site:id` with the caller's id.")]


@router.post("/comments", summary="Store comments, apply the policy, and enqueue those for a moderator")
async def take_in(
    request: NewComments, service: ServiceDep, actor: Annotated[Actor, Depends(allowed("ingest"))]
) -> KeptComments:
    """Idempotent by site and id: the same text again changes nothing; another text is an edit and is decided again.

    An invalid comment is not stored: the result in its place has `action: hold` and an `error`, and the others are
    stored. If every comment is invalid, the answer is the problem 422.
    """
    actor.require_site(request.site)
    if request.thread is not None and not (request.thread.id or request.thread.url):
        raise invalid_field("thread.id", "is missing; send the article's id or url")
    check_distinct(request.comments)
    valid, refused = check_each(request.comments, partial(_check, service.settings.max_comment_chars))
    article, thread = None, None
    if sent := request.thread:
        article = article_context(sent.title, sent.text)
        thread = Thread((sent.id or sent.url or "")[:500], sent.title, sent.url, sent.text)
    inputs = [
        ScoreInput(comment.text, article, comment.parent_text, *name_and_url(comment.author))
        for comment in valid
    ]
    scores = await service.scores(inputs)
    incoming = [_incoming(comment, scored) for comment, scored in zip(valid, scores, strict=True)]
    results = [
        KeptComment.model_construct(
            **dict(outcome.result), comment=outcome.comment, stands=outcome.action, changed=outcome.changed
        )
        for outcome in await service.ingest(request.site, thread, incoming)
    ]
    model = service.pipeline.scorer.version
    errors = {
        index: RefusedKept.of(one, model, comment=0, stands="hold", changed=False)
        for index, one in refused.items()
    }
    return KeptComments.model_construct(results=in_place(results, errors), model=model)


@router.get("/comments", summary="Search comments, newest first")
def search(service: ServiceDep, actor: Reader, query: Annotated[SearchQuery, Query()]) -> CommentPage:
    """Comments for which all conditions hold."""
    sites = sites_of(actor, query.site)
    if query.id is not None and query.site is None:
        raise invalid_field("site", "is missing; send the site that the id belongs to")
    with service.database.read() as tx:
        if query.id is not None:
            number = comments.find(tx, f"{query.site}:{query.id}", sites)
            return comment_page(tx, [] if number is None else [number])
        wanted = comments.Search(sites, **query.conditions())
        found, following = comments.search(tx, wanted, query.limit, query.after)
    return CommentPage(items=found, next=following)


@router.get("/comments/{reference:path}", summary="A comment with its history")
def read(service: ServiceDep, actor: Reader, reference: Reference) -> FullComment:
    """`GET /v1/comments?thread=` lists the other comments of its article."""
    with service.database.read() as tx:
        number = comment_id(tx, actor, reference)
        [comment] = comments.load(tx, [number])
        return FullComment.model_validate(dict(comment) | comments.history(tx, number))


@router.post("/comments/{reference:path}/appeals", status_code=201, summary="Appeal against a decision")
def make_appeal(
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("appeal"))],
    reference: Reference,
    request: AppealIn,
) -> AppealOut:
    """Puts the comment first in the queue, for a moderator other than the one who decided."""
    with service.database.write() as tx:
        row = appeal(tx, actor, comment_id(tx, actor, reference), request.text)
        return AppealOut.model_validate(row)


@router.put("/comments/{reference:path}/golden", status_code=204, summary="Make a comment golden")
def make_golden(service: ServiceDep, actor: Admin, reference: Reference) -> Response:
    """The last decision, which must be a person's, becomes the agreed answer that moderators are checked by."""
    with service.database.write() as tx:
        reviews.make_golden(tx, actor.name, comment_id(tx, actor, reference))
    return Response(status_code=204)


@router.delete(
    "/comments/{reference:path}/golden", status_code=204, summary="Make a comment golden no longer"
)
def drop_golden(service: ServiceDep, actor: Admin, reference: Reference) -> Response:
    """Earlier answers of moderators are kept."""
    with service.database.write() as tx:
        reviews.drop_golden(tx, comment_id(tx, actor, reference))
    return Response(status_code=204)


@router.delete("/comments/{reference:path}", status_code=204, summary="Erase a comment")
def erase(service: ServiceDep, actor: Eraser, reference: Reference) -> Response:
    """Erases text, revisions, evidence, notes and appeals; the decisions with their rules remain.

    For a comment that is not stored, `site:id` erases the feedback on it.
    """
    with service.database.write() as tx:
        number = comments.find(tx, reference, actor.sites)
        if number is None:
            site, _, caller_id = reference.partition(":")
            erase_feedback(tx, actor, site, caller_id)
        else:
            erase_comment(tx, actor, number)
    service.database.forget()
    return Response(status_code=204)


@router.delete("/authors/{reference:path}", summary="Erase an author and all their comments")
def erase_all(
    service: ServiceDep,
    actor: Eraser,
    reference: Annotated[str, Path(description="The author's id here, or `site:id` with the caller's id.")],
) -> dict[str, int]:
    """The answer has the number of erased comments."""
    with service.database.write() as tx:
        author = comments.find(tx, reference, table=authors)
        if author is None:
            raise unknown("author")
        erased = erase_author(tx, actor, author)
    service.database.forget()
    return {"comments": erased}


def comment_page(tx: Connection, ids: list[int], following: str | None = None) -> CommentPage:
    """Return the comments with these ids as a page; ``following`` is the next cursor."""
    return CommentPage(items=comments.load(tx, ids), next=following)


def comment_id(tx: Connection, actor: Actor, reference: str) -> int:
    """Return the id that ``reference`` means; raises Refusal if ``actor`` may see no such comment."""
    number = comments.find(tx, reference, actor.sites)
    if number is None:
        raise unknown("comment")
    return number


def sites_of(actor: Actor, site: str | None) -> tuple[str, ...]:
    """Return the requested site, or all sites of ``actor``; raises Refusal for a site that ``actor`` may not see."""
    if site is None:
        return actor.sites
    actor.require_site(site)
    return (site,)


def _check(longest: int, field: str, comment: NewComment) -> None:
    check_text(comment.text, f"{field}.text", longest)
    check_length(comment.parent_text or "", f"{field}.parent_text", longest)


def _incoming(comment: NewComment, scores: Scores | None) -> IncomingComment:
    sent = comment.author
    return IncomingComment(
        comment.id,
        comment.text,
        scores,
        Author(sent.id, sent.name, sent.role) if sent else None,
        comment.parent,
        comment.parent_text,
        comment.written,
        author_url=sent.url if sent else None,
    )
