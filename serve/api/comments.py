"""The API: take comments in, read them back, appeal, erase."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy import Connection

from belowline.model import ScoreInput
from belowline.serve.api.messages import (
    ActionAsked,
    AppealIn,
    AppealOut,
    AuthorAsked,
    CampaignAsked,
    CommentOut,
    CommentPage,
    Cursor,
    FullComment,
    KeptComment,
    KeptComments,
    NewComment,
    NewComments,
    PageSize,
    SiteAsked,
    ThreadAsked,
    ThreadIn,
)
from belowline.serve.api.score import check_ids, check_length, check_moment, check_text
from belowline.serve.http.auth import Actor, allowed
from belowline.serve.http.errors import documented, invalid_field
from belowline.serve.http.service import ServiceDep
from belowline.serve.json_body import JsonRoute
from belowline.serve.queue import comments as reading
from belowline.serve.queue import reviews
from belowline.serve.queue.appeals import appeal
from belowline.serve.queue.erasure import erase_author, erase_comment, erase_told
from belowline.serve.queue.intake import Author, IncomingComment, IngestResult, Thread
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.store.refusal import unknown

router = APIRouter(
    prefix="/v1",
    route_class=JsonRoute,
    tags=["comments"],
    responses=documented(400, 401, 403, 404, 409, 413, 415, 421, 422, 429, 503),
)
Reader = Annotated[Actor, Depends(allowed("read"))]
Admin = Annotated[Actor, Depends(allowed("administer"))]
Reference = Annotated[str, Path(description="The comment's id here, or `site:id` with the caller's own.")]


@router.post(
    "/comments", summary="Keep comments, decide what to do with them, queue what a moderator should see"
)
async def take_in(
    request: NewComments, service: ServiceDep, actor: Annotated[Actor, Depends(allowed("take in"))]
) -> KeptComments:
    """Idempotent on site and id: the same comment again changes nothing, another text is an edit that is judged anew."""
    actor.require_site(request.site)
    _check(request, service.settings.max_comment_chars)
    article = article_context(request.thread.title, request.thread.text) if request.thread else None
    inputs = [ScoreInput(comment.text, article, comment.parent_text) for comment in request.comments]
    scores = await service.scores(inputs)
    incoming = [_incoming(comment, one) for comment, one in zip(request.comments, scores, strict=True)]
    kept = await service.ingest(request.site, _thread(request.thread), incoming)
    return KeptComments.model_construct(
        results=[_answer(one) for one in kept], model=service.pipeline.scorer.version
    )


@router.get("/comments", summary="Search comments, newest first")
def search(
    service: ServiceDep,
    actor: Reader,
    site: SiteAsked = None,
    id: Annotated[str | None, Query(description="The caller's id; needs `site`.")] = None,
    words: Annotated[
        str | None, Query(max_length=200, description="Part of the text, whatever the case.")
    ] = None,
    action: ActionAsked = None,
    thread: ThreadAsked = None,
    author: AuthorAsked = None,
    campaign: CampaignAsked = None,
    limit: PageSize = 50,
    after: Cursor = None,
) -> CommentPage:
    """Every condition that is given must hold."""
    sites = sites_of(actor, site)
    if id is not None and site is None:
        raise invalid_field("site", "is missing; give the site that the id belongs to")
    with service.database.read() as tx:
        if id is not None:
            number = reading.find(tx, f"{site}:{id}", sites)
            found = [] if number is None else reading.load(tx, [number])
            return CommentPage(items=[CommentOut.model_validate(one) for one in found], next=None)
        wanted = reading.Search(sites, words, action, thread, author, campaign)
        found, following = reading.search(tx, wanted, limit, after)
    return CommentPage(items=[CommentOut.model_validate(one) for one in found], next=following)


@router.get("/comments/{reference:path}", summary="A comment with its history")
def read(service: ServiceDep, actor: Reader, reference: Reference) -> FullComment:
    """Its thread is under `GET /v1/comments?thread=`."""
    with service.database.read() as tx:
        number = comment_id(tx, actor, reference)
        [comment] = reading.load(tx, [number])
        fields = CommentOut.model_validate(comment).model_dump()
        return FullComment.model_validate(fields | reading.history(tx, number))


@router.post("/comments/{reference:path}/appeals", status_code=201, summary="Appeal against a decision")
def make_appeal(
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("appeal"))],
    reference: Reference,
    request: AppealIn,
) -> AppealOut:
    """Puts the comment first in the queue, for anybody but the moderator who decided."""
    with service.database.write() as tx:
        row = appeal(tx, actor.moderator, comment_id(tx, actor, reference), request.text)
        return AppealOut.model_validate(row)


@router.put(
    "/comments/{reference:path}/golden", status_code=204, summary="Check everybody's judgement by a comment"
)
def make_golden(service: ServiceDep, actor: Admin, reference: Reference) -> Response:
    """Its last decision, which has to be a person's, is the answer that is expected."""
    with service.database.write() as tx:
        reviews.make_golden(tx, actor.name, comment_id(tx, actor, reference))
    return Response(status_code=204)


