"""Errors in the shape of the Perspective API. Each has ``details``, because its clients read them unchecked."""

from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from belowline.serve.http.errors import Problem

_SERVICE = "commentanalyzer.googleapis.com"
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
# Google's words: callers search for them.
_MESSAGES = {
    "invalid-key": "API key not valid. Please pass a valid API key.",
    "queue-full": "Quota exceeded for quota metric 'Analysis requests (AnalyzeComment)': {}",
}
_REASONS = {"invalid-key": "API_KEY_INVALID", "queue-full": "RATE_LIMIT_EXCEEDED"}


class Refused(Problem):
    """A bad request, with one of the API's own error types."""

    def __init__(self, error_type: str, message: str, **more: Any) -> None:
        super().__init__("invalid-request", message)
        self.error = {"errorType": error_type, **more}


def problem(request: Request, problem: Problem) -> Response:
    """A problem in the shape of Google's errors."""
    code = 400 if problem.kind in _BAD_REQUESTS else problem.status_code
    if problem.kind == "body-too-large":
        problem = too_long()
    error = {
        "code": code,
        "message": _MESSAGES.get(problem.kind, "{}").replace("{}", problem.detail),
        "status": _STATUS.get(code, "FAILED_PRECONDITION"),
        "details": [_details(problem)],
    }
    return JSONResponse({"error": error}, code, problem.headers)


def too_long() -> Refused:
    """The problem of a text that cannot be scored in time, or not at all."""
    return Refused("COMMENT_TOO_LONG", "Comment text too long.")


def _details(problem: Problem) -> dict[str, Any]:
    if isinstance(problem, Refused):
        return {"@type": _TYPES + "commentanalyzer.v1alpha1.Error", **problem.error}
    if problem.errors:
        violations = [{"field": field, "description": detail} for field, detail in problem.errors]
        return {"@type": _TYPES + "rpc.BadRequest", "fieldViolations": violations}
    reason = _REASONS.get(problem.kind) or problem.kind.upper().replace("-", "_")
    kind = {"@type": _TYPES + "rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com"}
    return {**kind, "metadata": {"service": _SERVICE}}
