"""A candidate beside the model: what it counts, and that nothing of it reaches an answer."""

import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from fastapi.testclient import TestClient
from onnx import numpy_helper
from sqlalchemy import select

from belowline.serve.active import command as models_command
from belowline.serve.active import shadow_counts as shadow
from belowline.serve.active.shadow_counts import Compared, Tally
from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database
from belowline.serve.store.tables import shadow_disagreements
from tests.support.model_world import World
from tests.support.waiting import until

TEXTS = ["the link", "a", "b zz", "1 2 3", "link you", "zebra link", "ok", "!! the", "jazz", "fog link"]
POLICY = 'version = "one label"\nlabels = ["spam"]\n'
"""Otherwise the random models hold everything."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.of(tmp_path)
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    made.settings = Settings(**{**dict(made.settings), "policy": policy})
    yield made
    made.database.close()


def client_of(world: World, candidate: Path | None) -> TestClient:
    settings = Settings(**{**dict(world.settings), "shadow_model_dir": candidate})
    return TestClient(create_app(settings), base_url="http://127.0.0.1")


def ask(client: TestClient, site: str | None = None) -> list[dict[str, Any]]:
    comments = [{"id": f"c{number}", "text": text} for number, text in enumerate(TEXTS)]
    if site is None:
        answer = client.post("/v1/score", json={"comments": comments})
    else:
        answer = client.post("/v1/comments", json={"comments": comments, "site": site})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def kept(world: World) -> list[Compared]:
    with world.database.read() as tx:
        return shadow.compared(tx)


def scored(client: TestClient) -> int:
    lines = client.get("/metrics").text.splitlines()
    return sum(
        int(float(line.split()[-1])) for line in lines if line.startswith("belowline_shadow_comments_total")
    )


def test_answers_are_the_same_with_and_without_a_candidate(world: World) -> None:
    with client_of(world, None) as client:
        alone = ask(client)
    with client_of(world, world.new) as client:
        assert ask(client) == alone
        until(lambda: scored(client) == len(TEXTS))


def test_what_it_would_have_decided_is_kept_by_action_label_and_comment(world: World) -> None:
    with client_of(world, world.new) as client:
        results = ask(client, "paper")
        until(lambda: scored(client) == len(TEXTS))
    [found] = kept(world)
    assert found.model.startswith("1.0-old (")
    assert found.candidate.startswith("2.0-new (")
    with (
        client_of(world, None) as client,
        TestClient(
            create_app(Settings(**{**dict(world.settings), "model_dir": world.new})),
            base_url="http://127.0.0.1",
        ) as other,
    ):
        old, new = ask(client), ask(other)
    pairs = [(one["action"], two["action"]) for one, two in zip(old, new, strict=True)]
    assert {(row.action, row.candidate_action): row.comments for row in found.actions} == {
        pair: pairs.count(pair) for pair in pairs
    }
    assert len(set(pairs)) > 1
    for row in found.labels:
        apart = [
            two["scores"][row.label] - one["scores"][row.label] for one, two in zip(old, new, strict=True)
        ]
        assert row.comments == len(TEXTS)
        assert row.difference == pytest.approx(sum(apart) / len(apart), abs=2e-4)
        assert row.distance == pytest.approx(sum(map(abs, apart)) / len(apart), abs=2e-4)
    differing = [
        one["comment"] for one, (first, second) in zip(results, pairs, strict=True) if first != second
    ]
    assert sorted(row.comment_id for row in found.disagreements) == sorted(differing)


def test_of_comments_that_are_not_kept_there_are_counts_alone(world: World) -> None:
    with client_of(world, world.new) as client:
        ask(client)
        until(lambda: scored(client) == len(TEXTS))
    assert kept(world)[0].comments == len(TEXTS)
    with world.database.read() as tx:
        assert tx.execute(select(shadow_disagreements)).all() == []


def test_a_comment_that_comes_again_is_compared_once(world: World) -> None:
    with client_of(world, world.new) as client:
        for _ in range(3):
            ask(client, "paper")
        ask(client)
        until(lambda: scored(client) == 2 * len(TEXTS))
    assert kept(world)[0].comments == 2 * len(TEXTS)


def without_words(directory: Path, target: Path) -> Path:
    """The same model, whose network fails at the last words of its vocabulary: "link" is one."""
    copied = shutil.copytree(directory, target)
    network = onnx.load(str(copied / "model.onnx"))
    for weights in network.graph.initializer:
        if weights.name == "table":
            weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights)[:-2], weights.name))
    onnx.save(network, str(copied / "model.onnx"))
    return copied


def test_a_candidate_that_raises_is_counted_and_nobody_notices(world: World) -> None:
    with client_of(world, None) as client:
        alone = ask(client)
    with client_of(world, without_words(world.new, world.folder / "fails")) as client:
        assert ask(client) == alone
        until(lambda: scored(client) == len(TEXTS))
        assert client.get("/readyz").json()["ready"]
    [found] = kept(world)
    failed = sum(row.comments for row in found.actions if row.candidate_action == "failed")
    assert failed == sum("link" in text for text in TEXTS)
    assert {row.comments for row in found.labels} == {len(TEXTS) - failed}


def test_a_candidate_whose_process_is_killed_leaves_the_service_alone(world: World) -> None:
    with client_of(world, world.new) as client:
        ask(client)
        until(lambda: scored(client) == len(TEXTS))
        [process] = multiprocessing.active_children()
        process.kill()
        process.join()
        ask(client)
        until(lambda: "process ended" in client.get("/console/models").text)
        assert len(ask(client)) == len(TEXTS)
        assert client.get("/readyz").json()["ready"]


def test_a_candidate_that_does_not_load_leaves_the_service_alone(world: World, caplog: Any) -> None:
    broken = shutil.copytree(world.new, world.folder / "broken")
    (broken / "model.onnx").write_bytes(b"no model")
    with client_of(world, broken) as client:
        until(lambda: "BELOWLINE_SHADOW_MODEL_DIR does not score" in caplog.text)
        assert len(ask(client)) == len(TEXTS)
        assert "The candidate does not score" in client.get("/console/models").text
        assert client.app.state.service.shadow.waiting == 0  # type: ignore[attr-defined]
    with client_of(world, world.folder / "nowhere") as client:
        assert len(ask(client)) == len(TEXTS)


def test_what_it_has_no_time_for_is_dropped_and_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("belowline.serve.active.shadow._WAITING", 3)
    monkeypatch.setattr("belowline.serve.active.shadow._LATER_S", 0.5)
    with client_of(world, world.new) as client:
        ask(client)
        text = client.get("/metrics").text
        dropped = next(
            line for line in text.splitlines() if line.startswith("belowline_shadow_dropped_total")
        )
        assert float(dropped.split()[-1]) >= len(TEXTS) - 4


def test_the_candidate_beside_itself_is_not_compared(world: World) -> None:
    with client_of(world, world.old) as client:
        ask(client)
        until(lambda: client.app.state.service.shadow.waiting == 0)  # type: ignore[attr-defined]
    assert kept(world) == []


def test_tallies_add_up_over_workers(database: Database) -> None:
    for probability in (0.5, 0.7):
        tally = Tally()
        tally.add({"spam": 0.6, "odd": 0.1}, {"spam": probability}, ("hold", "publish"))
        tally.add({"spam": 0.6}, None, ("publish", "publish"))
        with database.write() as tx:
            shadow.keep(tx, "a", "b", tally)
    with database.read() as tx:
        [found] = shadow.compared(tx)
    assert (found.comments, found.agreed) == (4, 2)
    [label] = found.labels
    assert (label.label, label.comments) == ("spam", 2)
    assert label.difference == pytest.approx(0)
    assert label.distance == pytest.approx(0.1)


def test_people_see_the_figures_in_the_console_and_at_the_command_line(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with client_of(world, world.new) as client:
        ask(client, "paper")
        until(lambda: scored(client) == len(TEXTS))
    with client_of(world, None) as client:
        page = client.get("/console/models").text
    monkeypatch.setenv("BELOWLINE_DATABASE_URL", world.settings.database_url)
    models_command.shadow_command()
    told = capsys.readouterr().out
    [found] = kept(world)
    for shown in (page, told):
        assert found.candidate in shown
        assert f"{found.labels[0].distance:.4f}" in shown
        assert str(found.disagreements[0].comment_id) in shown
