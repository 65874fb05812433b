"""Every operation once with valid input, in the order of typical use."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.support.api_operations import TABLE
from tests.support.serve_fakes import check_problem, client_on

SITE = "paper.example"
SEEN: set[str] = {"GET /v1/events"}  # tests/serve/http/test_events.py
POLICY = 'version = "strict"\nlabels = ["spam", "toxicity"]\n[thresholds.toxicity]\nhold = 0.001\n'


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_on(request, tmp_path_factory.mktemp("good")) as client:
        yield client


def call(client: TestClient, operation: str, status: int = 200, body: Any = None, **fields: Any) -> Any:
    """Return the answer's JSON; ``fields`` that the path does not name go into the query."""
    method, path = operation.split(" ")
    query = {name: value for name, value in fields.items() if "{" + name + "}" not in path}
    answer = client.request(method, path.format(**fields), json=body, params=query)
    assert answer.status_code == status, answer.text
    SEEN.add(operation)
    return answer.json() if answer.headers.get("Content-Type") == "application/json" else answer.text


def keep(client: TestClient, **texts: str) -> list[Any]:
    thread = {"id": "a-17", "title": "Harbour", "url": "https://paper.example/17", "text": "It opens."}
    comments = [
        {
            "id": name,
            "text": text,
            "author": {"id": "u/5", "name": "Ada", "role": "reader"},
            "parent": "c0",
            "parent_text": "Is it so?",
            "written": "2026-11-25T12:00:00+01:00",
        }
        for name, text in texts.items()
    ]
    body = {"site": SITE, "thread": thread, "comments": comments}
    return call(client, "POST /v1/comments", body=body)["results"]


def test_comments_are_kept_and_read_back(client: TestClient) -> None:
    spam, fine = keep(client, c1="so much spam", c2="fine")
    assert (spam["stands"], spam["changed"], fine["stands"]) == ("hold", True, "publish")
    again = keep(client, c1="so much spam")[0]
    assert (again["comment"], again["changed"], again["scores"]) == (spam["comment"], False, spam["scores"])
    edited = keep(client, c2="fine, edited")[0]
    assert (edited["comment"], edited["changed"]) == (fine["comment"], True)
    read = call(client, "GET /v1/comments/{reference}", reference=f"{SITE}:c2")
    assert [one["text"] for one in read["revisions"]] == ["fine", "fine, edited"]
    assert [one["via"] for one in read["decisions"]] == ["policy", "policy"]
    assert (read["thread"]["title"], read["thread"]["url"]) == ("Harbour", "https://paper.example/17")
    assert (read["author"]["name"], read["author"]["published"], read["author"]["held"]) == ("Ada", 1, 1)
    assert (read["parent"], read["parent_text"], read["relevance"]) == ("c0", "Is it so?", 0.75)
    assert read["written"] == "2026-11-25T11:00:00Z"
    assert call(client, "GET /v1/comments/{reference}", reference=read["id"]) == read
    results = call(client, "POST /v1/score", body={"comments": [{"text": "hate"}]})["results"]
    assert [one["action"] for one in results] == ["hold"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["c2", "c1"]),
        ({"site": SITE, "id": "c1"}, ["c1"]),
        ({"site": SITE, "id": "none"}, []),
        ({"site": "other.example"}, []),
        ({"words": "MUCH"}, ["c1"]),
        ({"words": "100%"}, []),
        ({"action": "publish"}, ["c2"]),
        ({"thread": 1, "author": 1}, ["c2", "c1"]),
        ({"thread": 2}, []),
        ({"campaign": 999}, []),
    ],
)
def test_comments_are_searched(client: TestClient, query: dict[str, Any], found: list[str]) -> None:
    page = call(client, "GET /v1/comments", **query)
    assert [one["caller_id"] for one in page["items"]] == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, 1),
        ({"site": SITE, "label": "spam", "code": "spam", "action": "hold", "kind": "held"}, 1),
        ({"thread": 1, "author": 1, "language": "en", "newer_than": 1, "sort": "oldest"}, 1),
        ({"unclaimed": True, "sort": "uncertainty"}, 1),
        ({"label": "hate"}, 0),
        ({"older_than": 1}, 0),
    ],
)
def test_the_queue_is_filtered(client: TestClient, query: dict[str, Any], found: int) -> None:
    assert len(call(client, "GET /v1/queue", **query)["items"]) == found


