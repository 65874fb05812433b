"""Text classification as Hugging Face's text-embeddings-inference serves it, for Discourse and others.

Scores are the calibrated probability of each label; ``raw_scores`` are their log-odds. Nothing is truncated: a long
text is scored in windows. Of a pair of texts the second is the comment that the first answers.
"""

import math
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import Field
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from belowline.model import ScoreInput, Scores
from belowline.serve.http.auth import allowed
from belowline.serve.http.errors import Problem
from belowline.serve.http.health import readiness
from belowline.serve.http.schemas import MAX_COMMENTS
from belowline.serve.http.service import ServiceDep
from belowline.serve.protocols.protocol import Body, Protocol, or_else, read_json, scores_of

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_SMALLEST = 1e-7
_STATUS = {"scoring-failed": 424, "malformed-body": 422, "internal-error": 424}
_TYPES = {
    401: "Unauthorized",
    403: "Unauthorized",
    413: "Validation",
    422: "Tokenizer",
    424: "Backend",
    429: "Overloaded",
    503: "Unhealthy",
}
_MAY_SCORE = Depends(allowed("score", any_key=True))
# Without fail_fast the errors of a large body would fill gigabytes.
_Texts = Annotated[list[str], Field(fail_fast=True)]
router = APIRouter(include_in_schema=False)


class PredictRequest(Body):
    """A text; a list of one text or of a pair; or up to 256 such lists. Nothing is truncated, whatever is asked for."""

    inputs: Annotated[
        str | _Texts | Annotated[list[_Texts], Field(fail_fast=True)],
        or_else("must be a string, a list of strings, or a list of such lists"),
    ]
    raw_scores: bool = Field(False, strict=True)


class _Unfit(Problem):
    """Inputs of the right form that cannot be classified."""

    def __init__(self, why: str) -> None:
        super().__init__("invalid-request", why)


def problem(request: Request, problem: Problem) -> Response:
    """A problem in the shape of text-embeddings-inference's errors."""
    status = 413 if isinstance(problem, _Unfit) else _STATUS.get(problem.kind, problem.status_code)
    kind = _TYPES.get(status, "Backend" if status >= 500 else "Validation")
    return JSONResponse({"error": problem.detail, "error_type": kind}, status, problem.headers)


@router.post("/predict", dependencies=[_MAY_SCORE])
async def predict(request: Request, service: ServiceDep) -> JSONResponse:
    """All labels, the likeliest first. `["a", "b"]` is one pair, `[["a"], ["b"]]` are two texts.

    `POST /` does the same for every body that is not a form.
    """
    asked = await read_json(request, PredictRequest)
    inputs = _inputs(asked.inputs, service.settings.max_comment_chars)
    answers = [_predictions(scores, raw=asked.raw_scores) for scores in await scores_of(service, inputs)]
    is_batch = isinstance(asked.inputs, list) and isinstance(asked.inputs[0], list)
    return JSONResponse(answers if is_batch else answers[0])


@router.get("/info", dependencies=[_MAY_SCORE])
def info(service: ServiceDep) -> dict[str, Any]:
    """The labels by number, and limits; a length is in characters."""
    config, settings = service.pipeline.scorer.config, service.settings
    labels = {str(number): label for number, label in enumerate(config.labels)}
    return {
        "model_id": f"belowline {config.version}",
        "model_dtype": "int8",
        "model_type": {
            "classifier": {"id2label": labels, "label2id": {labels[key]: int(key) for key in labels}}
        },
        "max_concurrent_requests": settings.queue_comments,
        "max_input_length": settings.max_comment_chars,
        "max_client_batch_size": MAX_COMMENTS,
        "auto_truncate": False,
        "version": version("belowline"),
    }


@router.get("/health")
async def health(service: ServiceDep) -> Response:
    """200 or 503, as `/readyz`."""
    if not (await readiness(service)).ready:
        raise Problem("shutting-down", "the model, its queue or the database does not work; see /readyz")
    return Response()


PROTOCOL = Protocol(router, ("/predict", "/info", "/health"), problem)


class PredictAtRoot:
    """ASGI middleware: ``POST /`` is ``POST /predict`` unless it brings a form, which the page at ``/`` sends."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/":
            media_type = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in _FORMS:
                scope = {**scope, "path": "/predict", "raw_path": b"/predict"}
        await self._app(scope, receive, send)


def _inputs(sent: str | list[str] | list[list[str]], max_chars: int) -> list[ScoreInput]:
    if isinstance(sent, str):
        return [_input([sent], max_chars)]
    lists = [texts for texts in sent if isinstance(texts, list)]
    if len(lists) > MAX_COMMENTS:
        raise _Unfit(f"inputs hold {len(lists)} texts; the limit is {MAX_COMMENTS}")
    pair = [text for text in sent if isinstance(text, str)]
    return [_input(texts, max_chars) for texts in lists or [pair]]


def _input(texts: list[str], max_chars: int) -> ScoreInput:
    if len(texts) not in (1, 2):
        raise _Unfit('a list in inputs holds neither one text nor a pair; write many texts as [["a"], ["b"]]')
    if not texts[0].strip():
        raise _Unfit("inputs hold an empty text")
    longest = max(len(text) for text in texts)
    if longest > max_chars:
        raise _Unfit(f"a text has {longest} characters; the limit is {max_chars}")
    return ScoreInput(texts[0], parent=texts[1] if len(texts) == 2 else None)


def _predictions(scores: Scores, *, raw: bool) -> list[dict[str, Any]]:
    likeliest = sorted(scores.probabilities.items(), key=lambda pair: -pair[1])
    return [{"score": _log_odds(p) if raw else p, "label": label} for label, p in likeliest]


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _SMALLEST), 1 - _SMALLEST)
    return math.log(bounded / (1 - bounded))
