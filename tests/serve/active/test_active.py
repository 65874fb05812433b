"""The active model and the active policy of one process: changes, their order, and state after failures."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event

from belowline.model import Scorer
from belowline.serve.active import follower, loading
from belowline.serve.active import policy_history as policies
from belowline.serve.active.active import Active
from belowline.serve.active.follower import Follower, Poller
from belowline.serve.store.database import Database, StoreError
from tests.support.model_world import World
from tests.support.serve_fakes import client_of, fake_scorer
from tests.support.sqlite_store import sqlite_url
from tests.support.waiting import until


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(sqlite_url(tmp_path / "active.sqlite3"))
    yield opened
    opened.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.of(tmp_path)
    yield made
    made.database.close()


def put(database: Database, policy: str = "") -> int:
    """Replace the policy; return its number, which is also in its version."""
    with database.write() as tx:
        after = policies.newest(tx)
        return policies.replace(tx, "adam", f'version = "v{after + 1}"\n{policy}', None, after)


def active_on(database: Database) -> Active:
    return Active(fake_scorer(), None, None, database)


def told(active: Active) -> tuple[int, str]:
    return active.pair.policy_number, active.pair.policy.version


def test_one_query_finds_that_nothing_changed(database: Database) -> None:
    active, statements = active_on(database), []
    event.listen(
        database._engine, "before_cursor_execute", lambda *call: statements.append(call[2]), named=False
    )
    active.follow()
    assert [one for one in statements if one != "BEGIN"] == statements[-1:]


def test_a_policy_is_followed_and_each_change_is_told_once(database: Database) -> None:
    active, changes = active_on(database), []
    active.changed = lambda: changes.append(active.pair.policy_number)
    for _ in range(3):
        put(database)
        active.follow()
        active.follow()
    assert (told(active), changes) == ((3, "v3"), [1, 2, 3])


def test_a_transaction_that_began_before_a_change_does_not_take_it_back(database: Database) -> None:
    active = active_on(database)
    put(database)
    with database.read() as early:
        assert policies.newest(early) == 1
        put(database)
        active.follow()
        kept = active.within(early)
        assert (kept.policy_number, kept.policy.version) == (1, "v1"), "a transaction sees one state"
    assert told(active) == (2, "v2")


def test_a_poll_that_was_slow_does_not_take_a_change_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request changes the policy after a poll has read the previous one."""
    active = active_on(database)
    put(database)
    under = active._under

    def slow(*rest: Any) -> Any:
        found = under(*rest)
        monkeypatch.setattr(active, "_under", under)
        put(database)
        active.follow()
        return found

    monkeypatch.setattr(active, "_under", slow)
    active.follow()
    assert told(active) == (2, "v2")


def test_an_older_copy_of_the_store_is_followed_as_well(database: Database) -> None:
    active = active_on(database)
    put(database)
    put(database)
    active.follow()
    with database.write() as tx:
        tx.exec_driver_sql("DELETE FROM policies WHERE id = 2")
    active.follow()
    assert told(active) == (1, "v1")


def test_a_policy_that_does_not_fit_leaves_the_one_before_and_is_logged_once(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    active = active_on(database)
    put(database)
    put(database, "[thresholds.no_such_label]\nhold = 0.5\n")
    for _ in range(5):
        active.follow()
        with database.read() as tx:
            assert active.within(tx).policy.version == active.pair.policy.version
    assert told(active)[0] in (0, 1)
    assert caplog.text.count("the policy stays as it is") == 1
    put(database)
    active.follow()
    assert told(active) == (3, "v3")


def test_a_new_model_takes_the_newest_policy_even_if_it_changes_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from belowline.serve.active import active as module

    active, real = active_on(database), module.pair_of

    def slow(*rest: Any) -> Any:
        pair = real(*rest)
        monkeypatch.setattr(module, "pair_of", real)
        put(database)
        active.follow()
        return pair

    monkeypatch.setattr(module, "pair_of", slow)
    other = fake_scorer()
    active.take_over(other, "other", 7)
    assert (active.pipeline.scorer, active.pair.model_number, *told(active)) == (other, 7, 1, "v1")


def test_a_pair_is_never_of_two_models(world: World) -> None:
    """Both change while other threads read: a policy always has the thresholds of the model beside it."""
    config = json.loads((world.new / "config.json").read_text("utf-8"))
    config["thresholds"]["spam"]["hold"] = 0.61
    (world.new / "config.json").write_text(json.dumps(config), "utf-8")
    scorers = [Scorer.load(directory, threads=1) for directory in (world.old, world.new)]
    active = Active(scorers[0], "old", None, world.database)
    over = threading.Event()
    read: list[tuple[int, float, float | None]] = []

    def go_on() -> None:
        while not over.is_set():
            pair = active.pair
            of_model, of_policy = pair.pipeline.scorer.thresholds["spam"], pair.policy.thresholds["spam"]
            assert of_model == of_policy
            assert pair.policy.version == (f"v{pair.policy_number}" if pair.policy_number else "default")
            read.append((pair.policy_number, of_model.hold or 0, of_policy.hold))

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(1, 15):
        put(world.database)
        active.follow()
        active.take_over(scorers[number % 2], ("old", "new")[number % 2], number)
    alive = [thread.is_alive() for thread in threads]
    over.set()
    for thread in threads:
        thread.join()
    assert alive == [True, True], "an assertion would have ended the thread"
    assert {hold for _, hold, _ in read} == {0.7, 0.61}
    assert (told(active), active.pair.model_number) == ((14, "v14"), 14)


@contextmanager
def loading_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, list[int]]]:
    """Loads of models wait for an event; the numbers of started loads are recorded."""
    release, begun, real = threading.Event(), [], loading.load_model

    def held(row: Any, settings: Any) -> Any:
        begun.append(int(row.id))
        assert release.wait(60)
        return real(row, settings)

    monkeypatch.setattr(follower, "load_model", held)
    yield release, begun
    release.set()