def test_comments_and_queue_are_read_in_pages_of_every_order(client: TestClient) -> None:
    keep(client, **{f"p{number}": f"spam number {number}" for number in range(4)})
    for operation, orders in {
        "GET /v1/queue": ("priority", "uncertainty", "newest", "oldest"),
        "GET /v1/comments": (None,),
    }.items():
        for order in orders:
            ordered = {"sort": order} if order else {}
            whole = [one["id"] for one in call(client, operation, **ordered)["items"]]
            paged, after = [], {}
            while after is not None:
                page = call(client, operation, limit=2, **ordered, **after)
                paged += [one["id"] for one in page["items"]]
                after = {"after": page["next"]} if page["next"] else None
            assert paged == whole
            assert len(whole) >= 5


def test_a_comment_is_claimed_decided_undone_and_appealed(client: TestClient) -> None:
    claimed = call(client, "POST /v1/queue/claim", body={"limit": 2, "sort": "oldest", "label": "spam"})[
        "items"
    ]
    assert [one["item"]["claimed_by"] for one in claimed] == ["local", "local"]
    assert call(client, "POST /v1/queue/release", body={"items": [claimed[1]["item"]["id"]]}) == {
        "released": 1
    }
    number = claimed[0]["id"]
    asked = {"action": "reject", "labels": ["spam"], "code": "spam", "note": "an advert", "revision": 1}
    asked |= {"after": claimed[0]["decision"]["id"], "blind": True}
    made = call(client, "POST /v1/comments/{reference}/decisions", 201, asked, reference=number)
    assert (made["actor"], made["via"], made["before"], made["blind"]) == ("local", "api", "hold", True)
    undone = call(client, "POST /v1/decisions/{decision}/undo", 201, decision=made["id"])
    assert (undone["undoes"], undone["action"]) == (made["id"], "hold")
    rejected = call(
        client, "POST /v1/comments/{reference}/decisions", 201, asked | {"after": None}, reference=number
    )
    appeal = call(client, "POST /v1/comments/{reference}/appeals", 201, {"text": "why?"}, reference=number)
    assert (appeal["state"], appeal["decision_id"]) == ("open", rejected["id"])
    first = call(client, "GET /v1/queue", limit=1)["items"][0]
    assert (first["id"], first["item"]["kind"], first["item"]["priority"]) == (number, "appeal", 1.0)


