"""An invalid comment in a list gets its own error in its place and does not refuse the others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from belowline.serve.scoring.results import Result
from tests.support.serve_fakes import client_of

SECRET = "do-not-quote-me"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path, max_comment_chars=2000) as client:
        yield client


def results_of(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": ""}, "comments[100].text"),
        ({"text": " \n\u2003"}, "comments[100].text"),
        ({"text": 7}, "comments[100].text"),
        ({"text": None}, "comments[100].text"),
        ({}, "comments[100].text"),
        ({"text": SECRET * 1000}, "comments[100].text"),
        ({"text": SECRET, "parent": "x" * 2001}, "comments[100].parent"),
        ({"text": SECRET, "parent": 3}, "comments[100].parent"),
        ({"text": SECRET, "author": {"name": "x" * 201}}, "comments[100].author.name"),
        ({"text": SECRET, "score": 1}, "comments[100].score"),
        ({"text": SECRET, "id": "a\nb"}, "comments[100].id"),
        (SECRET, "comments[100]"),
        (None, "comments[100]"),
        ([SECRET], "comments[100]"),
    ],
)
def test_one_invalid_comment_among_256_gets_its_own_error(client: TestClient, wrong: Any, field: str) -> None:
    comments: list[Any] = [{"id": f"c{number}", "text": "fine"} for number in range(256)]
    comments[100] = {"id": "odd", **wrong} if isinstance(wrong, dict) else wrong
    comments[255]["text"] = "spam"
    answer = client.post("/v1/score", json={"comments": comments})
    results = results_of(answer)
    assert [one["action"] for one in results] == ["publish"] * 100 + ["hold"] + ["publish"] * 154 + ["hold"]
    refused = results[100]
    expected = "odd" if isinstance(wrong, dict) and "id" not in wrong else None
    assert (refused["id"], refused["scores"], refused["reason"]["code"]) == (expected, {}, "scoring_failed")
    error = refused["error"]
    assert (error["code"], error["status"]) == ("invalid-request", 422)
    assert error["type"] == "urn:belowline:problem:invalid-request"
    assert error["errors"][0]["field"] == field
    assert error["detail"].startswith(field)
    assert SECRET not in answer.text
    assert all("error" not in one for at, one in enumerate(results) if at != 100)
    assert all(Result.model_validate(one) for one in results), "a client of earlier versions reads the answer"


def test_several_invalid_comments_keep_the_order(client: TestClient) -> None:
    texts = ["", "spam", " ", "fine", ""]
    results = results_of(client.post("/v1/score", json={"comments": [{"text": text} for text in texts]}))
    assert [one["action"] for one in results] == ["hold", "hold", "hold", "publish", "hold"]
    assert [("error" in one) for one in results] == [True, False, True, False, True]


def test_only_invalid_comments_are_a_problem_that_names_each(client: TestClient) -> None:
    comments = [{"text": ""}, {"text": " "}, {"text": "x", "more": 1}]
    answer = client.post("/v1/score", json={"comments": comments})
    assert answer.status_code == 422
    fields = [error["field"] for error in answer.json()["errors"]]
    assert fields == ["comments[0].text", "comments[1].text", "comments[2].more"]


def test_a_failed_and_an_invalid_comment_are_both_held(client: TestClient) -> None:
    comments = [{"text": "explode"}, {"text": ""}, {"text": "fine"}]
    results = results_of(client.post("/v1/score", json={"comments": comments}))
    assert [(one["action"], "error" in one) for one in results] == [
        ("hold", False),
        ("hold", True),
        ("publish", False),
    ]


@pytest.mark.parametrize("path", ["/v1/score", "/v1/comments"])
def test_the_queue_gets_the_valid_comments(client: TestClient, path: str) -> None:
    comments = [
        {"id": "a", "text": "spam"},
        {"id": "b", "text": ""},
        {"text": "spam"},
        {"id": "d", "text": "hate"},
    ]
    answer = client.post(path, json={"site": "paper.example", "comments": comments})
    results = results_of(answer)
    assert [(one["id"], one["action"]) for one in results] == [
        ("a", "hold"),
        ("b", "hold"),
        (None, "hold"),
        ("d", "hold"),
    ]
    assert [one.get("error", {"errors": [{"field": None}]})["errors"][0]["field"] for one in results] == [
        None,
        "comments[1].text",
        "comments[2].id",
        None,
    ]
    items = client.get("/v1/queue?sort=newest").json()["items"]
    assert [item["caller_id"] for item in items] == ["d", "a"]


def test_a_refused_comment_is_not_stored(client: TestClient) -> None:
    comments = [{"id": "a", "text": "fine"}, {"id": "b", "text": "x" * 2001}]
    results = results_of(client.post("/v1/comments", json={"site": "s", "comments": comments}))
    assert [(one["comment"] > 0, one["stands"], one["changed"]) for one in results] == [
        (True, "publish", True),
        (False, "hold", False),
    ]
    assert [one["caller_id"] for one in client.get("/v1/comments?site=s").json()["items"]] == ["a"]
    again = results_of(
        client.post("/v1/comments", json={"site": "s", "comments": [{"id": "b", "text": "short"}]})
    )
    assert [one["changed"] for one in again] == [True]


@pytest.mark.parametrize("path", ["/v1/score", "/v1/comments"])
def test_a_repeated_id_refuses_the_request(client: TestClient, path: str) -> None:
    comments = [{"id": "a", "text": "one"}, {"id": "b", "text": ""}, {"id": "b", "text": "two"}]
    answer = client.post(path, json={"site": "s", "comments": comments})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "comments[2].id"
    assert client.get("/v1/comments?site=s").json()["items"] == []


def test_the_schema_shows_the_error_in_its_place(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for answer, refused in (("ScoreAnswer", "RefusedComment"), ("KeptComments", "RefusedKept")):
        kinds = schemas[answer]["properties"]["results"]["items"]["anyOf"]
        assert {"$ref": f"#/components/schemas/{refused}"} in kinds
        assert "error" in schemas[refused]["required"]
    [example] = schemas["ScoreAnswer"]["examples"]
    assert example["results"][1]["error"]["code"] == "invalid-request"
    assert set(schemas["RefusedComment"]["properties"]) == {*example["results"][1], "relevance"}
    items = schemas["ScoreRequest"]["properties"]["comments"]["items"]
    assert items == {"$ref": "#/components/schemas/CommentIn"}
