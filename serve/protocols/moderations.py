"""OpenAI's ``/v1/moderations``: its clients work unchanged except for the address and the key.

serve/PROTOCOLS.md describes the differences.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from belowline.model import ScoreInput
from belowline.serve.http.auth import allowed
from belowline.serve.http.errors import Problem
from belowline.serve.http.schemas import MAX_COMMENTS
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.protocols.protocol import Body, Protocol, not_scored, or_else, read_json
from belowline.serve.scoring.results import Result

_LATEST = "omni-moderation-latest"
_HATE = ("hate", "antisemitism")
_JUDGED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "harassment": (("personal_attack",),),
    "harassment/threatening": (("threat",),),
    "hate": (_HATE,),
    "hate/threatening": (_HATE, ("threat",)),
}
"""Category to groups of labels: the category is as likely as its least likely group, a group as its likeliest label."""
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
"""Reason codes that say nothing about the content of a text. A text that could not be scored is an error."""
_TYPES = {401: "invalid_request_error", 403: "invalid_request_error", 429: "requests"}
_CODES = {
    "invalid-key": "invalid_api_key",
    "forbidden": "insufficient_permissions",
    "queue-full": "rate_limit_exceeded",
    "invalid-request": "invalid_value",
}
router = APIRouter(include_in_schema=False)


class _Part(BaseModel):
    type: Literal["text", "image_url"]
    text: str | None = None


class ModerationRequest(Body):
    """Texts to score: one, up to 256 with a result each, or the text and image parts of one."""

    # Without fail_fast the errors of a large body would fill gigabytes.
    input: Annotated[
        str | Annotated[list[str], Field(fail_fast=True)] | Annotated[list[_Part], Field(fail_fast=True)],
        or_else("must be a string, a list of strings, or a list of text and image parts"),
    ]
    model: str | None = Field(None, max_length=200)


class _Refused(Problem):
    """An input that cannot be scored, with OpenAI's code for the reason."""

    def __init__(self, why: str, code: str = "invalid_value") -> None:
        super().__init__("invalid-request", f"input {why}", errors=[("input", why)])
        self.code = code


def problem(request: Request, problem: Problem) -> Response:
    """A problem in the shape of OpenAI's errors."""
    status = 400 if problem.kind == "invalid-request" else problem.status_code
    code = _CODES.get(problem.kind, problem.kind.replace("-", "_"))
    error = {
        "message": problem.detail,
        "type": _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
        "param": problem.errors[0][0] if problem.errors else None,
        "code": problem.code if isinstance(problem, _Refused) else code,
    }
    return JSONResponse({"error": error}, status, problem.headers)


@router.post("/v1/moderations", dependencies=[Depends(allowed("score", any_key=True))])
async def moderate(request: Request, service: ServiceDep) -> JSONResponse:
    """One result for each text, in order; nothing is stored. A list of parts is one text."""
    asked = await read_json(request, ModerationRequest)
    texts = _texts(asked.input, service)
    results = await service.moderate([None] * len(texts), [ScoreInput(text) for text in texts])
    if any(not result.scores for result in results):
        raise not_scored()
    images = any(isinstance(part, _Part) and part.type == "image_url" for part in asked.input)
    headers = {
        "X-Belowline-Unjudged": ",".join((*_UNJUDGED, "image_url") if images else _UNJUDGED),
        "X-Belowline-Reasons": ",".join(result.reason.code for result in results),
    }
    answer = {
        "id": f"modr-{secrets.token_hex(16)}",
        "model": asked.model or _LATEST,
        "results": [_result(result, service) for result in results],
    }
    return JSONResponse(answer, headers=headers)


PROTOCOL = Protocol(router, ("/v1/moderations",), problem)


def _texts(sent: str | list[str] | list[_Part], service: Service) -> list[str]:
    """The texts that get a result each; raises Problem for none, for too many, and for texts that cannot be scored."""
    texts = [sent] if isinstance(sent, str) else [text for text in sent if isinstance(text, str)]
    parts = [] if isinstance(sent, str) else [part for part in sent if isinstance(part, _Part)]
    if parts:
        of_parts = [part.text or "" for part in parts if part.type == "text"]
        if not of_parts:
            raise _Refused("holds no text; images are not scored")
        texts = ["\n".join(of_parts)]
    if not texts or not all(text.strip() for text in texts):
        raise _Refused("is empty; send at least one text")
    if len(texts) > MAX_COMMENTS:
        raise _Refused(f"holds {len(texts)} texts; the limit is {MAX_COMMENTS}")
    longest = service.settings.max_comment_chars
    if any(len(text) > longest for text in texts):
        raise _Refused(f"holds a text of more than {longest} characters", "string_above_max_length")
    return texts


def _result(result: Result, service: Service) -> dict[str, Any]:
    scores = {
        name: min(max(result.scores.get(label, 0.0) for label in labels) for labels in groups)
        for name, groups in _JUDGED.items()
    }
    reached = {name: _reached(result.scores, groups, service) for name, groups in _JUDGED.items()}
    not_published = result.action != "publish" and result.reason.code not in _NOT_FOR_CONTENT
    return {
        "flagged": any(reached.values()) or not_published,
        "categories": reached | dict.fromkeys(_UNJUDGED, False),
        "category_scores": scores | dict.fromkeys(_UNJUDGED, 0.0),
        "category_applied_input_types": {name: ["text"] for name in _JUDGED}
        | {name: [] for name in _UNJUDGED},
    }


def _reached(scores: Mapping[str, float], groups: Sequence[Sequence[str]], service: Service) -> bool:
    """True if each group has a label at the threshold at which the policy holds for it, or else the model's own."""
    pipeline = service.pipeline
    thresholds = {**pipeline.scorer.thresholds, **pipeline.policy.thresholds}
    holds = {label: both.hold for label, both in thresholds.items() if both.hold is not None}
    return all(any(label in holds and scores[label] >= holds[label] for label in labels) for labels in groups)
