"""Invalid ids, cursors, bodies and idempotency keys: problem details name the field and never quote the comment."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient

from belowline.serve.store import cursor
from tests.support.api_operations import TABLE, UNKNOWN
from tests.support.serve_fakes import check_problem, client_on

SECRET = "do-not-quote-me"
JSON = {"Content-Type": "application/json"}
SITE = "paper.example"
BODIES = [operation for operation, row in TABLE.items() if row.body is not None]
NUMBERED = {"decision", "key", "hook"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_on(request, tmp_path_factory.mktemp("bad"), max_comment_chars=2000) as client:
        comments = [{"id": f"c{number}", "text": f"spam {number} {SECRET}"} for number in range(4)]
        client.post("/v1/comments", json={"site": SITE, "comments": comments}).raise_for_status()
        yield client


def send(client: TestClient, operation: str, ids: Mapping[str, str] = UNKNOWN, **more: Any) -> Any:
    method, path = operation.split(" ")
    return client.request(method, path.format(**ids), **more)


@pytest.mark.parametrize("operation", BODIES)
def test_an_unknown_field_is_named(client: TestClient, operation: str) -> None:
    answer = send(client, operation, json=TABLE[operation].body | {"extra": SECRET})
    problem = check_problem(answer, 422, "invalid-request")
    assert [error["field"] for error in problem["errors"]] == ["extra"]
    assert SECRET not in answer.text


@pytest.mark.parametrize("operation", BODIES)
@pytest.mark.parametrize(
    ("content", "headers", "status", "kind"),
    [
        (b'["do-not-quote-me"]', JSON, 422, "invalid-request"),
        (b'"do-not-quote-me"', JSON, 422, "invalid-request"),
        (b"", JSON, 422, "invalid-request"),
        (b"", {}, 415, "unsupported-media-type"),
        (b"{do-not-quote-me", JSON, 400, "malformed-body"),
        (b'{"text": "do-not-quote-me"}', {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        (b'{"text": "\xff do-not-quote-me"}', JSON, 400, "malformed-body"),
    ],
)
def test_another_body_than_an_object_is_explained(
    client: TestClient, operation: str, content: bytes, headers: dict[str, str], status: int, kind: str
) -> None:
    answer = send(client, operation, content=content, headers=headers)
    check_problem(answer, status, kind)
    assert SECRET not in answer.text


def comment(**fields: Any) -> dict[str, Any]:
    return {"site": SITE, "comments": [{"id": "c9", "text": SECRET, **fields}]}


DECIDE = "POST /v1/comments/{reference}/decisions"
BULK = "POST /v1/decisions/bulk"
HUGE = 10**30


@pytest.mark.parametrize(
    ("operation", "body", "field"),
    [
        ("POST /v1/comments", comment(text=""), "comments[0].text"),
        ("POST /v1/comments", comment(text=" \n"), "comments[0].text"),
        ("POST /v1/comments", comment(text="x" * 2001), "comments[0].text"),
        ("POST /v1/comments", comment(text=[SECRET]), "comments[0].text"),
        ("POST /v1/comments", comment(id=None), "comments[0].id"),
        ("POST /v1/comments", comment(id="x" * 201), "comments[0].id"),
        ("POST /v1/comments", comment(parent="a\nb"), "comments[0].parent"),
        ("POST /v1/comments", comment(parent_text="x" * 2001), "comments[0].parent_text"),
        ("POST /v1/comments", comment(author={"name": SECRET}), "comments[0].author.id"),
        ("POST /v1/comments", comment(author={"id": "u", "name": "x" * 201}), "comments[0].author.name"),
        ("POST /v1/comments", comment(author={"id": "u", "role": "x" * 51}), "comments[0].author.role"),
        ("POST /v1/comments", comment(written="yesterday"), "comments[0].written"),
        ("POST /v1/comments", comment(written="2026-11-25T12:00:00"), "comments[0].written"),
        ("POST /v1/comments", comment(written="0001-01-01T00:00:00+14:00"), "comments[0].written"),
        ("POST /v1/comments", comment() | {"site": "a b"}, "site"),
        ("POST /v1/comments", comment() | {"site": ""}, "site"),
        ("POST /v1/comments", comment() | {"comments": []}, "comments"),
        ("POST /v1/comments", comment() | {"thread": {}}, "thread.id"),
        ("POST /v1/comments", comment() | {"thread": {"id": "x" * 501}}, "thread.id"),
        ("POST /v1/comments", comment() | {"thread": {"id": ""}}, "thread.id"),
        ("POST /v1/comments", comment() | {"thread": {"url": "x" * 2001}}, "thread.url"),
        ("POST /v1/comments", {"site": SITE, "comments": [{"id": "a", "text": "x"}] * 2}, "comments[1].id"),
        ("POST /v1/comments/{reference}/appeals", {"text": "x" * 4001}, "text"),
        ("POST /v1/comments/{reference}/appeals", {"text": 5}, "text"),
        (DECIDE, {}, "action"),
        (DECIDE, {"action": "delete"}, "action"),
        (DECIDE, {"action": "hold", "labels": [SECRET]}, "labels[0]"),
        (DECIDE, {"action": "hold", "labels": ["spam"] * 11}, "labels"),
        (DECIDE, {"action": "hold", "code": SECRET}, "code"),
        (DECIDE, {"action": "hold", "note": "x" * 4001}, "note"),
        (DECIDE, {"action": "hold", "revision": HUGE}, "revision"),
        (DECIDE, {"action": "hold", "after": -1}, "after"),
        (BULK, {"action": "hold", "code": SECRET, "author": 1}, "code"),
        (BULK, {"action": "hold", "labels": [SECRET], "author": 1}, "labels[0]"),
        (BULK, {"action": "hold", "author": HUGE}, "author"),
        (BULK, {"action": "hold", "campaign": 0}, "campaign"),
        (BULK, {"action": "hold", "comments": [1, HUGE]}, "comments[1]"),
        (BULK, {"action": "hold", "comments": list(range(1, 1002))}, "comments"),
        ("POST /v1/queue/claim", {"limit": 0}, "limit"),
        ("POST /v1/queue/claim", {"limit": 101}, "limit"),
        ("POST /v1/queue/claim", {"sort": SECRET}, "sort"),
        ("POST /v1/queue/claim", {"kind": SECRET}, "kind"),
        ("POST /v1/queue/claim", {"site": "a b"}, "site"),
        ("POST /v1/queue/release", {"items": [HUGE]}, "items[0]"),
        ("POST /v1/queue/release", {"items": ["x"]}, "items[0]"),
        ("PUT /v1/policy", {"text": "labels = []"}, "after"),
        ("PUT /v1/policy", {"text": "", "after": 0}, "text"),
        ("PUT /v1/policy", {"text": "labels = []", "after": HUGE}, "after"),
        ("PUT /v1/policy", {"text": "x" * 200_001, "after": 0}, "text"),
        ("POST /v1/policy/dry-run", {"text": "labels = []", "limit": 0}, "limit"),
        ("POST /v1/keys", {"name": "", "role": "admin"}, "name"),
        ("POST /v1/keys", {"name": "a\nb", "role": "admin"}, "name"),
        ("POST /v1/keys", {"name": "a", "role": "king"}, "role"),
        ("POST /v1/keys", {"name": "a", "role": "admin", "sites": ["a b"]}, "sites[0]"),
        ("POST /v1/webhooks", {"url": "ftp://paper.example", "events": ["comment.held"]}, "url"),
        ("POST /v1/webhooks", {"url": "http://[", "events": ["comment.held"]}, "url"),
        ("POST /v1/webhooks", {"url": "http://", "events": ["comment.held"]}, "url"),
        ("POST /v1/webhooks", {"url": "http:///x", "events": ["comment.held"]}, "url"),
        ("POST /v1/webhooks", {"url": "http://x:99999/", "events": ["comment.held"]}, "url"),
        ("POST /v1/webhooks", {"url": "http://x/\u0000", "events": ["comment.held"]}, "url"),
        ("POST /v1/webhooks", {"url": "http://x", "events": []}, "events"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, operation: str, body: Any, field: str) -> None:
    answer = send(client, operation, json=body)
    problem = check_problem(answer, 422, "invalid-request")
    assert problem["errors"][0]["field"] == field
    assert problem["detail"].startswith(field)
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("operation", "body", "kind"),
    [
        ("POST /v1/webhooks", {"url": "http://x", "events": ["comment.read"]}, "invalid-request"),
        (BULK, {"action": "hold"}, "invalid-request"),
        (BULK, {"action": "hold", "author": 1, "comments": [1]}, "invalid-request"),
        ("PUT /v1/policy", {"text": "labels = [", "after": 0}, "bad-policy"),
        ("PUT /v1/policy", {"text": "labels = ['charm']", "after": 0}, "bad-policy"),
        ("POST /v1/policy/dry-run", {"text": "strange = 1"}, "bad-policy"),
    ],
)
def test_what_no_single_field_says_is_explained(
    client: TestClient, operation: str, body: Any, kind: str
) -> None:
    check_problem(send(client, operation, json=body), 422, kind)


@pytest.mark.parametrize(
    "operation", [one for one in TABLE if any("{" + name + "}" in one for name in NUMBERED)]
)
@pytest.mark.parametrize("number", ["x", "0", "-1", "1.5", "9" * 30, "%00"])
def test_an_id_that_is_no_number_is_refused(client: TestClient, operation: str, number: str) -> None:
    # Beside /v1/decisions/bulk the path itself says that a number follows.
    elsewhere = operation == "GET /v1/decisions/{decision}" and not number.isdecimal()
    wanted = (404, "not-found") if elsewhere else (422, "invalid-request")
    check_problem(send(client, operation, dict.fromkeys(UNKNOWN, number)), *wanted)


@pytest.mark.parametrize("operation", [one for one in TABLE if "{reference}" in one])
@pytest.mark.parametrize(
    "reference",
    ["x", "0", "-1", "9" * 30, "paper.example:", ":c1", "paper.example:c", "other:c1", "%00", "a/b"],
)
def test_a_reference_that_nothing_has_is_not_found(
    client: TestClient, operation: str, reference: str
) -> None:
    answer = send(client, operation, {"reference": reference}, json=TABLE[operation].body)
    check_problem(answer, 404, "not-found")


def test_every_number_in_a_query_is_limited(client: TestClient) -> None:
    tried = 0
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for one in methods.get("get", {}).get("parameters", []):
            if one["in"] != "query" or "integer" not in str(one["schema"]) + str(one["schema"].get("anyOf")):
                continue
            for value in ("9" * 30, "-1", "x"):
                answer = client.get(path.format(**UNKNOWN), params={one["name"]: value})
                assert check_problem(answer, 422)["errors"][0]["field"] == one["name"]
                tried += 1
    assert tried >= 3 * 10


@pytest.mark.parametrize(
    "query",
    [
        *("action=x", "kind=x", "sort=x", "older_than=nan", "older_than=-1", "newer_than=9999999"),
        *("limit=0", "limit=201", "unclaimed=maybe", "author=x"),
    ],
)
def test_a_queue_filter_that_means_nothing_is_refused(client: TestClient, query: str) -> None:
    field = query.split("=")[0]
    assert check_problem(client.get(f"/v1/queue?{query}"), 422)["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "since", ["yesterday", "2026-11-25T12:00:00", "0001-01-01T00:00:00%2B14:00", "-5", "9" * 20, "%00"]
)
def test_a_time_that_the_log_does_not_know_is_refused(client: TestClient, since: str) -> None:
    assert check_problem(client.get(f"/v1/decisions?since={since}"), 422)["errors"][0]["field"] == "since"


def test_a_callers_id_is_searched_for_within_a_site(client: TestClient) -> None:
    assert check_problem(client.get("/v1/comments?id=c1"), 422)["errors"][0]["field"] == "site"


@pytest.mark.parametrize(
    "after",
    [
        *("x", "", "0", "-1", "null", "W10", "e30", "\u0661", "=", "a" * 200),
        cursor.encode("oldest", [1]),
        cursor.encode("priority", [0.5]),
        cursor.encode("priority", [0.5, 10**30]),
        cursor.encode("priority", [float("nan"), 1]),
        cursor.encode("priority", [float("inf"), 1]),
        cursor.encode("priority", [True, False]),
        cursor.encode("priority", [0.5, 1, 1]),
        cursor.encode("priority", ["a", "b"]),  # type: ignore[list-item]
    ],
)
@pytest.mark.parametrize("path", ["/v1/queue", "/v1/comments"])
def test_a_strange_cursor_is_refused(client: TestClient, path: str, after: str) -> None:
    check_problem(client.get(path, params={"after": after}), 422, "bad-cursor")


def test_a_cursor_of_another_order_or_too_long_is_refused(client: TestClient) -> None:
    following = client.get("/v1/queue?limit=1&sort=oldest").json()["next"]
    assert client.get("/v1/queue", params={"sort": "oldest", "after": following}).status_code == 200
    for order in ("priority", "uncertainty", "newest"):
        answer = client.get("/v1/queue", params={"sort": order, "after": following})
        check_problem(answer, 422, "bad-cursor")
    check_problem(client.get("/v1/queue", params={"after": "a" * 201}), 422, "invalid-request")


@pytest.mark.parametrize("numbers", [[0.5, -1], [-5, 2**53 - 1], [2**53 - 1, 1]])
def test_a_cursor_outside_the_list_gives_a_page_of_it(client: TestClient, numbers: list[float]) -> None:
    answer = client.get("/v1/queue", params={"after": cursor.encode("priority", numbers)})
    assert answer.status_code == 200


def test_an_idempotency_key_gives_the_first_answer_again(client: TestClient) -> None:
    [one, other, *_] = client.get("/v1/queue?sort=newest").json()["items"]
    path, headers = f"/v1/comments/{one['id']}/decisions", {"Idempotency-Key": "k1"}
    first = client.post(path, json={"action": "reject"}, headers=headers)
    again = client.post(path, json={"action": "reject"}, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert len(client.get(f"/v1/comments/{one['id']}").json()["decisions"]) == 2
    for changed, where in (
        ({"action": "publish"}, path),
        ({"action": "reject"}, f"/v1/comments/{other['id']}/decisions"),
        ({"action": "reject", "comments": [other["id"]]}, "/v1/decisions/bulk"),
    ):
        check_problem(client.post(where, json=changed, headers=headers), 409, "conflict")
    too_long = client.post(path, json={"action": "reject"}, headers={"Idempotency-Key": "x" * 201})
    check_problem(too_long, 422, "invalid-request")
    many = {"action": "reject", "comments": [other["id"]]}
    bulk = [client.post("/v1/decisions/bulk", json=many, headers={"Idempotency-Key": "k2"}) for _ in range(2)]
    assert bulk[0].json() == bulk[1].json()
    assert len(bulk[0].json()["decisions"]) == 1


def test_a_refused_request_uses_up_no_idempotency_key(client: TestClient) -> None:
    headers = {"Idempotency-Key": "k3"}
    number = client.get(f"/v1/comments?site={SITE}&id=c1").json()["items"][0]["id"]
    path = f"/v1/comments/{number}/decisions"
    check_problem(client.post(path, json={"action": "publish", "after": 999}, headers=headers), 409)
    assert client.post(path, json={"action": "publish"}, headers=headers).status_code == 201


def test_what_changed_meanwhile_is_a_conflict(client: TestClient) -> None:
    body = {"site": SITE, "comments": [{"id": "d1", "text": "spam, first"}]}
    [kept] = client.post("/v1/comments", json=body).json()["results"]
    path = f"/v1/comments/{kept['comment']}"
    body["comments"][0]["text"] = "spam, edited"  # type: ignore[index]
    client.post("/v1/comments", json=body)
    check_problem(client.post(path + "/decisions", json={"action": "reject", "revision": 1}), 409, "conflict")
    check_problem(client.put(path + "/golden"), 409, "conflict")
    decided = client.post(path + "/decisions", json={"action": "publish", "revision": 2}).json()
    check_problem(client.post(path + "/appeals", json={}), 409, "conflict")
    check_problem(client.put("/v1/policy", json={"text": "labels = []", "after": 3}), 409, "conflict")
    undone = client.post(f"/v1/decisions/{decided['id']}/undo").json()
    for number in (decided["id"], undone["id"], 1):
        check_problem(client.post(f"/v1/decisions/{number}/undo"), 409, "conflict")
    assert client.post(path + "/appeals", json={}).status_code == 201
    check_problem(client.post(path + "/appeals", json={}), 409, "conflict")
    assert client.delete(path).status_code == 204
    check_problem(client.delete(path), 404, "not-found")
    check_problem(client.post(path + "/appeals", json={}), 409, "conflict")
    check_problem(client.post(path + "/decisions", json={"action": "reject"}), 409, "conflict")


def test_an_erased_comment_does_not_come_back_to_the_queue_by_an_undo(client: TestClient) -> None:
    [kept] = client.post(
        "/v1/comments", json={"site": SITE, "comments": [{"id": "e1", "text": "spam"}]}
    ).json()["results"]
    made = client.post(f"/v1/comments/{kept['comment']}/decisions", json={"action": "reject"}).json()
    client.delete(f"/v1/comments/{kept['comment']}")
    check_problem(client.post(f"/v1/decisions/{made['id']}/undo"), 409, "conflict")
    assert kept["comment"] not in [one["id"] for one in client.get("/v1/queue?sort=newest").json()["items"]]
