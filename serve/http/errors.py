"""The one table from error to status, answered as problem details (RFC 9457) that never echo a comment."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

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

_ADVICE = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a string",
    "string_unicode": "has a lone surrogate; send valid Unicode",
    "string_too_short": "is empty; send at least one character",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the problems with these statuses, as ``responses`` of a router."""
    return {status: _documented(status) for status in statuses}


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


class Problem(HTTPException):
    """An error with its place in the table; ``errors`` are pairs of a field and what is wrong with it."""

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

    def response(self) -> JSONResponse:
        """The problem as an HTTP answer."""
        body: dict[str, Any] = {
            "type": _TYPE_PREFIX + self.kind,
            "title": PROBLEMS[self.kind][1],
            "status": self.status_code,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [{"field": field, "detail": detail} for field, detail in self.errors]
        return JSONResponse(body, self.status_code, self.headers, PROBLEM_JSON)


def invalid_field(field: str, detail: str) -> Problem:
    """The problem of one field with an unacceptable value."""
    return Problem("invalid-request", f"{field} {detail}", errors=[(field, detail)])


def queue_full(retry_after: int) -> Problem:
    """The problem of a request that came while as many wait as may; in so many seconds there should be room."""
    return Problem(
        "queue-full", "try again after Retry-After seconds", headers={"Retry-After": str(retry_after)}
    )


Render = Callable[[Request, Problem], Response | None]


def add_error_handlers(app: FastAPI, render: Render = lambda request, problem: None) -> None:
    """Makes every error of ``app`` a problem; ``render`` may give some requests another answer than its JSON."""

    def answer(request: Request, problem: Problem) -> Response:
        return render(request, problem) or problem.response()

    async def on_http_error(request: Request, error: Exception) -> Response:
        if not isinstance(error, HTTPException):
            raise error
        problem = _problem_of(error)
        if problem.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            problem.headers = {
                "Allow": ", ".join(_methods(request)) or dict(error.headers or {}).get("Allow", "")
            }
        return answer(request, problem)

    async def on_invalid(request: Request, error: Exception) -> Response:
        if not isinstance(error, RequestValidationError):
            raise error
        return answer(request, _problem_of_invalid(request, error))

    async def on_refusal(request: Request, error: Exception) -> Response:
        if not isinstance(error, Refusal):
            raise error
        return answer(request, Problem(error.kind, error.detail))

    async def on_store_error(request: Request, error: Exception) -> Response:
        logger.error("%s", error)
        return answer(
            request, Problem("store-unavailable", "nothing was stored; send the request again later")
        )

    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(StoreError, on_store_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_invalid)


def _methods(request: Request) -> list[str]:
    """The methods of an address as the app documents them; the router itself would name those of one route alone."""
    paths: Mapping[str, Mapping[str, Any]] = request.app.openapi()["paths"]
    fitting = [path for path in paths if re.fullmatch(_PARAMETER.sub(".+", path), request.url.path)]
    closest = max(fitting, key=lambda path: len(_PARAMETER.sub("", path)), default=None)
    return [] if closest is None else sorted(method.upper() for method in paths[closest])


def _problem_of(error: HTTPException) -> Problem:
    if isinstance(error, Problem):
        return error
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return Problem("malformed-body", _unreadable(error.__cause__))
    kind = _KIND_OF_STATUS.get(error.status_code, "internal-error")
    return Problem(kind, str(error.detail) + "; /docs lists all calls", headers=error.headers)


def _unreadable(cause: BaseException | None) -> str:
    if isinstance(cause, UnicodeDecodeError):
        return f"the body is not valid UTF-8: byte {cause.start + 1} cannot be decoded; send JSON in UTF-8"
    if isinstance(cause, RecursionError):
        return "the body nests too many levels; send the fields that /docs lists"
    return "the body is not valid JSON; send a JSON object in UTF-8"


def _problem_of_invalid(request: Request, error: RequestValidationError) -> Problem:
    found = error.errors()
    if found[0]["type"] == "json_invalid":
        position, why = found[0]["loc"][-1], found[0]["ctx"]["error"]
        return Problem("malformed-body", f"the body is not valid JSON at character {position}: {why}")
    if found[0]["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
        return Problem(
            "unsupported-media-type", "send a JSON object with the header Content-Type: application/json"
        )
    return invalid_fields(found)


def invalid_fields(found: Sequence[Mapping[str, Any]]) -> Problem:
    """The problem of what pydantic found; locations begin with where the field stands, such as ``body``."""
    errors = [(field_name(one["loc"]), _advice(one)) for one in found]
    return Problem("invalid-request", " ".join(errors[0]), errors=errors)


def field_name(location: Sequence[str | int]) -> str:
    """A pydantic location as callers write it, such as ``comments[0].text``; odd characters become ``?``."""
    name = ""
    for part in location[1:] or location:
        name += f"[{part}]" if isinstance(part, int) else f".{part}"
    return "".join(char if char.isprintable() else "?" for char in name.lstrip("."))[:_LONGEST_NAME]


def _advice(error: Mapping[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    return _ADVICE.get(error["type"], message[:1].lower() + message[1:])
