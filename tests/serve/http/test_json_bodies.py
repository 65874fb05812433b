"""Lone surrogates and NUL in JSON bodies: every route that takes JSON accepts them and answers as to U+FFFD."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from belowline.serve.json_body import repaired
from tests.support.api_operations import TABLE as OWN
from tests.support.api_operations import UNKNOWN
from tests.support.protocol_operations import TABLE as OTHERS
from tests.support.serve_fakes import client_of, client_on

LONE, REPLACEMENT, NUL = "\ud83d", "\ufffd", "\x00"
BODIES: Mapping[str, Any] = {
    **{operation: row.body for operation, row in OWN.items() if row.body is not None},
    **{operation: row.request["json"] for operation, row in OTHERS.items() if "json" in row.request},
    **{operation: row.request["data"] for operation, row in OTHERS.items() if row.request.get("data")},
    "POST /": {"inputs": "fine"},
}
MORE = {
    "POST /v1/score": {
        "comments": [{"id": "c1", "text": "fine", "parent": "fine"}],
        "article": {"title": "News", "url": "https://paper.example/a", "text": "News"},
        "site": "paper.example",
    },
    "POST /v1/comments": {
        "site": "paper.example",
        "thread": {"id": "t1", "title": "News", "url": "https://paper.example/a", "text": "News"},
        "comments": [
            {
                "id": "c2",
                "text": "spam",
                "parent": "c1",
                "parent_text": "fine",
                "author": {"id": "u1", "name": "Ada", "role": "staff"},
            }
        ],
    },
    "POST /v1/comments/{reference}/decisions": {"action": "publish", "note": "fine"},
    "POST /v1/comments/{reference}/appeals": {"text": "why?"},
    "POST /v1/decisions/bulk": {"action": "publish", "comments": [1], "note": "fine"},
    "POST /v1/keys": {"name": "a key", "role": "service", "sites": ["paper.example"]},
    "POST /v1/webhooks": {"url": "http://x", "events": ["comment.held"], "site": "paper.example"},
    "POST /coral/moderate": {
        "comment": {"body": "fine"},
        "author": {"id": "u1", "role": "COMMENTER"},
        "tenantDomain": "paper.example",
    },
    "POST /v1alpha1/comments:analyze": {
        "comment": {"text": "fine"},
        "context": {"articleAndParentComment": {"article": {"text": "a"}, "parentComment": {"text": "b"}}},
        "requestedAttributes": {"INSULT": {}},
        "clientToken": "t",
        "sessionId": "s",
        "communityId": "paper.example",
    },
    "POST /v1/moderations": {"input": ["fine"], "model": "m"},
}
"""Bodies with more texts than those of the other tables."""


def variants(body: Any, suffix: str) -> Iterator[Any]:
    """Yield ``body`` with ``suffix`` at the end of each of its strings and keys in turn."""
    if isinstance(body, str):
        yield body + suffix
    elif isinstance(body, list):
        for place, value in enumerate(body):
            yield from ([*body[:place], one, *body[place + 1 :]] for one in variants(value, suffix))
    elif isinstance(body, dict):
        for name, value in body.items():
            yield from (body | {name: one} for one in variants(value, suffix))
            yield {(key + suffix if key == name else key): one for key, one in body.items()}


def ask(client: TestClient, operation: str, body: Any) -> httpx.Response:
    method, path = operation.split(" ")
    headers = {"Content-Type": "application/json"}
    return client.request(method, path.format(**UNKNOWN), content=json.dumps(body), headers=headers)


def told(answer: httpx.Response) -> Any:
    """Return status and text of an answer, without ids, keys and times, which always differ."""
    return answer.status_code, re.sub(r"bl_[\w-]+|modr-\w+|\d+", "", answer.text)


def test_the_table_has_every_route_that_takes_json(tmp_path_factory: pytest.TempPathFactory) -> None:
    with client_of(tmp_path_factory.mktemp("routes")) as client:
        paths = client.get("/openapi.json").json()["paths"]
    taking = {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, what in methods.items()
        if "application/json" in what.get("requestBody", {}).get("content", {})
    }
    assert taking <= set(BODIES), "give a new operation its body in the table of its kind"


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, TestClient]]:
    """Two services that get the same requests except for the one character."""
    folders = (tmp_path_factory.mktemp("lone"), tmp_path_factory.mktemp("replaced"))
    with (
        client_of(folders[0], coral_answer_ms=9000) as one,
        client_of(folders[1], coral_answer_ms=9000) as other,
    ):
        yield one, other


@pytest.mark.parametrize("operation", BODIES)
def test_a_lone_surrogate_is_read_as_the_replacement_character(
    twins: tuple[TestClient, TestClient], operation: str
) -> None:
    body = MORE.get(operation, BODIES[operation])
    for lone, replaced in zip(variants(body, LONE), variants(body, REPLACEMENT), strict=True):
        assert told(ask(twins[0], operation, lone)) == told(ask(twins[1], operation, replaced))


@pytest.mark.parametrize("client", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("operation", BODIES)
def test_a_nul_breaks_nothing(client: TestClient, operation: str) -> None:
    for body in variants(MORE.get(operation, BODIES[operation]), NUL):
        assert ask(client, operation, body).status_code < 500


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_on(request, tmp_path_factory.mktemp("nul"), coral_answer_ms=9000) as one:
        yield one


def test_what_is_kept_has_the_replacement_character(tmp_path_factory: pytest.TempPathFactory) -> None:
    body = {
        "site": "a",
        "comments": [{"id": f"c{LONE}", "text": f"spam {LONE}!", "author": {"id": f"u{LONE}"}}],
    }
    with client_of(tmp_path_factory.mktemp("kept")) as client:
        [result] = ask(client, "POST /v1/comments", body).json()["results"]
        [kept] = client.get("/v1/comments").json()["items"]
    assert (result["id"], kept["text"]) == ("c\ufffd", "spam \ufffd!")
    assert [(span["start"], span["end"]) for span in result["evidence"]] == [(0, 4)]


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uD83D\uDE00"', rb'"\uD83D\uDE00"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (rb'"\\ud83d\ude00"', rb'"\\ud83d\ufffd"'),
        (rb'"\ud83d\\ude00"', rb'"\ufffd\\ude00"'),
        (b'"\xed\xa0\xbd"', b'"\xef\xbf\xbd"'),
        ('"\ud7ff\ue000"'.encode(), '"\ud7ff\ue000"'.encode()),
    ],
)
def test_halves_and_nothing_else_are_replaced(sent: bytes, read: bytes) -> None:
    assert json.loads(repaired(sent)) == json.loads(read)


@given(st.text(st.characters() | st.sampled_from('\ud83d\ude00\\u"')))
def test_any_text_keeps_its_length_and_the_rest_of_its_characters(text: str) -> None:
    sent = json.dumps({text: [text]})
    whole = json.loads(sent)  # joins halves that form a pair
    [(name, [value])] = json.loads(repaired(sent.encode())).items()
    [expected] = [re.sub("[\ud800-\udfff]", "\ufffd", key) for key in whole]
    assert name == value == expected


def test_many_backslashes_take_no_time() -> None:
    body = b'"' + b"\\" * 2_000_000 + b'"'
    assert repaired(body) == body
