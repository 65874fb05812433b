"""OpenAI's ``/v1/moderations``: its clients work unchanged but for the address and the key.

Nine of the thirteen categories are not judged here, and say so: they are zero, false, and named in the header ``X-Belowline-Unjudged``.
What OpenAI has no category for, such as spam, still flags a comment: ``flagged`` is also true where the policy does not publish it for its
content, and ``X-Belowline-Reasons`` gives the reason code of each result. A text that the policy holds for another reason, such as a
language that the model does not know, is not flagged: chat software refuses every text that is.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from belowline.model import ScoreInput
from belowline.serve.http import auth as keys
from belowline.serve.http.errors import PROBLEMS, Problem
from belowline.serve.http.schemas import MAX_COMMENTS
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.protocol import Protocol, or_else, read_json
from belowline.serve.scoring.results import Result
from belowline.serve.store.accounts import Actor

_LATEST = "omni-moderation-latest"
_HATE = ("hate", "antisemitism")
_JUDGED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "harassment": (("personal_attack",),),
    "harassment/threatening": (("threat",),),
    "hate": (_HATE,),
    "hate/threatening": (_HATE, ("threat",)),
}
"""Category to what must all be there, each of it any of some labels."""
_UNJUDGED = (
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
_NOT_FOR_CONTENT = ("language", "new_author")
"""Reason codes of the policy that say nothing about what a text contains. A text that could not be scored is an error."""
_TYPES = {401: "invalid_request_error", 403: "invalid_request_error", 429: "requests"}
_CODES = {
    "invalid-key": "invalid_api_key",
    "forbidden": "insufficient_permissions",
    "queue-full": "rate_limit_exceeded",
    "invalid-request": "invalid_value",
}
router = APIRouter(include_in_schema=False)


class _Part(BaseModel):
    """A part of one input."""

    type: Literal["text", "image_url"] = Field(description="Only text is judged.")
    text: str | None = Field(None, description="The text of a text part.")


class ModerationRequest(BaseModel):
    """What to judge; other fields are not read."""

    model_config = ConfigDict(hide_input_in_errors=True)
    # All the faults of a large body would fill gigabytes.
    input: Annotated[
        str | Annotated[list[str], Field(fail_fast=True)] | Annotated[list[_Part], Field(fail_fast=True)],
        or_else("must be a string, a list of strings, or a list of text and image parts"),
    ] = Field(description="A text, up to 256 texts with a result for each, or the parts of one.")
    model: str | None = Field(None, max_length=200, description="Given back as it came; there is one model.")


class ModerationResult(BaseModel):
    """What was found in one input, by category."""

    flagged: bool = Field(
        description="True if a category is true, or if the policy does not publish the text for its content."
    )
    categories: dict[str, bool] = Field(description="Whether a category's labels reach their thresholds.")
    category_scores: dict[str, float] = Field(description="Probabilities.")
    category_applied_input_types: dict[str, list[str]] = Field(description="Empty where nothing is judged.")


class _Refused(Problem):
    """An input that is not judged, with OpenAI's code for why."""

    def __init__(self, why: str, code: str = "invalid_value") -> None:
        super().__init__("invalid-request", f"input {why}", errors=[("input", why)])
        self.code = code


class ModerationAnswer(BaseModel):
    """One result for each input, in order."""

    id: str
    model: str
    results: list[ModerationResult]


def problem(request: Request, problem: Problem) -> Response:
    """Any problem as OpenAI's API answers it."""
    status = _status_of(problem.kind)
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    code = _CODES.get(problem.kind, problem.kind.replace("-", "_"))
    if isinstance(problem, _Refused):
        code = problem.code
    param = problem.errors[0][0] if problem.errors else None
    error = {"message": problem.detail, "type": kind, "param": param, "code": code}
    return JSONResponse({"error": error}, status, problem.headers)


def _status_of(kind: str) -> int:
    return 400 if kind == "invalid-request" else PROBLEMS[kind][0]


@router.post("/v1/moderations")
async def moderate(
    request: Request, response: Response, service: ServiceDep, actor: Annotated[Actor, Depends(keys.client)]
) -> ModerationAnswer:
    """Nothing is kept. A list of texts gets a result for each, a list of parts is one input."""
    actor.require("score")
    asked = await read_json(request, ModerationRequest)
    texts = _texts(asked.input, service)
    results = await service.moderate([None] * len(texts), [ScoreInput(text) for text in texts])
    if any(not result.scores for result in results):
        raise Problem("scoring-failed", "the text could not be scored; let a person read it")
    images = any(isinstance(one, _Part) and one.type == "image_url" for one in asked.input)
    response.headers["X-Belowline-Unjudged"] = ",".join((*_UNJUDGED, "image_url") if images else _UNJUDGED)
    response.headers["X-Belowline-Reasons"] = ",".join(result.reason.code for result in results)
    return ModerationAnswer(
        id=f"modr-{secrets.token_hex(16)}",
        model=asked.model or _LATEST,
        results=[_result(result, service) for result in results],
    )


PROTOCOL = Protocol(router, ("/v1/moderations",), problem)


def _texts(given: str | list[str] | list[_Part], service: Service) -> list[str]:
    """The texts that get a result each; raises Problem for none, too many, and those that cannot be judged."""
    texts = [given] if isinstance(given, str) else [one for one in given if isinstance(one, str)]
    parts = [] if isinstance(given, str) else [one for one in given if isinstance(one, _Part)]
    if parts:
        words = [part.text or "" for part in parts if part.type == "text"]
        if not words:
            raise _Refused("holds no text, and images are not judged here")
        texts = ["\n".join(words)]
    if not texts or not all(text.strip() for text in texts):
        raise _Refused("is empty; give at least one text")
    if len(texts) > MAX_COMMENTS:
        raise _Refused(f"holds {len(texts)} texts; at most {MAX_COMMENTS} are accepted")
    longest = service.settings.max_comment_chars
    if any(len(text) > longest for text in texts):
        raise _Refused(
            f"holds a text longer than the {longest} characters that are accepted", "string_above_max_length"
        )
    return texts


def _result(result: Result, service: Service) -> ModerationResult:
    none = dict.fromkeys(_UNJUDGED, 0.0)
    scores = {name: _score(result.scores, groups) for name, groups in _JUDGED.items()} | none
    reached = {name: _reached(result.scores, groups, service) for name, groups in _JUDGED.items()}
    not_published = result.action != "publish" and result.reason.code not in _NOT_FOR_CONTENT
    return ModerationResult(
        flagged=any(reached.values()) or not_published,
        categories=reached | dict.fromkeys(_UNJUDGED, False),
        category_scores=scores,
        category_applied_input_types={name: ["text"] for name in _JUDGED} | {name: [] for name in _UNJUDGED},
    )


def _score(scores: Mapping[str, float], groups: Sequence[Sequence[str]]) -> float:
    return min(max((scores.get(label, 0.0) for label in labels), default=0.0) for labels in groups)


def _reached(scores: Mapping[str, float], groups: Sequence[Sequence[str]], service: Service) -> bool:
    """Whether each group has a label at the threshold at which the policy holds for it, or else the model's own."""
    pipeline = service.pipeline
    thresholds = {**pipeline.scorer.thresholds, **pipeline.policy.thresholds}
    return all(
        any(
            label in thresholds and (hold := thresholds[label].hold) is not None and scores[label] >= hold
            for label in labels
        )
        for labels in groups
    )