def test_decisions_are_read_and_stated(client: TestClient) -> None:
    lines = [json.loads(line) for line in call(client, "GET /v1/decisions").splitlines()]
    ids = [line["id"] for line in lines]
    assert ids == sorted(ids)
    people = [
        json.loads(line) for line in call(client, "GET /v1/decisions", people=True, site=SITE).splitlines()
    ]
    assert [line["action"] for line in people] == ["reject", "hold", "reject"]
    assert call(client, "GET /v1/decisions", since=ids[-1]) == ""
    assert call(client, "GET /v1/decisions", since="2020-01-01T00:00:00Z") != ""
    assert call(client, "GET /v1/decisions", since="2120-01-01T00:00:00Z") == ""
    assert "so much spam" not in str(lines)
    one = call(client, "GET /v1/decisions/{decision}", decision=ids[-1])
    assert (one["site"], one["caller_id"], one["labels"]) == (SITE, "c1", ["spam"])
    stated = call(client, "GET /v1/decisions/{decision}/statement", decision=ids[-1])
    assert stated["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]


def test_many_are_decided_at_once_and_counted(client: TestClient) -> None:
    chosen = [call(client, "GET /v1/comments/{reference}", reference=f"{SITE}:p{i}")["id"] for i in range(2)]
    done = call(
        client, "POST /v1/decisions/bulk", 201, {"action": "reject", "code": "spam", "comments": chosen}
    )
    assert (len(done["decisions"]), done["skipped"]) == (2, [])
    by_author = {"action": "publish", "author": 1, "queued_only": False}
    done = call(client, "POST /v1/decisions/bulk", 201, by_author)
    assert len(done["decisions"]) == 4  # the unpublished ones of the four, and one that is held for an appeal
    figures = call(client, "GET /v1/stats", days=7, site=SITE)
    assert figures["by_moderator"] == {"local": figures["by_moderator"]["local"]}
    assert len(figures["received"]) == 7


def test_an_act_is_listed_and_undone(client: TestClient) -> None:
    acts = call(client, "GET /v1/acts", own=True)["items"]
    assert (acts[0]["kind"], acts[0]["value"], acts[0]["author_id"]) == ("bulk", "publish", 1)
    undone = call(client, "POST /v1/acts/{act}/undo", 201, act=acts[0]["id"])
    assert (len(undone["decisions"]), undone["skipped"], undone["act"]["id"]) == (4, {}, acts[0]["id"])
    assert call(client, "GET /v1/acts", limit=1)["items"][0]["state"] == "undone"


def test_an_author_is_suspended_noted_and_trusted_again(client: TestClient) -> None:
    known = call(client, "GET /v1/authors/{reference}/record", reference=1)
    reference = f"{SITE}:{known['caller_id']}"
    assert (known["standing"], known["notes"], known["site"]) == (None, [], SITE)
    sent = {"standing": "suspended", "until": "2099-01-01T00:00:00Z", "note": "third time"}
    check_problem(client.post(f"/v1/authors/{reference}/standing", json=sent), 422, "invalid-request")
    sent["until"] = (datetime.now(UTC) + timedelta(days=7)).isoformat()
    made = call(client, "POST /v1/authors/{reference}/standing", 201, sent, reference=reference)
    assert (made["kind"], made["value"], made["author_id"]) == ("standing", "suspended", 1)
    noted = call(client, "POST /v1/authors/{reference}/notes", 201, {"note": "a word"}, reference=reference)
    found = call(client, "GET /v1/authors/{reference}/record", reference=reference)
    assert (found["standing"], [one["note"] for one in found["notes"]]) == (
        "suspended",
        ["a word", "third time"],
    )
    for act in (made, noted):
        call(client, "POST /v1/acts/{act}/undo", 201, act=act["id"])
    assert call(client, "GET /v1/authors/{reference}/record", reference=1) == known


def test_a_comment_is_escalated(client: TestClient) -> None:
    keep(client, esc="spam for the boss")
    sent = {"to": "role:admin", "note": "is this libel?"}
    made = call(client, "POST /v1/comments/{reference}/escalation", 201, sent, reference=f"{SITE}:esc")
    assert (made["kind"], made["value"], made["note"]) == ("escalation", "role:admin", "is this libel?")
    [item] = call(client, "GET /v1/queue", escalated=True)["items"]
    assert (item["caller_id"], item["item"]["escalated_to"]) == ("esc", "role:admin")
    call(client, "POST /v1/acts/{act}/undo", 201, act=made["id"])
    assert call(client, "GET /v1/queue", escalated=True)["items"] == []


def test_a_golden_item_is_made_and_dropped(client: TestClient) -> None:
    call(client, "PUT /v1/comments/{reference}/golden", 204, reference=f"{SITE}:p0")
    call(client, "DELETE /v1/comments/{reference}/golden", 204, reference=f"{SITE}:p0")


def test_a_policy_is_tried_and_put_in_force(client: TestClient) -> None:
    present = call(client, "GET /v1/policy")
    assert (present["number"], present["version"]) == (0, "default")
    tried = call(client, "POST /v1/policy/dry-run", body={"text": POLICY, "limit": 100})
    assert tried["compared"] == 7
    assert tried["summary"].startswith("This change would have held")
    asked = {"text": POLICY, "note": "stricter", "after": 0}
    assert call(client, "PUT /v1/policy", body=asked) == {"number": 1, "version": "strict"}
    assert call(client, "GET /v1/policy") == {"number": 1, "version": "strict", "text": POLICY}
    [entry] = call(client, "GET /v1/policy/history")
    assert (entry["note"], entry["actor"]) == ("stricter", "local")
    assert keep(client, c7="fine")[0]["reason"]["label"] == "toxicity"
    assert set(tried["before"]) <= {"publish", "hold", "reject"}
    named = {"comment", "direction", "before", "code_before", "rule_before", "after", "code", "rule"}
    assert set(tried["examples"][0]) == named


def test_a_webhook_is_added_rotated_and_removed(client: TestClient) -> None:
    asked = {"url": "https://paper.invalid/hook", "events": ["comment.held"]}
    made = call(client, "POST /v1/webhooks", 201, asked)
    hook, secret = made["id"], made["secret"]
    keep(client, c8="spam for the webhook")
    [delivery] = call(client, "GET /v1/webhooks/{hook}/deliveries", hook=hook, limit=5)
    assert (delivery["event"], delivery["payload"]["caller_id"]) == ("comment.held", "c8")
    rotated = call(client, "POST /v1/webhooks/{hook}/rotate", hook=hook)
    assert rotated["secret"] != secret
    assert [one["secrets"] for one in call(client, "GET /v1/webhooks")] == [2]
    call(client, "POST /v1/webhooks/{hook}/retire", 204, hook=hook)
    [listed] = call(client, "GET /v1/webhooks")
    assert (listed["secrets"], listed["url"]) == (1, asked["url"])
    assert secret not in str(listed) + str(delivery)
    call(client, "DELETE /v1/webhooks/{hook}", 204, hook=hook)
    assert call(client, "GET /v1/webhooks") == []


def test_comments_and_authors_are_erased(client: TestClient) -> None:
    call(client, "DELETE /v1/comments/{reference}", 204, reference=f"{SITE}:p0")
    gone = call(client, "GET /v1/comments/{reference}", reference=f"{SITE}:p0")
    assert (gone["text"], gone["evidence"], [one["text"] for one in gone["revisions"]]) == (None, [], [None])
    assert [one["action"] for one in gone["decisions"]] == ["hold", "reject", "publish", "reject"]
    assert call(client, "DELETE /v1/authors/{reference}", reference=f"{SITE}:u%2F5") == {"comments": 8}
    assert call(client, "GET /v1/comments")["items"] == []
    assert call(client, "GET /v1/queue")["items"] == []


def test_health_is_told(client: TestClient) -> None:
    assert call(client, "GET /healthz") == {"status": "ok"}
    assert call(client, "GET /readyz")["ready"]
    assert "belowline_requests_total" in call(client, "GET /metrics")


def test_keys_are_made_listed_and_revoked(client: TestClient) -> None:
    key = call(client, "POST /v1/keys", 201, {"name": "Ada", "role": "admin"})["key"]
    client.headers["X-API-Key"] = key
    call(client, "POST /v1/keys", 201, {"name": "site", "role": "service", "sites": [SITE]})
    listed = call(client, "GET /v1/keys")
    assert [(one["name"], one["role"], one["sites"]) for one in listed] == [
        ("Ada", "admin", []),
        ("site", "service", [SITE]),
    ]
    assert key not in str(listed)
    call(client, "DELETE /v1/keys/{key}", 204, key=listed[1]["id"])
    trail = call(client, "GET /v1/audit-log")
    assert [one["what"] for one in trail[:3]] == ["revoke key", "create key", "create key"]
    assert {"replace policy", "add webhook", "erase author", "erase comment"} <= {
        one["what"] for one in trail
    }
    assert trail[0]["actor"] == "Ada"


def test_every_operation_was_called() -> None:
    assert set(TABLE) == SEEN
