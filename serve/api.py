"""The API: score comments, list the queue, erase a comment."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from belowline.model import ScoreInput
from belowline.serve.errors import Problem, invalid_field
from belowline.serve.keys import require_key
from belowline.serve.messages import (
    CommentIn,
    QueueAnswer,
    ScoreAnswer,
    ScoreRequest,
    Site,
)
from belowline.serve.scoring import article_context
from belowline.serve.service import Service, in_store, service_of

api = APIRouter(prefix="/v1", dependencies=[Depends(require_key)])
Parts = Annotated[Service, Depends(service_of)]


@api.post("/score", summary="Score comments and decide what to do with them")
async def score(request: ScoreRequest, service: Parts) -> ScoreAnswer:
    """Scores 1 to 256 comments; a comment whose scoring failed is held with the code `scoring_failed`."""
    for index, comment in enumerate(request.comments):
        check_text(comment.text, f"comments[{index}].text", service.settings.max_comment_chars)
        check_length(comment.parent or "", f"comments[{index}].parent", service.settings.max_comment_chars)
    if request.site is not None:
        _check_ids(request.comments)
    article = article_context(request.article.title, request.article.text) if request.article else None
    inputs = [ScoreInput(comment.text, article, comment.parent) for comment in request.comments]
    results = await service.judge([comment.id for comment in request.comments], inputs)
    if request.site is not None:
        await service.hold(request.site, inputs, results)
    return ScoreAnswer.model_construct(results=results, model=service.verdict.scorer.version)


@api.get("/queue", summary="List the comments that wait for a moderator")
async def queue(
    service: Parts,
    limit: Annotated[int, Query(ge=1, le=500, description="Most comments of one page.")] = 50,
    after: Annotated[int | None, Query(ge=1, le=2**53, description="`next` of the page before.")] = None,
) -> QueueAnswer:
    """Newest first."""
    items, following = await in_store(service.store.queue, limit, after)
    return QueueAnswer(items=items, next=following)


@api.delete("/comments/{site}/{comment_id:path}", status_code=204, summary="Erase a comment")
async def erase(
    service: Parts,
    site: Site,
    comment_id: Annotated[str, Path(description="The caller's id of the comment.")],
) -> Response:
    """Erases what is kept of one comment; 404 if nothing was."""
    if not await in_store(service.store.erase, site, comment_id):
        raise Problem("not-found", "no comment with that site and id is kept")
    return Response(status_code=204)


def check_text(text: str, field: str, longest: int) -> None:
    """Raises Problem for a text that is blank or longer than ``longest`` characters."""
    if not text.strip():
        raise invalid_field(field, "is blank; give the comment's text")
    check_length(text, field, longest)


def check_length(text: str, field: str, longest: int) -> None:
    """Raises Problem for a text longer than ``longest`` characters."""
    if len(text) > longest:
        raise invalid_field(field, f"has {len(text)} characters; at most {longest} are accepted")


def _check_ids(comments: list[CommentIn]) -> None:
    seen: set[str] = set()
    for index, comment in enumerate(comments):
        if comment.id is None:
            raise invalid_field(f"comments[{index}].id", "is missing; the queue needs it when site is given")
        if comment.id in seen:
            raise invalid_field(
                f"comments[{index}].id", "repeats an earlier id; the queue needs distinct ones"
            )
        seen.add(comment.id)
