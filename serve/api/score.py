"""The API: score comments."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Depends

from belowline.model import ScoreInput
from belowline.serve.http.auth import allowed
from belowline.serve.http.errors import api_router, invalid_field
from belowline.serve.http.items import check_distinct, check_each, in_place
from belowline.serve.http.schemas import (
    ArticleIn,
    CommentIn,
    NamedAuthor,
    RefusedComment,
    ScoreAnswer,
    ScoreRequest,
)
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.queue.intake import IncomingComment, Thread
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.store.accounts import Actor

router = api_router("score")


@router.post("/score", summary="Score comments and apply the policy")
async def score(
    request: ScoreRequest, service: ServiceDep, actor: Annotated[Actor, Depends(allowed("score"))]
) -> ScoreAnswer:
    """Scores 1 to 256 comments; a comment whose scoring failed is held with the code `scoring_failed`.

    So is an invalid comment, such as an empty one: the result in its place has an `error`, and the others are scored.
    If every comment is invalid, the answer is the problem 422.
    """
    if request.site is not None:
        actor.require("ingest")
        actor.require_site(request.site)
        check_distinct(request.comments)
    comments, refused = check_each(request.comments, _checks(request, service))
    article = article_context(request.article.title, request.article.text) if request.article else None
    inputs = [
        ScoreInput(comment.text, article, comment.parent, *name_and_url(comment.author))
        for comment in comments
    ]
    if request.site is None:
        results = await service.moderate([comment.id for comment in comments], inputs)
    else:
        incoming = [
            IncomingComment(
                comment.id or "",
                comment.text,
                scores,
                parent_text=comment.parent,
                author_url=to_score.author_url,
            )
            for comment, to_score, scores in zip(comments, inputs, await service.scores(inputs), strict=True)
        ]
        ingested = await service.ingest(request.site, _thread(request.article), incoming, held_only=True)
        results = [outcome.result for outcome in ingested]
    model = service.pipeline.scorer.version
    errors = {index: RefusedComment.of(one, model) for index, one in refused.items()}
    return ScoreAnswer.model_construct(results=in_place(results, errors), model=model)


def _checks(request: ScoreRequest, service: Service) -> Callable[[str, CommentIn], None]:
    longest = service.settings.max_comment_chars

    def check(field: str, comment: CommentIn) -> None:
        check_text(comment.text, f"{field}.text", longest)
        check_length(comment.parent or "", f"{field}.parent", longest)
        if request.site is not None and comment.id is None:
            raise invalid_field(f"{field}.id", "is missing; comments with a site need ids")

    return check


def _thread(article: ArticleIn | None) -> Thread | None:
    if article is None:
        return None
    return Thread((article.url or article.title)[:500], article.title, article.url, article.text)


def name_and_url(author: NamedAuthor | None) -> tuple[str | None, str | None]:
    """Return name and website of an author."""
    return (author.name, author.url) if author else (None, None)


def check_text(text: str, field: str, longest: int) -> None:
    """Raise Problem for a text that is blank or longer than ``longest`` characters."""
    if not text.strip():
        raise invalid_field(field, "is blank; send the comment's text")
    check_length(text, field, longest)


def check_length(text: str, field: str, longest: int) -> None:
    """Raise Problem for a text longer than ``longest`` characters."""
    if len(text) > longest:
        raise invalid_field(field, f"has {len(text)} characters; at most {longest} are accepted")
