"""Guessing at keys is slowed by address, with each protocol's own error, and never blocks a valid key."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from belowline.serve.http import throttle
from belowline.serve.http.throttle import FORGET_S, FREE, FailedKeyLimiter, network_of
from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings
from tests.support.serve_fakes import KEY, check_problem, fake_scorer
from tests.support.sqlite_store import sqlite_url

COMMENT = {"comments": [{"text": "fine"}]}
AKISMET = {"blog": "https://paper.example", "user_ip": "192.0.2.7", "comment_content": "fine"}
ANALYZE = {"comment": {"text": "fine"}, "requestedAttributes": {"INSULT": {}}}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def failed_keys(clock: Clock) -> FailedKeyLimiter:
    return FailedKeyLimiter(clock)


def guess(failed_keys: FailedKeyLimiter, address: str, times: int = FREE) -> None:
    for _ in range(times):
        failed_keys.fail(address)


def test_after_so_many_wrong_keys_one_has_to_wait_and_time_forgets_them(
    failed_keys: FailedKeyLimiter, clock: Clock
) -> None:
    guess(failed_keys, "192.0.2.1", FREE - 1)
    assert failed_keys.retry_after("192.0.2.1", "k") == 0
    guess(failed_keys, "192.0.2.1", 1)
    assert failed_keys.retry_after("192.0.2.1", "k") == FORGET_S
    clock.now += FORGET_S - 0.5
    assert failed_keys.retry_after("192.0.2.1", "k") == 1
    clock.now += 0.5
    assert failed_keys.retry_after("192.0.2.1", "k") == 0
    guess(failed_keys, "192.0.2.1", 1)
    assert failed_keys.retry_after("192.0.2.1", "k") == FORGET_S
    clock.now += FREE * FORGET_S
    guess(failed_keys, "192.0.2.1", FREE - 1)
    assert failed_keys.retry_after("192.0.2.1", "k") == 0


def test_a_flood_is_held_against_an_address_no_longer_than_a_burst(failed_keys: FailedKeyLimiter) -> None:
    guess(failed_keys, "192.0.2.1", 50 * FREE)
    assert failed_keys.retry_after("192.0.2.1", "k") == FORGET_S


def test_another_address_and_who_has_shown_a_right_key_do_not_wait(failed_keys: FailedKeyLimiter) -> None:
    failed_keys.succeed("192.0.2.1", "mine")
    guess(failed_keys, "192.0.2.1")
    assert failed_keys.retry_after("192.0.2.1", "other") > 0
    assert failed_keys.retry_after("192.0.2.1", "mine") == 0
    assert failed_keys.retry_after("192.0.2.2", "other") == 0
    guess(failed_keys, "192.0.2.2")
    assert failed_keys.retry_after("192.0.2.2", "mine") > 0, (
        "shown from elsewhere says nothing of who is here"
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1%eth0", "2001:db8::1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("testclient", "testclient", True),
        ("", "testclient", False),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same
    assert len(network_of("x" * 10_000)) == 100


def test_memory_is_bounded_and_the_longest_silent_goes_first(
    failed_keys: FailedKeyLimiter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MOST", 3)
    guess(failed_keys, "192.0.2.1")
    guess(failed_keys, "192.0.2.2")
    for number in range(3, 5):
        failed_keys.fail(f"192.0.2.{number}")
        failed_keys.succeed(f"192.0.2.{number}", "k")
    assert failed_keys.retry_after("192.0.2.1", "x") == 0
    assert failed_keys.retry_after("192.0.2.2", "x") > 0
    failed_keys.succeed("192.0.2.5", "k")
    failed_keys.succeed("192.0.2.6", "k")
    assert (len(failed_keys._forgotten_at), len(failed_keys._holders)) == (3, 3)


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[TestClient]:
    """Yield a client at 192.0.2.1 of a service with a stopped clock, because failures expire on slow machines."""
    app = create_app(Settings(database_url=sqlite_url(folder / "queue.sqlite3"), **settings), fake_scorer())
    app.state.service = replace(app.state.service, failed_keys=FailedKeyLimiter(lambda: 1000.0))
    with TestClient(app, base_url="http://127.0.0.1", client=("192.0.2.1", 5)) as client:
        yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A client of a service with an environment key, at an address that has used up its free failures."""
    with serving(tmp_path_factory.mktemp("throttle"), api_keys=KEY) as client:
        for number in range(FREE):
            check_problem(ask(client, f"wrong {number}"), 401, "invalid-key")
        yield client


def ask(client: TestClient, key: str) -> httpx.Response:
    return client.get("/v1/queue", headers={"X-API-Key": key})


def at(client: TestClient, address: str) -> TestClient:
    """Return another client of the same service, for requests that need no model."""
    return TestClient(client.app, base_url="http://127.0.0.1", client=(address, 5))


