"""The order ``learn`` over the API and in the console: why each comment is offered, and that paging and claiming go on as ever."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from belowline.serve.queue import learning
from belowline.serve.store import cursor
from tests.support.serve_fakes import check_problem, client_of, client_on

SCORES, CHANCE = "picked by its scores", "picked by chance"


@pytest.fixture(params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    with client_on(request, tmp_path) as one:
        keep(one, 20)
        yield one


@pytest.fixture
def local(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path) as one:
        keep(one, 20)
        yield one


def keep(client: TestClient, number: int) -> None:
    comments = [{"id": f"c{at}", "text": f"spam {at}"} for at in range(number)]
    client.post("/v1/comments", json={"site": "s", "comments": comments}).raise_for_status()


def read(client: TestClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/v1/queue", params={"sort": "learn", **query})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_each_comment_says_why_it_is_offered(client: TestClient) -> None:
    page = read(client)
    assert page["next"] is None
    assert len(page["items"]) == 20
    for one in page["items"]:
        item = one["item"]
        assert one["offered"] == learning.offered(item["id"], item["kind"], item["code"])
    assert [one["offered"] for one in page["items"][:4]] == ["uncertain", "uncertain", "uncertain", "random"]
    assert {one["offered"] for one in client.get("/v1/queue").json()["items"]} == {None}


@pytest.mark.parametrize("limit", [1, 3, 7])
def test_pages_follow_on_each_other(client: TestClient, limit: int) -> None:
    whole = [one["id"] for one in read(client)["items"]]
    got, after = [], {}
    while after is not None:
        page = read(client, limit=limit, **after)
        got += [one["id"] for one in page["items"]]
        after = {"after": page["next"]} if page["next"] else None
    assert got == whole


def test_a_cursor_of_another_order_is_refused(client: TestClient) -> None:
    other = cursor.encode("newest", [3])
    check_problem(client.get("/v1/queue", params={"sort": "learn", "after": other}), 422, "bad-cursor")
    check_problem(client.get("/v1/queue", params={"after": read(client, limit=1)["next"]}), 422, "bad-cursor")
    check_problem(client.post("/v1/queue/claim", json={"sort": "teach"}), 422, "invalid-request")


def test_claims_say_why_too_and_the_lease_shows(client: TestClient) -> None:
    got = client.post("/v1/queue/claim", json={"sort": "learn", "limit": 8}).json()["items"]
    assert len(got) == 8
    assert {one["item"]["claimed_by"] for one in got} == {"local"}
    assert {one["offered"] for one in got} == {"uncertain", "random"}
    assert len(read(client, unclaimed=True)["items"]) == 12
    plain = client.post("/v1/queue/claim", json={"limit": 2}).json()["items"]
    assert {one["offered"] for one in plain} == {None}


def test_an_unknown_order_is_refused_and_the_description_names_all(client: TestClient) -> None:
    check_problem(client.get("/v1/queue", params={"sort": "teach"}), 422, "invalid-request")
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert "learn" in schemas["ClaimIn"]["properties"]["sort"]["enum"]
