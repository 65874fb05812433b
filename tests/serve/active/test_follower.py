"""A service follows the store's model: its first model, reasons to skip a model, and release of replaced models."""

import gc
import json
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from belowline.model import ModelError
from belowline.model.digest import model_digest
from belowline.serve.active import follower
from belowline.serve.active import policy_history as policies
from belowline.serve.active.follower import Follower
from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings
from tests.support.model_world import World, damage, without

SPAM_ALONE = 'version = "spam alone"\nlabels = ["spam"]\n'
COMMENT = {"comments": [{"id": "c1", "text": "the link you are following"}]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.of(tmp_path)
    yield made
    made.database.close()


def client_of(app: FastAPI) -> TestClient:
    return TestClient(app, base_url="http://127.0.0.1")


def serves(app: FastAPI) -> str:
    return str(app.state.service.pipeline.scorer.version)


def follower_of(app: FastAPI) -> Follower:
    service = app.state.service
    return Follower(service.active, service.settings, service.database, service.metrics.model_failures.inc)


def look(app: FastAPI, following: Follower | None = None) -> bool:
    """Catch up with the store; return True if another model is now active."""
    before = app.state.service.active.pair.model_number
    (following or follower_of(app)).catch_up()
    return bool(app.state.service.active.pair.model_number != before)


def put(world: World, policy: str) -> int:
    """Activate a policy directly in the store, as another worker does."""
    with world.database.write() as tx:
        return policies.replace(tx, "adam", policy, None, policies.newest(tx))


def kept_of(world: World) -> Path:
    row = world.in_force
    assert row is not None
    return world.folder / "belowline-models" / str(row.folder)


def test_the_promoted_model_wins_over_the_setting(world: World, caplog: pytest.LogCaptureFixture) -> None:
    assert serves(create_app(world.settings)) == "1.0-old"
    assert "not" not in caplog.text
    world.promote()
    app = create_app(world.settings)
    assert (serves(app), app.state.service.active.pair.model_number) == ("2.0-new", 2)
    assert f"serves, not {world.old}" in caplog.text


def test_a_running_service_takes_a_change_over_and_lets_the_old_model_go(world: World) -> None:
    app = create_app(world.settings)
    assert not look(app)
    old = weakref.ref(app.state.service.pipeline.scorer)
    before = app.openapi()["info"]["version"]
    world.promote()
    assert look(app)
    assert not look(app)
    gc.collect()
    assert old() is None
    assert (before, app.openapi()["info"]["version"], serves(app)) == ("1.0-old", "2.0-new", "2.0-new")
    world.roll_back()
    assert look(app)
    assert serves(app) == "1.0-old"


def test_a_request_ends_with_the_model_that_it_began_with(world: World) -> None:
    app = create_app(world.settings)
    service = app.state.service
    begun = replace(service, request_pair=service.active.pair)
    world.promote()
    look(app)
    put(world, SPAM_ALONE)
    with service.database.read() as tx:
        kept = begun.pair_in(tx)
    assert (kept.pipeline.scorer.version, kept.policy.version) == ("1.0-old", "spam alone")
    assert (begun.pipeline.scorer.version, serves(app)) == ("1.0-old", "2.0-new")


def test_one_damaged_after_its_promotion_leaves_the_old_in_force_and_says_so(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower, "EVERY_S", 0.01)
    app = create_app(world.settings)
    world.promote()
    whole = shutil.copytree(kept_of(world), world.folder / "whole")
    damage(kept_of(world))
    with client_of(app) as client:
        wait_until(lambda: client.get("/readyz").json()["promotion"] == "failing")
        ready = client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert client.post("/v1/score", json=COMMENT).json()["model"] == "1.0-old"
        assert "belowline_model_behind 1.0" in client.get("/metrics").text
        assert "cannot be used" in client.get("/console/models").text
        assert caplog.text.count("cannot be used") == 1
        shutil.rmtree(kept_of(world))
        whole.rename(kept_of(world))
        app.state.service = create_app(world.settings).state.service  # reads the state as a new start does
        assert client.get("/readyz").json()["promotion"] == "ok"


def wait_until(condition: Any) -> None:
    for _ in range(3000):
        if condition():
            return
    raise AssertionError("it never came")


def test_one_that_was_not_usable_is_tried_again(world: World) -> None:
    app = create_app(world.settings)
    following, active = follower_of(app), app.state.service.active
    world.promote()
    away = kept_of(world).rename(world.folder / "away")
    assert not look(app, following)
    assert active.behind is not None
    away.rename(kept_of(world))
    assert not look(app, following)  # not at once, because it costs a load
    following._again = 0.0
    assert look(app, following)
    assert (serves(app), active.behind) == ("2.0-new", None)


def test_a_start_goes_back_as_far_as_it_must(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.promote()
    damage(kept_of(world))
    service = create_app(world.settings).state.service
    assert (service.pipeline.scorer.version, service.pair.model_number) == ("1.0-old", 1)
    assert "digest" in service.active.behind
    shutil.rmtree(world.folder / "belowline-models")
    assert create_app(world.settings).state.service.pair.model_number == 0
    shutil.rmtree(world.old)
    with pytest.raises(ModelError):
        create_app(world.settings)


def test_a_policy_for_another_model_leaves_this_one_as_it_is(world: World, caplog: Any) -> None:
    """A worker that cannot load the active model still works when the policy changes to that model's labels."""
    blind = without(world.old, "profanity", world.folder / "blind")
    app = create_app(Settings(**{**dict(world.settings), "model_dir": blind}))
    put(world, "[thresholds.profanity]\nhold = 0.5\n")
    with client_of(app) as client:
        body = {"site": "s", **COMMENT}
        assert client.post("/v1/comments", json=body).status_code == 200
    assert "1.0-old" in caplog.text


def decisions_of(client: TestClient) -> list[dict[str, Any]]:
    return [json.loads(line) for line in client.get("/v1/decisions").text.splitlines()]


def test_every_decision_says_which_files_decided(world: World) -> None:
    app = create_app(world.settings)
    with client_of(app) as client:
        for number, model in enumerate((world.old, world.new)):
            body = {"site": "s", "comments": [{"id": f"c{number}", "text": "you are following the link"}]}
            assert client.post("/v1/comments", json=body).status_code == 200
            newest = decisions_of(client)[-1]
            assert newest["model_digest"] == model_digest(model)
            if number == 0:
                decision = {"action": "reject", "code": "spam"}
                client.post(f"/v1/comments/{newest['comment_id']}/decisions", json=decision)
                world.promote()
                wait_until(lambda: client.post("/v1/score", json=COMMENT).json()["model"] == "2.0-new")
        ruled = [one["model_digest"] for one in decisions_of(client) if one["via"] != "policy"]
        assert ruled == [model_digest(world.old)]
