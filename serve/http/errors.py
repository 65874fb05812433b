"""The table of errors and statuses; errors are answered as problem details (RFC 9457) and never contain a comment."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from belowline.model import BelowlineError, message_of
from belowline.serve.json_body import JsonRoute
from belowline.serve.store.database import StoreError
from belowline.serve.store.refusal import Refusal

logger = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"
_TYPE_PREFIX = "urn:belowline:problem:"
_LONGEST_NAME = 80
_PARAMETER = re.compile(r"\{[^}]*\}")

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "malformed-body": (400, "Malformed body"),
    "invalid-key": (401, "Missing or invalid API key"),
    "forbidden": (403, "Not permitted for this key"),
    "not-found": (404, "Not found"),
    "method-not-allowed": (405, "Method not allowed"),
    "slow-body": (408, "Body received too slowly"),
    "conflict": (409, "Conflict with the current state"),
    "body-too-large": (413, "Body too large"),
    "unsupported-media-type": (415, "Unsupported media type"),
    "wrong-host": (421, "Unknown host name"),
    "bad-cursor": (422, "Invalid cursor"),
    "bad-policy": (422, "Invalid policy"),
    "invalid-request": (422, "Invalid request"),
    "queue-full": (429, "Scoring queue full"),
    "too-many-guesses": (429, "Too many wrong keys from this address"),
    "internal-error": (500, "Internal error"),
    "scoring-failed": (500, "Scoring failed"),
    "store-unavailable": (503, "Database unavailable"),
    "shutting-down": (503, "Service shutting down"),
}
_KIND_OF_STATUS = {status: kind for kind, (status, _) in PROBLEMS.items()} | {
    422: "invalid-request",
    429: "queue-full",
    500: "internal-error",
}
_EVERYWHERE = (400, 401, 403, 413, 415, 421, 422, 429, 503)

_ADVICE = {
    "string_unicode": "has a lone surrogate; send valid Unicode",
    "string_too_short": "is empty; send at least one character",
}


def api_router(tag: str, *more: int) -> APIRouter:
    """Returns a router below /v1; its OpenAPI has the problems of every route and those with the statuses ``more``."""
    statuses = sorted({*_EVERYWHERE, *more})
    responses: dict[int | str, dict[str, Any]] = {status: _documented(status) for status in statuses}
    return APIRouter(prefix="/v1", route_class=JsonRoute, tags=[tag], responses=responses)


def _documented(status: int) -> dict[str, Any]:
    kinds = [kind for kind, (its_status, _) in PROBLEMS.items() if its_status == status]
    error = {"type": "object", "properties": {"field": {"type": "string"}, "detail": {"type": "string"}}}
    properties: dict[str, Any] = {
        "type": {"type": "string", "enum": [_TYPE_PREFIX + kind for kind in kinds]},
        "title": {"type": "string"},
        "status": {"type": "integer", "enum": [status]},
        "detail": {"type": "string"},
        "errors": {"type": "array", "items": error},
    }
    schema = {"type": "object", "required": ["type", "title", "status", "detail"], "properties": properties}
    description = "; ".join(PROBLEMS[kind][1] for kind in kinds)
    return {"description": description, "content": {PROBLEM_JSON: {"schema": schema}}}


class Problem(BelowlineError, HTTPException):
    """An HTTP error; ``kind`` is a key of ``PROBLEMS``, ``errors`` are pairs of a field and its fault."""

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(PROBLEMS[kind][0], detail, headers)
        self.kind = kind
        self.errors = errors

    def body(self) -> dict[str, Any]:
        """Returns the members of the problem details."""
        body: dict[str, Any] = {
            "type": _TYPE_PREFIX + self.kind,
            "title": PROBLEMS[self.kind][1],
            "status": self.status_code,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [{"field": field, "detail": detail} for field, detail in self.errors]
        return body

    def response(self) -> JSONResponse:
        """Returns the HTTP response."""
        return JSONResponse(self.body(), self.status_code, self.headers, PROBLEM_JSON)


def invalid_field(field: str, detail: str) -> Problem:
    """Returns the problem of one field with an invalid value."""
    return Problem("invalid-request", f"{field} {detail}", errors=[(field, detail)])


def queue_full(retry_after: int) -> Problem:
    """Returns the problem of a full queue, which should have room after ``retry_after`` seconds."""
    return Problem(
        "queue-full", "try again after Retry-After seconds", headers={"Retry-After": str(retry_after)}
    )


Render = Callable[[Request, Problem], Response | None]


def add_error_handlers(app: FastAPI, render: Render = lambda request, problem: None) -> None:
    """Answers every error of ``app`` as a problem; ``render`` may return another response than its JSON."""

    async def on_error(request: Request, error: Exception) -> Response:
        problem = _problem_of(request, error)
        return render(request, problem) or problem.response()

    for kind in (Refusal, StoreError, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, on_error)


def _methods(request: Request) -> list[str]:
    """Returns the methods of an address by the OpenAPI document; the router names those of one route only."""
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    fitting = [path for path in paths if re.fullmatch(_PARAMETER.sub(".+", path), request.url.path)]
    closest = max(fitting, key=lambda path: len(_PARAMETER.sub("", path)), default=None)
    return [] if closest is None else sorted(method.upper() for method in paths[closest])


def _problem_of(request: Request, error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case Refusal():
            return Problem(error.kind, error.detail)
        case StoreError():
            logger.error("%s", error)
            return Problem("store-unavailable", "nothing was stored; send the request again later")
        case RequestValidationError():
            return _problem_of_invalid(request, error)
        case HTTPException(status_code=HTTPStatus.BAD_REQUEST):
            return Problem("malformed-body", _unreadable(error.__cause__))
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            methods = ", ".join(_methods(request)) or dict(error.headers or {}).get("Allow", "")
            return Problem("method-not-allowed", _see_docs(error), headers={"Allow": methods})
        case HTTPException():
            kind = _KIND_OF_STATUS.get(error.status_code, "internal-error")
            return Problem(kind, _see_docs(error), headers=error.headers)
    raise error


def _see_docs(error: HTTPException) -> str:
    return f"{error.detail}; /docs lists all calls"


def _problem_of_invalid(request: Request, error: RequestValidationError) -> Problem:
    errors = error.errors()
    if errors[0]["type"] == "json_invalid":
        position, why = errors[0]["loc"][-1], errors[0]["ctx"]["error"]
        return Problem("malformed-body", f"the body is not valid JSON at character {position}: {why}")
    if errors[0]["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
        return Problem(
            "unsupported-media-type", "send a JSON object with the header Content-Type: application/json"
        )
    return invalid_fields(errors)


def invalid_fields(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Returns the problem of pydantic's errors; locations begin with a part of the request, such as ``body``."""
    fields = [(field_name(error["loc"]), _advice(error)) for error in errors]
    return Problem("invalid-request", " ".join(fields[0]), errors=fields)


def field_name(location: Sequence[str | int]) -> str:
    """Returns a pydantic location as clients write it, ``comments[0].text``; unprintable characters become ``?``."""
    name = ""
    for part in location[1:] or location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return "".join(char if char.isprintable() else "?" for char in name.lstrip("."))[:_LONGEST_NAME]


def _advice(error: Mapping[str, Any]) -> str:
    message = message_of(error)
    return _ADVICE.get(error["type"], message[:1].lower() + message[1:])


def _unreadable(cause: BaseException | None) -> str:
    if isinstance(cause, UnicodeDecodeError):
        return f"the body is not valid UTF-8: byte {cause.start + 1} cannot be decoded; send JSON in UTF-8"
    return "the body cannot be read; send a JSON object in UTF-8"
