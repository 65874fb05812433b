"""A Perspective-compatible service as a contender: our own server, and one that is busy, slow to forgive, or something else."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from belowline.training.compare.perspective import ATTRIBUTES, PerspectiveClient
from belowline.training.errors import ContenderError
from tests.support.serve_fakes import KEY, served

Answer = tuple[int, dict[str, str], Any]


def scored(body: dict[str, Any], value: float = 0.25) -> Answer:
    scores = {name: {"summaryScore": {"value": value}} for name in body["requestedAttributes"]}
    return 200, {}, {"attributeScores": scores, "languages": ["en"]}


def refused(kind: str, message: str = "no", status: int = 400) -> Answer:
    details = [{"errorType": kind}]
    return status, {}, {"error": {"status": "INVALID_ARGUMENT", "message": message, "details": details}}


@contextmanager
def service(answer: Callable[[dict[str, Any]], Answer]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that says what ``answer`` says; gives its address and the bodies that it was sent."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, headers, content = answer(bodies[-1])
            payload = json.dumps(content).encode()
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(payload))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1alpha1", bodies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fast(url: str, sleeps: list[float] | None = None, wait: float = 0.5) -> PerspectiveClient:
    """A peer that does not wait but notes for how long it would have."""
    return PerspectiveClient(url, 1e9, wait, (sleeps if sleeps is not None else []).append)


def test_our_own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSPECTIVE_API_KEY", KEY)
    with served(tmp_path, api_keys=KEY) as client:
        peer = fast(f"{client.base_url}/v1alpha1")
        assert peer.labels == tuple(ATTRIBUTES)
        found = peer.predict(["a hate and a spam", "fine", "personal_attack", "", "x" * 20481])
        monkeypatch.setenv("PERSPECTIVE_API_KEY", "wrong-and-secret")
        with pytest.raises(ContenderError, match="answered 400 INVALID_ARGUMENT") as caught:
            fast(str(client.base_url))
    assert "secret" not in str(caught.value)
    nan = float("nan")
    np.testing.assert_array_equal(found["hate"], [0.9, 0.01, 0.01, nan, nan])
    np.testing.assert_array_equal(found["spam"], [0.9, 0.01, 0.01, nan, nan])
    np.testing.assert_array_equal(found["personal_attack"], [0.01, 0.01, 0.9, nan, nan])


def test_what_is_sent() -> None:
    with service(scored) as (url, bodies):
        peer = fast(url + "/comments:analyze/")
        assert peer.predict(["fine \ud800"])["threat"] == [0.25]
    assert bodies[-1] == {
        "comment": {"text": "fine ?"},
        "requestedAttributes": {name: {} for name in ATTRIBUTES.values()},
        "languages": ["en"],
        "doNotStore": True,
    }


def test_an_attribute_that_is_not_known_is_left_out() -> None:
    def answer(body: dict[str, Any]) -> Answer:
        for name in ("SPAM", "THREAT"):
            if name in body["requestedAttributes"]:
                return refused("INVALID_REQUEST", f"Unknown requested attribute: {name}")
        return scored(body)

    with service(answer) as (url, _):
        assert set(fast(url).predict(["a"])) == ATTRIBUTES.keys() - {"spam", "threat"}
    with (
        service(
            lambda body: refused(
                "", "Unknown requested attribute: " + next(iter(body["requestedAttributes"]))
            )
        ) as (url, _),
        pytest.raises(ContenderError, match="SPAM"),
    ):
        fast(url)


def test_a_text_that_is_refused_has_no_score() -> None:
    def answer(body: dict[str, Any]) -> Answer:
        if "bonjour" in body["comment"]["text"]:
            return refused("LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE")
        return scored(body)

    with service(answer) as (url, _):
        np.testing.assert_array_equal(
            fast(url).predict(["a", "bonjour", "b"])["spam"], [0.25, float("nan"), 0.25]
        )


def test_a_busy_service_is_asked_again_after_a_longer_wait_each_time() -> None:
    troubles: list[Answer] = [
        (429, {"Retry-After": "7"}, {}),
        (503, {}, {}),
        (500, {"Retry-After": "soon"}, {}),
    ]
    sleeps: list[float] = []
    with service(lambda body: troubles.pop(0) if len(bodies) > 1 and troubles else scored(body)) as (
        url,
        bodies,
    ):
        assert fast(url, sleeps).predict(["a"])["spam"] == [0.25]
    assert sleeps == [7.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((429, {}, {}), "answered 429"),
        (
            (403, {}, {"error": {"status": "PERMISSION_DENIED", "message": "you said: some words"}}),
            "403 PERMISSION_DENIED;",
        ),
        ((404, {}, {"detail": "Not Found"}), "answered 404;"),
        ((200, {}, {"scores": []}), "Perspective API"),
        ((200, {}, [1]), "Perspective API"),
    ],
)
def test_what_cannot_be_used_is_said_in_a_line(answer: Answer, why: str) -> None:
    with service(lambda _: answer) as (url, _), pytest.raises(ContenderError, match=why) as caught:
        fast(url)
    assert "\n" not in str(caught.value)
    assert "some words" not in str(caught.value)


def test_an_address_where_nobody_answers() -> None:
    with service(scored) as (url, _):
        pass
    sleeps: list[float] = []
    with pytest.raises(ContenderError, match="ConnectError"):
        fast(url, sleeps)
    assert sleeps == [0.5, 1.0, 2.0, 4.0, 8.0]


@pytest.mark.parametrize(
    "url", ["", "ftp://host/v1", "host/v1", "https://host/?key=abc", "https://me:abc@host/"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ContenderError, match="PERSPECTIVE_API_KEY") as caught:
        PerspectiveClient(url)
    assert "abc" not in str(caught.value)


def test_requests_keep_their_distance() -> None:
    sleeps: list[float] = []
    with service(scored) as (url, _):
        PerspectiveClient(url, 0.01, sleep=sleeps.append).predict(["a", "b"])
    assert len(sleeps) == 2  # the first of three goes at once
    assert sleeps[0] <= 100 < sleeps[1] <= 200  # nobody slept, so the third is due after twice the distance
