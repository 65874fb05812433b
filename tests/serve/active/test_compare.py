"""Comparisons of a candidate with the active model on comments of the store."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from fastapi.testclient import TestClient
from onnx import numpy_helper

from belowline.model import ModelError
from belowline.serve.active import command as models_command
from belowline.serve.active.compare import FAILED, compare_models
from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings
from tests.support.model_world import World

TEXTS = ["the link", "a", "b zz", "1 2 3", "link you", "zebra link", "ok", "!! the", "jazz", "fog link"]
POLICY = 'version = "one label"\nlabels = ["spam"]\n'
"""Without it the random models hold every comment."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.of(tmp_path)
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, "utf-8")
    made.settings = Settings(**{**dict(made.settings), "policy": policy})
    yield made
    made.database.close()


def results(world: World, path: str, model: Path, **more: Any) -> list[dict[str, Any]]:
    settings = Settings(**{**dict(world.settings), "model_dir": model})
    body = {"comments": [{"id": f"c{number}", "text": text} for number, text in enumerate(TEXTS)], **more}
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_it_finds_what_a_service_with_the_candidate_would_decide(world: World) -> None:
    stored = results(world, "/v1/comments", world.old, site="paper")
    old, new = results(world, "/v1/score", world.old), results(world, "/v1/score", world.new)
    found = compare_models(world.settings, world.database, world.new, 100)
    pairs = [(one["action"], two["action"]) for one, two in zip(old, new, strict=True)]
    assert len(set(pairs)) > 1
    assert found.actions == {pair: pairs.count(pair) for pair in pairs}
    assert found.agreement == pytest.approx(sum(one == two for one, two in pairs) / len(pairs))
    for label, number, difference, distance in found.labels():
        apart = [two["scores"][label] - one["scores"][label] for one, two in zip(old, new, strict=True)]
        assert number == len(TEXTS)
        assert difference == pytest.approx(sum(apart) / len(apart), abs=2e-4)
        assert distance == pytest.approx(sum(map(abs, apart)) / len(apart), abs=2e-4)
    differing = [one["comment"] for one, pair in zip(stored, pairs, strict=True) if pair[0] != pair[1]]
    assert [comment for comment, *_ in found.disagreements] == sorted(differing, reverse=True)
    assert compare_models(world.settings, world.database, world.new, 3).actions.total() == 3


def test_a_model_agrees_with_itself(world: World) -> None:
    results(world, "/v1/comments", world.old, site="paper")
    found = compare_models(world.settings, world.database, world.old, 100)
    assert (found.agreement, found.disagreements) == (1.0, [])


def test_comments_that_a_candidate_cannot_score_are_counted(world: World) -> None:
    """The candidate's network fails at the last words of its vocabulary: "link" is one."""
    copied = shutil.copytree(world.new, world.folder / "fails")
    network = onnx.load(str(copied / "model.onnx"))
    for weights in network.graph.initializer:
        if weights.name == "table":
            weights.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weights)[:-2], weights.name))
    onnx.save(network, str(copied / "model.onnx"))
    results(world, "/v1/comments", world.old, site="paper")
    found = compare_models(world.settings, world.database, copied, 100)
    failed = sum(number for (_, action), number in found.actions.items() if action == FAILED)
    assert failed == sum("link" in text for text in TEXTS)
    assert {number for _, number, *_ in found.labels()} == {len(TEXTS) - failed}


def test_a_candidate_that_does_not_load_is_an_error(world: World) -> None:
    (world.new / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError):
        compare_models(world.settings, world.database, world.new, 100)


def test_the_command_prints_the_comparison(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("database_url", "models_dir", "model_dir", "policy"):
        monkeypatch.setenv(f"BELOWLINE_{name.upper()}", str(getattr(world.settings, name)))
    monkeypatch.setenv("COLUMNS", "250")
    models_command.compare_command(world.new, 100)
    assert "no comments" in capsys.readouterr().out
    results(world, "/v1/comments", world.old, site="paper")
    models_command.compare_command(world.new, 100)
    found, printed = (
        compare_models(world.settings, world.database, world.new, 100),
        capsys.readouterr().out,
    )
    assert found.candidate in printed
    assert str(found.disagreements[0][0]) in printed
    assert all(f"{distance:.4f}" in printed for *_, distance in found.labels())
