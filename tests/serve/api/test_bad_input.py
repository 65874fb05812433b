"""Every bad request gets a 4xx with the fault, its place and the remedy, and never a quotation of the comment."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.serve_fakes import client_of

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SECRET = "do-not-quote-me"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(tmp_path_factory.mktemp("bad"), max_comment_chars=2000, max_body_bytes=50_000) as client:
        yield client


def comment(**fields: Any) -> dict[str, Any]:
    return {"comments": [{"text": SECRET, **fields}]}


def raw(text: str) -> bytes:
    """Return a body whose only comment has the JSON string ``text``."""
    return f'{{"comments": [{{"text": {text}}}]}}'.encode()


@pytest.mark.parametrize(
    ("body", "field", "advice"),
    [
        ({}, "comments", "is missing"),
        ({"comments": []}, "comments", "at least 1"),
        ({"comments": [{"text": SECRET}] * 257}, "comments", "at most 256"),
        ({"comments": SECRET}, "comments", "must be a list"),
        ({"comments": [{}]}, "comments[0].text", "is missing"),
        ({"comments": [SECRET]}, "comments[0]", "must be an object"),
        ({"comments": [None]}, "comments[0]", "must be an object"),
        (comment() | {"article": SECRET}, "article", "must be an object"),
        (comment(text=""), "comments[0].text", "is empty"),
        (comment(text=" \n\t\u2003"), "comments[0].text", "is blank"),
        (comment(text=7), "comments[0].text", "must be a string"),
        (comment(text=None), "comments[0].text", "must be a string"),
        (comment(text="x" * 2001), "comments[0].text", "has 2001 characters; at most 2000"),
        (comment(text="word" * 10_000), "comments[0].text", "has 40000 characters"),
        (comment(score=1), "comments[0].score", "is not a known field"),
        (comment() | {"extra": SECRET}, "extra", "is not a known field"),
        (comment(id=""), "comments[0].id", "pattern"),
        (comment(id="a\nb"), "comments[0].id", "pattern"),
        (comment(id="x" * 201), "comments[0].id", "at most 200"),
        (comment(parent="x" * 2001), "comments[0].parent", "has 2001 characters; at most 2000"),
        (comment(parent=3), "comments[0].parent", "must be a string"),
        (comment() | {"article": {}}, "article.title", "is missing"),
        (comment() | {"article": {"title": "t", "body": SECRET}}, "article.body", "is not a known field"),
        (comment() | {"site": "a/b"}, "site", "pattern"),
        (comment() | {"site": "s"}, "comments[0].id", "is missing"),
        ({"comments": [{"text": "a", "id": "1"}] * 2, "site": "s"}, "comments[1].id", "repeats"),
    ],
)
def test_a_wrong_field_is_named(client: TestClient, body: Any, field: str, advice: str) -> None:
    answer = client.post("/v1/score", json=body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["errors"][0]["field"] == field
    assert advice in problem["errors"][0]["detail"]
    assert problem["detail"].startswith(field)
    assert (problem["status"], problem["type"]) == (422, "urn:belowline:problem:invalid-request")
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (b'{"comments": [{"text": "do-not-quote-me"}', JSON, 400, "not valid JSON at character 41"),
        (b"", JSON, 422, "is missing"),
        (b"do-not-quote-me", JSON, 400, "not valid JSON"),
        (b'{"comments": [{"text": "do-not-quote-me \xff"}]}', JSON, 400, "byte 41 cannot be decoded"),
        (b"[" * 20_000, JSON, 400, "body"),
        (b"[1]", JSON, 422, "must be an object"),
        (b'"do-not-quote-me"', JSON, 422, "must be an object"),
        (b'{"a": ' + b"9" * 5000 + b"}", JSON, 400, "body"),
        (raw('"x", "\\ud800": 1'), JSON, 422, "comments[0].\ufffd is not a known field"),
        (raw('"do-not-quote-me"'), {}, 415, "Content-Type: application/json"),
        (raw('"do-not-quote-me"'), {"Content-Type": "text/plain"}, 415, "Content-Type: application/json"),
        (raw('"' + "x" * 1_000_000 + '"'), JSON, 413, "at most 50000 bytes"),
    ],
)
def test_an_unreadable_body_is_explained(
    client: TestClient, content: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    answer = client.post("/v1/score", content=content, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert words in answer.json()["detail"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert SECRET not in answer.text


def test_a_body_without_a_length_is_limited_too(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(60):
            yield b" " * 1000

    answer = client.post("/v1/score", content=chunks(), headers=JSON)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:belowline:problem:body-too-large"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", "/static/../cli.py", 404),
        ("GET", "/v1/score", 405),
        ("GET", "/v1/queue?limit=0", 422),
        ("GET", "/v1/queue?limit=501", 422),
        ("GET", "/v1/queue?after=x", 422),
        ("GET", "/v1/queue?after=" + "9" * 30, 422),
        ("DELETE", "/v1/comments/a%20b:1", 404),
        ("DELETE", "/v1/comments/s:none", 404),
    ],
)
def test_other_requests_are_problems_too(client: TestClient, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_an_unforeseen_error_shows_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("belowline.serve.api.score.check_text", fail)
    with client_of(tmp_path) as client, caplog.at_level(logging.DEBUG):
        answer = client.post("/v1/score", json=comment())
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:belowline:problem:internal-error")
    assert "request failed: RuntimeError at " in caplog.text
    assert SECRET not in answer.text + caplog.text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("comments", "article", "site", "text", "id", "parent", "x"), _JSON)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=_JSON | _FIELDS | st.builds(lambda inner: {"comments": [inner]}, _FIELDS))
def test_no_json_brings_the_service_down(client: TestClient, body: Any) -> None:
    answer = client.post("/v1/score", content=json.dumps(body).encode(), headers=JSON)
    assert answer.status_code in (200, 400, 413, 422)
    answer.json()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_no_bytes_bring_the_service_down(client: TestClient, content: bytes) -> None:
    assert client.post("/v1/score", content=content, headers=JSON).status_code in (400, 422)
    assert client.post("/", content=content).status_code in (200, 400, 413, 422)
    assert client.post("/", content=content, headers=FORM).status_code in (200, 400, 422)
