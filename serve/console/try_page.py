"""Pages for everybody: try a comment at ``/``, read the API at ``/docs``."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from belowline.model import Policy, ScoreInput
from belowline.serve.api.score import check_text
from belowline.serve.console.api_reference import common_problems, operations
from belowline.serve.console.forms import Form
from belowline.serve.console.scores import Bar, bars, not_judged
from belowline.serve.http.auth import asks_for_key, by_key
from belowline.serve.http.errors import Problem
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.scoring.results import Result
from belowline.serve.scoring.segments import segments
from belowline.serve.scoring.wording import language_name
from belowline.serve.templating import templates

_FIELDS = ("text", "title", "author", "author_url")
pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
EXAMPLES = {
    "thanks": (
        "A reader's thanks",
        "Thank you for this. The part about the harbour was new to me.",
        "The harbour reopens",
    ),
    "advert": (
        "An advert",
        "I earn $97 an hour from home and so can you, visit easy-cash-4u.example now!!!",
        "",
    ),
    "insult": ("An insult", "You are a complete idiot and nobody should ever listen to you.", ""),
}


@pages.get("/")
async def form(service: ServiceDep, example: str = "") -> HTMLResponse:
    """The empty form, or an example: with its result, unless the service asks for a key."""
    _, text, title = EXAMPLES.get(example, ("", "", ""))
    fields = dict.fromkeys(_FIELDS, "") | {"text": text, "title": title}
    if not text or await run_in_threadpool(asks_for_key, service):
        return await _page(service, fields)
    return await _scored(service, fields)


@pages.post("/")
async def try_comment(request: Request, service: ServiceDep) -> HTMLResponse:
    """Scores the comment in the form; an error appears beside the form, which keeps its fields."""
    fields = dict.fromkeys(_FIELDS, "")
    try:
        form = Form(await request.body())
        fields = {name: form.first(name) for name in fields}
        await run_in_threadpool(_check, request, fields["text"], form.first("key"), service)
    except Problem as problem:
        return await _page(service, fields, problem=problem, status=problem.status_code)
    return await _scored(service, fields)


@pages.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """The API's reference, without scripts."""
    groups = operations(request.app.openapi())
    values = {"groups": groups, "problems": common_problems(groups), "base": str(request.base_url)}
    return HTMLResponse(templates.get_template("docs.html").render(values))


def _check(request: Request, text: str, key: str, service: Service) -> None:
    if asks_for_key(service) and by_key(request, key) is None:
        raise Problem("invalid-key", "This service asks for an API key. Enter a valid one below the comment.")
    if not text.strip():
        raise Problem("invalid-request", "There is no comment yet. Paste or type one first.")
    check_text(text, "The comment", service.settings.max_comment_chars)


async def _scored(service: Service, fields: Mapping[str, str]) -> HTMLResponse:
    author = fields["author"], fields["author_url"]
    comment = ScoreInput(fields["text"], article_context(fields["title"], None), None, *author)
    try:
        [result] = await service.moderate([None], [comment])
    except Problem as problem:
        return await _page(service, fields, problem=problem, status=problem.status_code)
    return await _page(service, fields, result=result)


async def _page(
    service: Service,
    fields: Mapping[str, str],
    *,
    result: Result | None = None,
    problem: Problem | None = None,
    status: int = 200,
) -> HTMLResponse:
    values: dict[str, Any] = {
        "fields": fields,
        "examples": {name: title for name, (title, *_) in EXAMPLES.items()},
        "result": result,
        "segments": segments(fields["text"], result.evidence) if result else [],
        "rows": _rows(result, service.pipeline.policy) if result else [],
        "foreign": not_judged(result.language, service.pipeline.policy) if result else None,
        "reads_context": service.pipeline.scorer.config.relevance is not None,
        "reads_author": service.pipeline.scorer.config.author is not None,
        "problem": problem,
        "settings": service.settings,
        "asks_for_key": await run_in_threadpool(asks_for_key, service),
        "model": service.pipeline.scorer.version,
        "languages": " and ".join(map(language_name, service.pipeline.policy.languages)),
    }
    headers = dict(problem.headers or {}) if problem else None
    return HTMLResponse(templates.get_template("page.html").render(values), status, headers)


def _rows(result: Result, policy: Policy) -> list[Bar]:
    """The probability of every label, and the relevance if there is an article."""
    relevance = {} if result.relevance is None else {"relevance": result.relevance}
    return bars(result.scores | relevance, policy, None, result.reason.rule)
