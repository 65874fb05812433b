"""Every operation of other services' protocols, with the roles that may call it and a valid request."""

from collections.abc import Mapping
from typing import Any, NamedTuple

SITE, OTHER = "paper.example", "other.example"
AKISMET = {"blog": f"https://{SITE}", "user_ip": "192.0.2.7", "comment_content": "fine"}
SUGGESTED = {"INSULT": {"summaryScore": {"value": 1}}}


class Row(NamedTuple):
    """Roles that may call, a valid request, and the statuses by caller.

    The statuses are for a permitted role, no valid key, a role without permission, and a key of another site.
    """

    may: str | None
    request: Mapping[str, Any]
    good: int
    nobody: int
    forbidden: int
    foreign: int


def _perspective(**more: Any) -> dict[str, Any]:
    return {"json": {"comment": {"text": "fine"}, "communityId": SITE, **more}}


TABLE: Mapping[str, Row] = {
    "POST /v1alpha1/comments:analyze": Row(
        "score", _perspective(requestedAttributes={"INSULT": {}}), 200, 400, 403, 200
    ),
    "POST /v1alpha1/comments:suggestscore": Row(
        "report", _perspective(attributeScores=SUGGESTED), 200, 400, 403, 403
    ),
    "GET /$discovery/rest": Row(None, {}, 200, 200, 200, 200),
    "POST /v1/moderations": Row("score", {"json": {"input": "fine"}}, 200, 401, 403, 200),
    "POST /1.1/verify-key": Row(None, {"data": AKISMET}, 200, 200, 200, 200),
    "GET /1.1/test": Row(None, {}, 200, 200, 200, 200),
    "POST /1.1/get-subscription": Row("score", {"data": AKISMET}, 200, 200, 200, 200),
    "POST /1.1/get-stats": Row("score", {"data": AKISMET}, 200, 200, 200, 200),
    "POST /1.1/deactivate": Row("score", {"data": AKISMET}, 200, 200, 200, 200),
    "POST /1.1/comment-check": Row("score", {"data": AKISMET}, 200, 200, 200, 200),
    "POST /1.1/submit-spam": Row("report", {"data": AKISMET}, 200, 200, 200, 200),
    "POST /1.1/submit-ham": Row("report", {"data": AKISMET}, 200, 200, 200, 200),
    "POST /coral/moderate": Row(
        "score", {"json": {"comment": {"body": "fine"}, "tenantDomain": SITE}}, 204, 401, 403, 204
    ),
    "POST /predict": Row("score", {"json": {"inputs": "fine"}}, 200, 401, 403, 200),
    "GET /info": Row("score", {}, 200, 401, 403, 200),
    "GET /health": Row(None, {}, 200, 200, 200, 200),
}
