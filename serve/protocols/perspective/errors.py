"""Errors in the shape of the Perspective API. Each has ``details``, because its clients read them unchecked."""

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
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
_BAD_REQUESTS = ("body-too-large", "invalid-key", "invalid-request")
"""Problems with a status of their own in our API, and 400 here."""
_UNREADABLE = "Invalid JSON payload received. "


class Refused(Problem):
    """A bad request, with the API's own message and details."""

    def __init__(self, message: str, *details: Mapping[str, Any]) -> None:
        super().__init__("invalid-request", message)
        self.details = details


def refused(error_type: str, message: str, **more: Any) -> Refused:
    """The problem with one of the API's own error types."""
    return Refused(message, _analyzer_error(error_type, **more))


def unreadable(error: ValidationError) -> Refused:
    """The problem of a body that does not fit its message, with every wrong field."""
    violations = [_violation(one) for one in error.errors(include_url=False, include_input=False)]
    details = {"@type": _TYPES + "rpc.BadRequest", "fieldViolations": violations}
    return Refused(violations[0]["description"], details)


def problem(request: Request, problem: Problem) -> Response:
    """A problem in the shape of Google's errors."""
    code = 400 if problem.kind in _BAD_REQUESTS else problem.status_code
    message, details = _message_and_details(request, problem)
    status = _STATUS.get(code, "FAILED_PRECONDITION")
    error = {"code": code, "message": message, "status": status, "details": details}
    return JSONResponse({"error": error}, code, problem.headers)


def _message_and_details(request: Request, problem: Problem) -> tuple[str, Sequence[Mapping[str, Any]]]:
    if isinstance(problem, Refused):
        return problem.detail, problem.details
    if problem.kind == "body-too-large":
        return "Comment text too long.", [_analyzer_error("COMMENT_TOO_LONG")]
    if problem.kind == "invalid-key":
        return "API key not valid. Please pass a valid API key.", [_error_info("API_KEY_INVALID")]
    if problem.kind == "queue-full":
        # Clients know the API's limit of requests a minute. Ours is how many comments wait at once.
        message = (
            f"Quota exceeded for quota metric '{_QUOTA}' and limit '{_QUOTA} per minute' of service '{_SERVICE}': "
            f"too many comments are waiting; {problem.detail}."
        )
        limit = str(service_of(request).settings.queue_comments)
        quota = {"quota_limit": "WaitingComments", "quota_limit_value": limit}
        return message, [_error_info("RATE_LIMIT_EXCEEDED", **quota)]
    return problem.detail, [_error_info(problem.kind.upper().replace("-", "_"))]


def _error_info(reason: str, **metadata: str) -> dict[str, Any]:
    kind = {"@type": _TYPES + "rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return {**kind, "metadata": {"service": _SERVICE, **metadata}}


def _analyzer_error(error_type: str, **more: Any) -> dict[str, Any]:
    return {"@type": _TYPES + "commentanalyzer.v1alpha1.Error", "errorType": error_type, **more}


def _violation(error: Mapping[str, Any]) -> dict[str, str]:
    location = ("body", *error["loc"])
    if error["type"] == "json_invalid":
        return {"field": "", "description": _UNREADABLE + "The body is not a JSON object in UTF-8."}
    if error["type"] == "extra_forbidden":
        parent = field_name(location[:-1]) if location[2:] else ""
        where = f" at '{parent}'" if parent else ""
        description = f'{_UNREADABLE}Unknown name "{field_name(location[-1:])}"{where}: Cannot find field.'
        return {"field": parent, "description": description}
    description = f"Invalid value: {invalid_fields([{**error, 'loc': location}]).detail}"
    return {"field": field_name(location) if location[1:] else "", "description": description}