def test_policies_are_followed_while_a_model_loads(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    active = loading.active_at_start(world.settings, world.database)
    following = Follower(active, world.settings, world.database)
    world.promote()
    with loading_held(monkeypatch) as (release, begun):
        following.look()
        until(lambda: begun)
        for number in range(1, 6):
            put(world.database)
            following.look()
            assert (active.pipeline.scorer.version, *told(active)) == ("1.0-old", number, f"v{number}")
        release.set()
        following.catch_up()
    assert (active.pipeline.scorer.version, *told(active)) == ("2.0-new", 5, "v5")
    assert begun == [2]


def test_a_model_that_is_rolled_back_while_it_loads_never_answers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = loading.active_at_start(world.settings, world.database)
    following, served = Follower(active, world.settings, world.database), []
    active.changed = lambda: served.append(active.pipeline.scorer.version)
    world.promote()
    with loading_held(monkeypatch) as (release, begun):
        following.look()
        until(lambda: begun)
        world.roll_back()
        following.look()
        release.set()
        until(lambda: following.catch_up() or active.pair.model_number == 3)
    assert served == ["1.0-old"]


def test_a_store_out_of_reach_keeps_the_pair_and_is_logged_once(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(follower, "EVERY_S", 0.005)
    active, gone, looks = active_on(database), threading.Event(), []

    def look() -> None:
        looks.append(time.monotonic())
        if gone.is_set():
            raise StoreError("the database cannot be read: gone")
        active.follow()

    poller = Poller(look)
    poller.start()
    put(database)
    until(lambda: told(active) == (1, "v1"))
    gone.set()
    put(database)
    passed = len(looks)
    until(lambda: len(looks) > passed + 20)
    assert told(active) == (1, "v1")
    gone.clear()
    until(lambda: told(active) == (2, "v2"))
    poller.close()
    assert caplog.text.count("the last ones stay") == 1


WALRUS = 'version = "walrus"\n[words]\nhold = ["walrus"]\n'
CORAL = {"comment": {"body": "a walrus with threat"}, "tenantDomain": "coral.example"}


def code(client: TestClient) -> str:
    answer = client.post("/v1/score", json={"comments": [{"text": "a walrus"}]})
    return str(answer.json()["results"][0]["reason"]["code"])


@pytest.mark.parametrize("way", ["api", "console"])
def test_the_worker_that_takes_a_change_answers_by_it_at_once(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "EVERY_S", 600)
    with client_of(tmp_path) as client:
        assert (code(client), client.get("/readyz").json()["active_policy"]) == ("none", 0)
        if way == "api":
            answer = client.put("/v1/policy", json={"text": WALRUS, "after": 0})
            assert answer.json() == {"number": 1, "version": "walrus"}
        else:
            form = {"text": WALRUS, "after": "0", "do": "replace"}
            answer = client.post("/console/policy", data=form, follow_redirects=False)
            assert answer.status_code == 303
        assert (code(client), client.get("/readyz").json()["active_policy"]) == ("banned_word", 1)
        assert "belowline_active_policy 1.0" in client.get("/metrics").text


def test_what_waits_for_the_model_is_decided_by_the_policy_of_then(tmp_path: Path) -> None:
    """A protocol's later look at the policy is covered too: Coral's flag of a label below its threshold."""
    with client_of(tmp_path, fake_scorer(lambda: change())) as client:
        active = cast(Any, client.app).state.service.active

        def change() -> None:
            put(active._database, 'labels = ["spam"]\n')
            active.follow()

        answer = client.post("/coral/moderate", json=CORAL)
        assert told(active) == (1, "v1")
        assert answer.json() == {
            "actions": [{"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"}],
        }, "under the policy before it would have been held"


def test_what_is_kept_is_decided_by_the_policy_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker has just changed the policy, and no poll has seen it yet."""
    monkeypatch.setattr(follower, "EVERY_S", 600)
    with client_of(tmp_path) as client:
        put(cast(Any, client.app).state.service.database, '[words]\nhold = ["walrus"]\n')
        body = {"site": "s", "comments": [{"id": "c", "text": "a walrus"}]}
        assert client.post("/v1/comments", json=body).status_code == 200
        [decision] = [json.loads(line) for line in client.get("/v1/decisions").text.splitlines()]
        assert (decision["policy"], decision["code"]) == ("v1", "banned_word")
