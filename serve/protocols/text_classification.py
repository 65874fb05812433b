"""Text classification as Hugging Face's text-embeddings-inference serves it, which Discourse and others call.

Scores are the calibrated probabilities of the labels, each by itself; ``raw_scores`` are their log-odds. Nothing is ever truncated: long
texts are read in windows. Of a pair of texts the second one is what the first answers.
"""

import math
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from belowline.model import ScoreInput, Scores
from belowline.serve.http import auth as keys
from belowline.serve.http.errors import PROBLEMS, Problem
from belowline.serve.http.health import readiness
from belowline.serve.http.schemas import MAX_COMMENTS
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.protocol import Protocol, or_else, read_json
from belowline.serve.store.accounts import Actor

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_SMALLEST = 1e-7
_STATUS = {"scoring-failed": 424, "malformed-body": 422, "internal-error": 424}
_TYPES = {
    413: "Validation",
    422: "Tokenizer",
    424: "Backend",
    429: "Overloaded",
    503: "Unhealthy",
    401: "Unauthorized",
    403: "Unauthorized",
}
router = APIRouter(include_in_schema=False)
# All the faults of a large body would fill gigabytes.
_Texts = Annotated[list[str], Field(fail_fast=True)]


class PredictRequest(BaseModel):
    """What to classify; other fields are not read."""

    model_config = ConfigDict(hide_input_in_errors=True)
    inputs: Annotated[
        str | _Texts | Annotated[list[_Texts], Field(fail_fast=True)],
        or_else("must be a string, a list of strings, or a list of such lists"),
    ] = Field(description="A text; a list of one text, or of a pair; or up to 256 such lists.")
    raw_scores: bool = Field(False, strict=True, description="Log-odds instead of probabilities.")
    truncate: bool = Field(False, strict=True, description="Makes no difference: nothing is truncated.")
    truncation_direction: Literal["Left", "Right"] = Field("Right", description="Makes no difference.")


class Prediction(BaseModel):
    """A label and how likely it is."""

    score: float
    label: str


class Info(BaseModel):
    """What serves, in the words of text-embeddings-inference."""

    model_config = ConfigDict(protected_namespaces=())
    model_id: str
    model_sha: str | None
    model_dtype: str
    model_type: dict[str, dict[str, dict[str, Any]]]
    max_concurrent_requests: int = Field(description="Texts that may wait at once.")
    max_input_length: int = Field(description="Characters, for nothing is cut to tokens.")
    max_batch_tokens: int
    max_batch_requests: int | None
    max_client_batch_size: int
    auto_truncate: bool
    tokenization_workers: int
    version: str
    sha: str | None
    docker_label: str | None


class _Unfit(Problem):
    """Inputs that have the right form, and cannot be classified."""

    def __init__(self, why: str) -> None:
        super().__init__("invalid-request", why)


def problem(request: Request, problem: Problem) -> Response:
    """Any problem as text-embeddings-inference answers it."""
    status = 413 if isinstance(problem, _Unfit) else _status_of(problem.kind)
    kind = _TYPES.get(status, "Backend" if status >= 500 else "Validation")
    return JSONResponse({"error": problem.detail, "error_type": kind}, status, problem.headers)


def _status_of(kind: str) -> int:
    return _STATUS.get(kind, PROBLEMS[kind][0])


Caller = Annotated[Actor, Depends(keys.client)]


@router.post("/predict")
async def predict(
    request: Request, service: ServiceDep, actor: Caller
) -> list[Prediction] | list[list[Prediction]]:
    """All labels, the likeliest first. `["a", "b"]` is one pair, `[["a"], ["b"]]` are two texts.

    `POST /` does the same for every body that is not a form.
    """
    actor.require("score")
    asked = await read_json(request, PredictRequest)
    inputs = _inputs(asked.inputs)
    _check(inputs, service)
    scores = await service.scores(inputs)
    found = [_predictions(one, raw=asked.raw_scores) for one in scores]
    return found if _is_batch(asked.inputs) else found[0]


@router.get("/info")
def info(service: ServiceDep, actor: Caller) -> Info:
    """Labels by number, and limits."""
    actor.require("score")
    config, settings = service.pipeline.scorer.config, service.settings
    classifier: dict[str, dict[str, Any]] = {
        "id2label": {str(number): label for number, label in enumerate(config.labels)},
        "label2id": {label: number for number, label in enumerate(config.labels)},
    }
    return Info(
        model_id=f"belowline {config.version}",
        model_sha=None,
        model_dtype="int8",
        model_type={"classifier": classifier},
        max_concurrent_requests=settings.queue_comments,
        max_input_length=settings.max_comment_chars,
        max_batch_tokens=config.window.tokens,
        max_batch_requests=1,
        max_client_batch_size=MAX_COMMENTS,
        auto_truncate=False,
        tokenization_workers=1,
        version=version("belowline"),
        sha=None,
        docker_label=None,
    )


@router.get("/health", response_class=Response)
async def health(service: ServiceDep) -> Response:
    """200 while it can, as `/readyz`."""
    if not (await readiness(service)).ready:
        raise Problem("shutting-down", "the model, its queue or the database does not work; see /readyz")
    return Response()


PROTOCOL = Protocol(router, ("/predict", "/info", "/health"), problem)


class PredictAtRoot:
    """ASGI middleware: ``POST /`` is ``POST /predict``, as in text-embeddings-inference, unless it brings the form of the page there."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/":
            media_type = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in _FORMS:
                scope = {**scope, "path": "/predict", "raw_path": b"/predict"}
        await self._app(scope, receive, send)


def _is_batch(inputs: str | list[str] | list[list[str]]) -> bool:
    return isinstance(inputs, list) and bool(inputs) and isinstance(inputs[0], list)


def _inputs(given: str | list[str] | list[list[str]]) -> list[ScoreInput]:
    if isinstance(given, str):
        return [ScoreInput(given)]
    lists = [one for one in given if isinstance(one, list)]
    return [_input(one) for one in lists or [[one for one in given if isinstance(one, str)]]]


def _input(texts: list[str]) -> ScoreInput:
    if len(texts) not in (1, 2):
        raise _Unfit('inputs hold a list of neither one text nor a pair; write many texts as [["a"], ["b"]]')
    return ScoreInput(texts[0], parent=texts[1] if len(texts) == 2 else None)


def _check(inputs: list[ScoreInput], service: Service) -> None:
    if len(inputs) > MAX_COMMENTS:
        raise _Unfit(f"inputs hold {len(inputs)} texts; at most {MAX_COMMENTS} are accepted")
    for one in inputs:
        if not one.text.strip():
            raise _Unfit("inputs hold a text that is empty")
        longest = max(len(one.text), len(one.parent or ""))
        if longest > service.settings.max_comment_chars:
            raise _Unfit(
                f"a text of {longest} characters; at most {service.settings.max_comment_chars} are accepted"
            )


def _predictions(scores: Scores | None, *, raw: bool) -> list[Prediction]:
    if scores is None:
        raise Problem("scoring-failed", "the text could not be scored; let a person read it")
    likeliest = sorted(scores.probabilities.items(), key=lambda one: -one[1])
    return [Prediction(label=label, score=_log_odds(p) if raw else p) for label, p in likeliest]


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, _SMALLEST), 1 - _SMALLEST)
    return math.log(bounded / (1 - bounded))
