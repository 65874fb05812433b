"""Every operation of the app's own API, with the roles that may call it and a valid body."""

from collections.abc import Mapping
from typing import Any, NamedTuple

SITE = "paper.example"
COMMENT = {"id": "c9", "text": "fine"}
DECISION = {"action": "publish"}


class Row(NamedTuple):
    """Roles that may call, the status for unknown ids, and the status for ids of this site with another site's key."""

    may: str | None
    good: int
    foreign: int
    body: Any = None


TABLE: Mapping[str, Row] = {
    "POST /v1/score": Row("score", 200, 200, {"comments": [COMMENT]}),
    "POST /v1/comments": Row("ingest", 200, 403, {"site": SITE, "comments": [COMMENT]}),
    "GET /v1/comments": Row("read", 200, 200),
    "GET /v1/comments/{reference}": Row("read", 404, 404),
    "DELETE /v1/comments/{reference}": Row("erase", 404, 404),
    "POST /v1/comments/{reference}/appeals": Row("appeal", 404, 404, {}),
    "POST /v1/comments/{reference}/decisions": Row("work the queue", 404, 404, DECISION),
    "PUT /v1/comments/{reference}/golden": Row("administer", 404, 404),
    "DELETE /v1/comments/{reference}/golden": Row("administer", 404, 404),
    "DELETE /v1/authors/{reference}": Row("erase", 404, 404),
    "GET /v1/authors/{reference}/record": Row("read", 404, 404),
    "POST /v1/authors/{reference}/standing": Row("act on authors", 404, 404, {"standing": "banned"}),
    "POST /v1/authors/{reference}/notes": Row("work the queue", 404, 404, {"note": "a word"}),
    "POST /v1/comments/{reference}/escalation": Row("work the queue", 404, 404, {"to": "role:admin"}),
    "GET /v1/queue": Row("read", 200, 200),
    "POST /v1/queue/claim": Row("work the queue", 200, 403, {"site": SITE}),
    "POST /v1/queue/release": Row("work the queue", 200, 200, {}),
    "POST /v1/decisions/bulk": Row("decide in bulk", 201, 201, DECISION | {"comments": [999_999]}),
    "POST /v1/decisions/{decision}/undo": Row("work the queue", 404, 404),
    "GET /v1/acts": Row("work the queue", 200, 200),
    "POST /v1/acts/{act}/undo": Row("work the queue", 404, 404),
    "GET /v1/decisions": Row("read the log", 200, 200),
    "GET /v1/decisions/{decision}": Row("read the log", 404, 404),
    "GET /v1/decisions/{decision}/statement": Row("read the log", 404, 404),
    "GET /v1/stats": Row("read the log", 200, 200),
    "GET /v1/events": Row("read", 200, 200),
    "GET /v1/policy": Row("read the log", 200, 200),
    "PUT /v1/policy": Row("administer", 409, 409, {"text": "labels = []", "after": 999}),
    "GET /v1/policy/history": Row("administer", 200, 200),
    "POST /v1/policy/dry-run": Row("read the log", 200, 200, {"text": "labels = []"}),
    "GET /v1/keys": Row("administer", 200, 200),
    "POST /v1/keys": Row("administer", 409, 403, {"name": "triage", "role": "triage"}),
    "DELETE /v1/keys/{key}": Row("administer", 404, 404),
    "GET /v1/webhooks": Row("administer", 200, 200),
    "POST /v1/webhooks": Row("administer", 422, 422, {"url": "http://x", "events": ["x"]}),
    "POST /v1/webhooks/{hook}/rotate": Row("administer", 404, 404),
    "POST /v1/webhooks/{hook}/retire": Row("administer", 404, 404),
    "DELETE /v1/webhooks/{hook}": Row("administer", 404, 404),
    "GET /v1/webhooks/{hook}/deliveries": Row("administer", 404, 404),
    "GET /v1/audit-log": Row("administer", 200, 200),
    "GET /metrics": Row("read the log", 200, 200),
    "GET /healthz": Row(None, 200, 200),
    "GET /readyz": Row(None, 200, 200),
}


UNKNOWN = dict.fromkeys(("reference", "decision", "act", "key", "hook"), "999999")