WRONG = {"X-API-Key": "wrong again"}
CALLS: dict[str, dict[str, Any]] = {
    "/v1/score": {"json": COMMENT, "headers": WRONG},
    "/v1/moderations": {"json": {"input": "fine"}, "headers": WRONG},
    "/v1alpha1/comments:analyze?key=wrong": {"json": ANALYZE},
    "/coral/moderate": {"json": {"comment": {"body": "fine"}}, "headers": WRONG},
    "/predict": {"json": {"inputs": "fine"}, "headers": WRONG},
    "/": {"data": {"text": "fine", "key": "wrong again"}},
    "/console/sign-in": {"data": {"key": "wrong again"}},
    "/console/release": {"data": {}, "headers": WRONG},
}


@pytest.mark.parametrize("path", CALLS)
def test_every_door_answers_429_and_when_to_come_back(client: TestClient, path: str) -> None:
    answer = client.post(path, **CALLS[path])
    assert answer.status_code == 429, answer.text
    assert 0 < int(answer.headers["Retry-After"]) <= FORGET_S
    wait = answer.headers["Retry-After"]
    assert f"wait {wait} seconds before you send another key" in answer.text
    assert "wrong again" not in answer.text


def test_each_protocol_says_it_in_its_own_shape(client: TestClient) -> None:
    def told(path: str) -> Any:
        return client.post(path, **CALLS[path]).json()

    check_problem(client.post("/v1/score", **CALLS["/v1/score"]), 429, "too-many-guesses")
    assert told("/v1/moderations")["error"]["code"] == "too_many_guesses"
    assert told("/v1alpha1/comments:analyze?key=wrong")["error"]["status"] == "RESOURCE_EXHAUSTED"
    assert told("/predict")["error_type"] == "Overloaded"
    assert list(told("/coral/moderate")) == ["error"]
    akismet = client.post("/1.1/comment-check", data={**AKISMET, "api_key": "wrong"})
    # The key has not failed before, and most clients publish at any other answer.
    assert (akismet.status_code, akismet.text) == (200, "true")
    assert int(akismet.headers["Retry-After"]) > 0
    assert client.post("/1.1/verify-key", data={"key": "wrong"}).status_code == 429


def test_a_key_that_belowline_made_works_at_once_from_an_address_that_guesses(client: TestClient) -> None:
    asked = {"name": "Mona", "role": "moderator"}
    key = at(client, "192.0.2.9").post("/v1/keys", json=asked, headers={"X-API-Key": KEY}).json()["key"]
    for _ in range(FREE + 5):
        assert ask(client, key).status_code == 200
    assert client.post("/console/sign-in", data={"key": key}, follow_redirects=False).status_code == 303
    assert client.get("/console").status_code == 200
    client.cookies.clear()


def test_a_key_of_the_environment_is_not_compared_for_who_guesses_but_works_for_its_holders(
    client: TestClient,
) -> None:
    check_problem(ask(client, KEY), 429, "too-many-guesses")
    holder = at(client, "192.0.2.10")
    assert ask(holder, KEY).status_code == 200
    for number in range(FREE + 1):
        answer = ask(holder, f"wrong {number}")
    assert answer.status_code == 429
    assert ask(holder, KEY).status_code == 200


def test_a_key_for_akismet_is_not_looked_up_for_who_guesses_but_works_for_its_holders(
    client: TestClient,
) -> None:
    asked = {"name": "blog", "role": "service", "sites": ["paper.example"], "protocol": "akismet"}
    made = at(client, "192.0.2.20").post("/v1/keys", json=asked, headers={"X-API-Key": KEY})
    call = {**AKISMET, "api_key": made.json()["key"]}
    assert client.post("/1.1/verify-key", data=call).status_code == 429
    holder = at(client, "192.0.2.21")
    assert holder.post("/1.1/verify-key", data=call).text == "valid"
    for number in range(FREE + 1):
        answer = holder.post("/1.1/verify-key", data={**AKISMET, "api_key": f"{number:012x}"})
    assert answer.status_code == 429
    assert holder.post("/1.1/verify-key", data=call).text == "valid"


def test_calls_without_a_key_and_with_an_old_session_are_no_guesses(client: TestClient) -> None:
    stranger = at(client, "192.0.2.11")
    stranger.cookies.set("belowline_session", "long gone")
    for _ in range(FREE + 5):
        check_problem(stranger.get("/v1/queue"), 401, "invalid-key")
    check_problem(ask(stranger, "wrong"), 401, "invalid-key")


def test_where_no_key_is_asked_for_nothing_is_counted(tmp_path: Path) -> None:
    with serving(tmp_path) as client:
        for number in range(FREE + 5):
            call = {**AKISMET, "api_key": f"any {number}"}
            assert client.post("/1.1/verify-key", data=call).text == "valid"


def test_a_new_model_forgets_no_guesses(client: TestClient) -> None:
    app: Any = client.app
    active = app.state.service.active
    active.take_over(fake_scorer(), "another one", 7)
    assert active.pair.model_number == 7
    assert ask(client, "wrong again").status_code == 429


def test_the_address_is_that_of_the_connection(client: TestClient) -> None:
    """Headers of a caller do not count; trusted proxies are configured in uvicorn (FORWARDED_ALLOW_IPS)."""
    forged = {**WRONG, "X-Forwarded-For": "203.0.113.7", "Forwarded": "for=203.0.113.7"}
    assert client.get("/v1/queue", headers=forged).status_code == 429
