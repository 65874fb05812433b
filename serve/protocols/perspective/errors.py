"""Errors as the Perspective API tells them; each has ``details``, which its clients read without looking."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from pydantic import ValidationError

from belowline.serve.http.errors import Problem, field_name, invalid_fields
from belowline.serve.http.service import service_of

_SERVICE = "commentanalyzer.googleapis.com"
_QUOTA = "Analysis requests (AnalyzeComment)"
_TYPES = "type.googleapis.com/google."
_STATUS = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_BAD_REQUESTS = ("body-too-large", "invalid-key", "invalid-request")
"""Kinds that have a status of their own in our table, and 400 here."""
_UNREADABLE = "Invalid JSON payload received. "


class Refused(Problem):
    """A bad request in the API's own words."""

    def __init__(self, message: str, *details: Mapping[str, Any]) -> None:
        super().__init__("invalid-request", message)
        self.details = details


def refused(error_type: str, message: str, **more: Any) -> Refused:
    """The problem with one of the API's own error types."""
    return Refused(message, _analyzer_error(error_type, **more))


def refused_language(attribute: str, languages: Sequence[str], named: str) -> Refused:
    """The problem of languages that are not scored; ``named`` says by whom: ``requestedLanguages`` or ``detectedLanguages``."""
    error = {named: list(languages), "attribute": attribute}
    message = f"Attribute {attribute} does not support request languages: {', '.join(languages)}"
    kind = "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    return refused(kind, message, languageNotSupportedByAttributeError=error)


def unreadable(error: ValidationError) -> Refused:
    """The problem of a body that does not fit its message, with every field that is wrong."""
    found = error.errors(include_url=False, include_input=False)
    violations = [_violation(one) for one in found]
    return Refused(
        violations[0]["description"], {"@type": _TYPES + "rpc.BadRequest", "fieldViolations": violations}
    )


def problem(request: Request, problem: Problem) -> Response:
    """Any problem as Google's APIs answer it."""
    status = 400 if problem.kind in _BAD_REQUESTS else problem.status_code
    message, details = _told(request, problem)
    error = {
        "code": status,
        "message": message,
        "status": _STATUS.get(status, "FAILED_PRECONDITION"),
        "details": details,
    }
    return JSONResponse({"error": error}, status, problem.headers)


def _told(request: Request, problem: Problem) -> tuple[str, Sequence[Mapping[str, Any]]]:
    if isinstance(problem, Refused):
        return problem.detail, problem.details
    if problem.kind == "body-too-large":
        return "Comment text too long.", [_analyzer_error("COMMENT_TOO_LONG")]
    if problem.kind == "invalid-key":
        message = "API key not valid. Please pass a valid API key."
        return message, [_error_info("API_KEY_INVALID", service=_SERVICE)]
    if problem.kind == "queue-full":
        return _quota(request, problem)
    return problem.detail, [_error_info(problem.kind.upper().replace("-", "_"), service=_SERVICE)]


def _quota(request: Request, problem: Problem) -> tuple[str, Sequence[Mapping[str, Any]]]:
    """The limit is how many comments may wait at once; clients know the API's limit of requests a minute."""
    message = (
        f"Quota exceeded for quota metric '{_QUOTA}' and limit '{_QUOTA} per minute' of service '{_SERVICE}': "
        f"too many comments are waiting; {problem.detail}."
    )
    waiting = str(service_of(request).settings.queue_comments)
    return message, [
        _error_info(
            "RATE_LIMIT_EXCEEDED", service=_SERVICE, quota_limit="WaitingComments", quota_limit_value=waiting
        )
    ]


def _error_info(reason: str, **metadata: str) -> dict[str, Any]:
    return {
        "@type": _TYPES + "rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": metadata,
    }


def _analyzer_error(error_type: str, **more: Any) -> dict[str, Any]:
    return {"@type": _TYPES + "commentanalyzer.v1alpha1.Error", "errorType": error_type, **more}


def _violation(found: Mapping[str, Any]) -> dict[str, str]:
    place = ("body", *found["loc"])
    if found["type"] == "json_invalid":
        return {"field": "", "description": _UNREADABLE + "The body is not a JSON object in UTF-8."}
    if found["type"] == "extra_forbidden":
        parent = field_name(place[:-1]) if place[2:] else ""
        where = f" at '{parent}'" if parent else ""
        description = f'{_UNREADABLE}Unknown name "{field_name(place[-1:])}"{where}: Cannot find field.'
        return {"field": parent, "description": description}
    description = f"Invalid value: {invalid_fields([{**found, 'loc': place}]).detail}"
    return {"field": field_name(place) if place[1:] else "", "description": description}
