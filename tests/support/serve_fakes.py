"""A model with predictable answers: a comment has the labels that its text names."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient

from belowline.model import Evidence, ScoreInput, Scorer, Scores
from belowline.model.directory import Calibration, ModelConfig, Thresholds, Window
from belowline.serve.http.errors import PROBLEM_JSON, PROBLEMS
from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings
from tests.support.shared_routes import share_routes
from tests.support.sqlite_store import sqlite_url

share_routes()

LABELS = ("spam", "hate", "antisemitism", "personal_attack", "threat", "profanity", "toxicity", "on_topic")
KEY = "a-key-of-enough-characters"


class FakeScorer:
    """Return 0.9 for labels that a comment names, 0.01 for others, relevance 0.75; fail on the text "explode"."""

    version = "9.9.9"
    labels = LABELS
    config = ModelConfig(
        version=version,
        labels=LABELS,
        harmful=LABELS[:-1],
        calibration={},
        thresholds={label: Thresholds(hold=0.5, reject=None) for label in LABELS[:-1]},
        window=Window(tokens=128, overlap=16, aggregate={}),
        languages=("en",),
        relevance=Calibration(scale=1.0, shift=0.0),
    )

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self.calls: list[list[ScoreInput]] = []
        self._before = before

    @property
    def thresholds(self) -> dict[str, Thresholds]:
        return self.config.thresholds

    def score(self, comments: Sequence[ScoreInput]) -> list[Scores]:
        self.calls.append(list(comments))
        self._before()
        if any("explode" in comment.text for comment in comments):
            raise RuntimeError("a message that quotes: " + comments[0].text)
        return [self._one(comment) for comment in comments]

    def _one(self, comment: ScoreInput) -> Scores:
        found = {label: comment.text.find(label) for label in LABELS}
        relevance = 0.75 if comment.article or comment.parent else None
        evidence = tuple(
            Evidence(label, at, at + len(label), 0.87654) for label, at in found.items() if at >= 0
        )
        return Scores(
            {label: 0.9 if at >= 0 else 0.01 for label, at in found.items()},
            evidence,
            "en",
            "9.9.9",
            relevance,
        )


def fake_scorer(before: Callable[[], None] = lambda: None) -> Any:
    return cast(Scorer, FakeScorer(before))


def _app_of(folder: Path, scorer: Any, settings: Mapping[str, Any]) -> FastAPI:
    """Return an app whose database is in ``folder`` unless the settings name another."""
    if "database_url" not in settings:
        settings = {"database_url": sqlite_url(folder / "queue.sqlite3"), **settings}
    return create_app(Settings(**settings), scorer or fake_scorer())


def client_of(folder: Path, scorer: Any = None, host: str = "127.0.0.1", **settings: Any) -> TestClient:
    """Return a client of a new app whose database is in ``folder``; use it in a ``with`` block."""
    app = _app_of(folder, scorer, settings)
    return TestClient(app, base_url=f"http://{host}", raise_server_exceptions=False)


@contextmanager
def client_on(request: pytest.FixtureRequest, folder: Path, **settings: Any) -> Iterator[TestClient]:
    """Yield a client whose app stores comments in the kind of database that the fixture's parameter names."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            settings["database_url"] = stack.enter_context(request.getfixturevalue("postgres").fresh())
        yield stack.enter_context(client_of(folder, **settings))


@contextmanager
def served(folder: Path, scorer: Any = None, **settings: Any) -> Iterator[httpx.Client]:
    """Yield a client of a real server on a free port, for endless answers; they are read with ``stream``."""
    app = _app_of(folder, scorer, settings)
    config = uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield client
    server.should_exit = True
    thread.join(20)


def check_problem(answer: httpx.Response, status: int, kind: str | None = None) -> dict[str, Any]:
    """Check that an answer is problem details of RFC 9457 with a type of the table; return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == PROBLEM_JSON
    problem: dict[str, Any] = answer.json()
    name = problem["type"].removeprefix("urn:belowline:problem:")
    assert PROBLEMS[name] == (status, problem["title"])
    assert kind in (None, name), answer.text
    assert problem["status"] == status
    assert problem["detail"]
    return problem
