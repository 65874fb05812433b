"""Two real servers on one store while models are promoted and rolled back.

No request fails, and every answer comes from one model.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from belowline.model import ScoreInput, Scorer
from belowline.model.digest import model_digest
from tests.support.model_world import World
from tests.support.served_process import served
from tests.support.waiting import InThreads, until

pytestmark = pytest.mark.slow

TEXTS = [f"the link {word} you are following {'the ' * number}" for number, word in enumerate("abcdefghij")]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.of(tmp_path)
    yield made
    made.database.close()


@contextmanager
def server(world: World, name: str) -> Iterator[str]:
    """Yield the address of a process that serves the world's store."""
    folder = world.folder / name
    folder.mkdir()
    settings = {"database_url": world.settings.database_url, "models_dir": world.settings.models_dir}
    with served(folder, "--threads", "1", "--model", str(world.old), settings=settings) as one:
        yield one.url


class Callers(InThreads):
    """Threads that send requests without pause and record all answers."""

    def __init__(self, addresses: list[str], each: int) -> None:
        self.answers: list[tuple[str, dict[str, Any]]] = []
        self.failed: list[str] = []
        self._calls = list(itertools.product(addresses, range(each)))
        super().__init__(len(self._calls))

    def go_on(self, thread: int) -> None:
        address, caller = self._calls[thread]
        with httpx.Client(base_url=address, timeout=60) as client:
            for number in itertools.count():
                if self.over.is_set():
                    return
                text = TEXTS[number % len(TEXTS)]
                body: dict[str, Any] = {"comments": [{"id": f"{caller}-{number}", "text": text}]}
                path = "/v1/score"
                if number % 10 == 0:
                    path, body["site"] = "/v1/comments", address[-5:].strip(":/")
                try:
                    answer = client.post(path, json=body)
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                    continue
                if answer.status_code == 200:
                    self.answers.append((text, answer.json()))
                else:
                    self.failed.append(answer.text)


def serves(address: str) -> str:
    with httpx.Client(base_url=address, timeout=60) as client:
        answer = client.post("/v1/score", json={"comments": [{"text": "a word"}]})
        return str(answer.json()["model"])


def test_no_request_is_lost_and_none_is_of_two_models(world: World) -> None:
    with (
        server(world, "one") as one,
        server(world, "other") as other,
        Callers([one, other], 2) as callers,
    ):
        until(lambda: len(callers.answers) > 40)
        changes: list[tuple[Callable[[], Any], str]] = [
            (world.promote, "2.0-new"),
            (world.roll_back, "1.0-old"),
            (world.promote, "2.0-new"),
        ]
        for change, version in changes:
            change()
            until(lambda version=version: {serves(one), serves(other)} == {version})  # type: ignore[misc]
            answered = len(callers.answers)
            until(lambda answered=answered: len(callers.answers) > answered + 40)  # type: ignore[misc]
    assert callers.failed == []
    check_answers(world, callers)
    check_store(world)


def expected(directory: Path) -> dict[str, dict[str, float]]:
    scores = Scorer.load(directory, threads=1).score([ScoreInput(text) for text in TEXTS])
    return {
        text: {label: round(p, 4) for label, p in one.probabilities.items()}
        for text, one in zip(TEXTS, scores, strict=True)
    }


def check_answers(world: World, callers: Callers) -> None:
    of = {"1.0-old": expected(world.old), "2.0-new": expected(world.new)}
    assert all(of["1.0-old"][text] != of["2.0-new"][text] for text in TEXTS)
    seen: Counter[str] = Counter()
    for text, answer in callers.answers:
        [result] = answer["results"]
        assert answer["model"] == result["model"]
        assert result["scores"] == of[result["model"]][text]
        seen[result["model"]] += 1
    assert min(seen.values()) > 80


def check_store(world: World) -> None:
    """Check that stored scores and decisions have the version and digest of the model that produced them."""
    files = {"1.0-old": model_digest(world.old), "2.0-new": model_digest(world.new)}
    with world.database.read() as tx:
        for table in ("scores", "decisions"):
            rows = tx.exec_driver_sql(f"SELECT DISTINCT model, model_digest FROM {table}").all()
            assert {tuple(row) for row in rows} == set(files.items())