@router.delete("/comments/{reference:path}/golden", status_code=204, summary="Stop checking by a comment")
def drop_golden(service: ServiceDep, actor: Admin, reference: Reference) -> Response:
    """Answers that were given stay."""
    with service.database.write() as tx:
        reviews.drop_golden(tx, comment_id(tx, actor, reference))
    return Response(status_code=204)


@router.delete("/comments/{reference:path}", status_code=204, summary="Erase a comment")
def erase(
    service: ServiceDep, actor: Annotated[Actor, Depends(allowed("erase"))], reference: Reference
) -> Response:
    """Its text, revisions, evidence, notes and appeals go; that it was decided, and by which rule, stays.

    Of a comment that is not kept, by `site:id`, the feedback that was given on it goes.
    """
    with service.database.write() as tx:
        number = reading.find(tx, reference, actor.sites)
        if number is None:
            site, _, caller_id = reference.partition(":")
            erase_told(tx, actor.moderator, site, caller_id)
        else:
            erase_comment(tx, actor.moderator, number)
    service.database.forget()
    return Response(status_code=204)


@router.delete("/authors/{reference:path}", summary="Erase an author and all their comments")
def erase_all(
    service: ServiceDep,
    actor: Annotated[Actor, Depends(allowed("erase"))],
    reference: Annotated[str, Path(description="The author's id here, or `site:id` with the caller's own.")],
) -> dict[str, int]:
    """Answers how many comments were erased."""
    with service.database.write() as tx:
        author = reading.find_author(tx, reference)
        if author is None:
            raise unknown("author")
        erased = erase_author(tx, actor.moderator, author)
    service.database.forget()
    return {"comments": erased}


def comment_id(tx: Connection, actor: Actor, reference: str) -> int:
    """The id that ``reference`` means; raises Refusal where there is none that ``actor`` may see."""
    number = reading.find(tx, reference, actor.sites)
    if number is None:
        raise unknown("comment")
    return number


def sites_of(actor: Actor, site: str | None) -> tuple[str, ...]:
    """The sites to look in: the one asked for, or all that ``actor`` may see; raises Problem for another's."""
    if site is None:
        return actor.sites
    actor.require_site(site)
    return (site,)


def _check(request: NewComments, longest: int) -> None:
    if request.thread is not None and not (request.thread.id or request.thread.url):
        raise invalid_field("thread.id", "is missing; give the article's id or url")
    check_ids([comment.id for comment in request.comments])
    for index, comment in enumerate(request.comments):
        check_text(comment.text, f"comments[{index}].text", longest)
        check_length(comment.parent_text or "", f"comments[{index}].parent_text", longest)
        if comment.written is not None:
            check_moment(comment.written, f"comments[{index}].written")


def _thread(thread: ThreadIn | None) -> Thread | None:
    if thread is None:
        return None
    return Thread((thread.id or thread.url or "")[:500], thread.title, thread.url, thread.text)


def _incoming(comment: NewComment, scores: Any) -> IncomingComment:
    author = None
    if comment.author is not None:
        author = Author(comment.author.id, comment.author.name, comment.author.role, comment.author.url)
    return IncomingComment(
        comment.id, comment.text, scores, author, comment.parent, comment.parent_text, comment.written
    )


def _answer(kept: IngestResult) -> KeptComment:
    fields = dict(kept.result)
    return KeptComment.model_construct(
        **fields, comment=kept.comment, stands=kept.action, changed=kept.changed
    )
