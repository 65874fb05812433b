"""Server-sent events, from a real server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from belowline.serve.http import events
from belowline.serve.store.database import Database
from tests.support.serve_fakes import KEY, served
from tests.support.sqlite_store import sqlite_url


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events.changes, "__defaults__", (0.02,))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx.Client]:
    with served(tmp_path, api_keys=KEY) as client:
        client.headers["X-API-Key"] = KEY
        yield client


def keep(client: httpx.Client, site: str, name: str, text: str = "spam") -> Any:
    body = {"site": site, "comments": [{"id": name, "text": text}]}
    return client.post("/v1/comments", json=body).raise_for_status().json()["results"][0]


def told(lines: Iterator[str]) -> dict[str, int]:
    """Return the next event."""
    assert next(lines) == "event: queue"
    name, _, data = next(lines).partition(": ")
    assert (name, next(lines)) == ("data", "")
    return json.loads(data)


def test_the_state_comes_first_and_then_every_change(client: httpx.Client) -> None:
    with client.stream("GET", "/v1/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-cache"
        lines = answer.iter_lines()
        assert told(lines) == {"waiting": 0, "newest": 0, "decision": 0}
        kept = keep(client, "s", "c1")
        assert told(lines) == {"waiting": 1, "newest": 1, "decision": 1}
        client.post(f"/v1/comments/{kept['comment']}/decisions", json={"action": "publish"})
        assert told(lines) == {"waiting": 0, "newest": 0, "decision": 2}


def test_a_site_hears_of_its_own_only(client: httpx.Client) -> None:
    made = client.post("/v1/keys", json={"name": "of s", "role": "triage", "sites": ["s"]}).json()
    own = {"X-API-Key": made["key"]}
    with (
        client.stream("GET", "/v1/events", headers=own) as by_key,
        client.stream("GET", "/v1/events", params={"site": "s"}) as by_choice,
    ):
        heard = [by_key.iter_lines(), by_choice.iter_lines()]
        assert [told(lines)["decision"] for lines in heard] == [0, 0]
        keep(client, "other", "c1")
        keep(client, "s", "c1")
        expected = {"waiting": 1, "newest": 2, "decision": 2}
        assert [told(lines) for lines in heard] == [expected, expected]


def test_silence_is_broken_so_that_proxies_keep_the_line(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_HEARTBEAT_S", 0.1)
    with client.stream("GET", "/v1/events") as answer:
        lines = answer.iter_lines()
        told(lines)
        assert [next(lines), next(lines), next(lines)] == [": still here", "", ": still here"]


def test_events_say_nothing_of_comments(client: httpx.Client) -> None:
    keep(client, "s", "secret-id", "spam secret-text")
    with client.stream("GET", "/v1/events") as answer:
        assert set(told(answer.iter_lines())) == {"waiting", "newest", "decision"}


@pytest.mark.anyio
async def test_a_caller_who_is_gone_costs_nothing_more(tmp_path: Path) -> None:
    database = Database.open(sqlite_url(tmp_path / "queue.sqlite3"))
    left = iter([False, False, True])

    async def gone() -> bool:
        return next(left)

    assert len([line async for line in events.changes(database, (), gone, 0.0)]) == 1
    database.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
