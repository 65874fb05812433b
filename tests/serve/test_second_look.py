"""A second model reads comments near a threshold again: the same scores on every path, and both models are named."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from belowline.model import ModelError, ScoreInput, Scorer
from belowline.model.digest import model_digest
from belowline.serve import cli
from belowline.serve.active.compare import compare_models
from belowline.serve.active.files import digest_with
from belowline.serve.active.loading import active_at_start
from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings, load_settings
from tests.support.model_world import World
from tests.support.tiny_model import LABELS, build_tiny_model

BOTH = "1.0-old+5.0"
BAND = (0.3, 0.6)
TEXTS = [f"you {word} the link {number}" for number, word in enumerate("abcdefghijklmnopqrst")]
LOOK = {
    "version": "5.0",
    "bands": {"spam": BAND},
    "thresholds": {label: {"hold": 0.25 if label == "spam" else None} for label in LABELS},
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A store whose service asks a second model."""
    made = World.of(tmp_path)
    build_tiny_model(made.old, version="1.0-old", seed=7, second_look=LOOK)
    second = build_tiny_model(tmp_path / "second", version="5.0", seed=9)
    made.settings = made.settings.model_copy(update={"second_model_dir": second})
    yield made
    made.database.close()


def second_of(world: World) -> Path:
    assert world.settings.second_model_dir is not None
    return world.settings.second_model_dir


def expected(world: World) -> list[dict[str, float]]:
    scorer = Scorer.load(world.old, threads=1, second_look=second_of(world))
    scored = scorer.score([ScoreInput(text) for text in TEXTS])
    return [{label: round(p, 4) for label, p in scores.probabilities.items()} for scores in scored]


@pytest.fixture
def client(world: World) -> Iterator[TestClient]:
    with TestClient(create_app(world.settings), base_url="http://127.0.0.1") as client:
        yield client


def write_texts(folder: Path) -> Path:
    file = folder / "in.jsonl"
    rows = ({"id": str(number), "text": text} for number, text in enumerate(TEXTS))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_comments_in_the_band_have_the_second_models_scores(world: World) -> None:
    first, second = (
        Scorer.load(directory, threads=1).score([ScoreInput(text) for text in TEXTS])
        for directory in (world.old, second_of(world))
    )
    again = [BAND[0] <= scores.probabilities["spam"] <= BAND[1] for scores in first]
    assert 0 < sum(again) < len(TEXTS)
    for scores, one, other, in_band in zip(expected(world), first, second, again, strict=True):
        assert scores["spam"] == round((other if in_band else one).probabilities["spam"], 4)


def test_over_http(world: World, client: TestClient) -> None:
    comments = [{"id": str(number), "text": text} for number, text in enumerate(TEXTS)]
    answer = client.post("/v1/score", json={"comments": comments}).json()
    wanted = expected(world)
    assert answer["model"] == BOTH
    assert {result["model"] for result in answer["results"]} == {BOTH}
    assert [result["scores"] for result in answer["results"]] == wanted
    attributes = {"requestedAttributes": {"SPAM": {}}, "languages": ["en"]}
    for text, scores, result in zip(TEXTS, wanted, answer["results"], strict=True):
        answered = client.post("/v1alpha1/comments:analyze", json={"comment": {"text": text}, **attributes})
        value = answered.json()["attributeScores"]["SPAM"]["summaryScore"]["value"]
        assert value == pytest.approx(scores["spam"], abs=1e-4)
        coral = client.post("/coral/moderate", json={"comment": {"body": text}})
        held = coral.status_code == 200 and coral.json().get("status") == "SYSTEM_WITHHELD"
        assert held == (result["action"] == "hold") == (scores["spam"] >= 0.25)


def test_both_models_are_named(world: World, client: TestClient) -> None:
    digest = digest_with(model_digest(world.old), second_of(world))
    assert digest != model_digest(world.old)
    assert client.get("/readyz").json()["active_model"] == f"{BOTH} ({digest[:12]})"
    assert f'digest="{digest[:12]}",version="{BOTH}"' in client.get("/metrics").text
    assert client.get("/openapi.json").json()["info"]["version"] == BOTH
    comment = {"id": "c", "text": TEXTS[0]}
    client.post("/v1/comments", json={"site": "paper", "thread": {"id": "t"}, "comments": [comment]})
    [stored] = client.get("/v1/comments").json()["items"]
    assert (stored["model"], stored["decision"]["model_digest"]) == (BOTH, digest)


def test_score_and_audit(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, scored, out = write_texts(tmp_path), tmp_path / "scored.jsonl", tmp_path / "out"
    model, second = ["--model", str(world.old)], ["--second-look", str(second_of(world))]
    assert cli.run(["score", "--in", str(source), "--out", str(scored), *model, *second]) == 0
    assert [row["scores"] for row in rows_of(scored)] == expected(world)
    assert rows_of(scored)[0]["model"] == BOTH
    audit = ["audit", str(source), "--out", str(out), "--processes", "1"]
    monkeypatch.setenv("BELOWLINE_SECOND_MODEL_DIR", str(second_of(world)))
    assert cli.run([*audit, *model]) == 0
    assert [row["scores"] for row in rows_of(out / "comments.jsonl")] == expected(world)
    digest = digest_with(model_digest(world.old), second_of(world))
    made_with = json.loads((out / "summary.json").read_text("utf-8"))["made_with"]
    assert made_with["model"] == f"{BOTH} ({digest[:12]})"
    other = build_tiny_model(tmp_path / "other", version="5.0", seed=10)
    for arguments in ([*audit, *model, "--second-look", str(other)], [*audit, "--model", str(other)]):
        monkeypatch.delenv("BELOWLINE_SECOND_MODEL_DIR", raising=False)
        assert cli.run(arguments) == 1
        assert "other model" in capsys.readouterr().err


@pytest.mark.slow
def test_processes_of_an_audit_load_both(world: World, tmp_path: Path) -> None:
    models = ["--model", str(world.old), "--second-look", str(second_of(world))]
    arguments = ["audit", str(write_texts(tmp_path)), "--out", str(tmp_path / "out"), "--processes", "2"]
    assert cli.run([*arguments, *models]) == 0
    assert [row["scores"] for row in rows_of(tmp_path / "out" / "comments.jsonl")] == expected(world)


def test_a_promoted_model_must_fit_the_second(world: World) -> None:
    with pytest.raises(ModelError, match=r"fitted for no model, not 5\.0"):
        world.promote()
    assert world.in_force is None
    build_tiny_model(world.new, version="2.0-new", seed=8, second_look=LOOK)
    row = world.promote()
    assert (row.version, row.digest) == ("2.0-new", model_digest(world.new))
    pipeline = active_at_start(world.settings, world.database).pipeline
    assert (pipeline.scorer.version, pipeline.digest) == (
        "2.0-new+5.0",
        digest_with(row.digest, second_of(world)),
    )
    assert compare_models(world.settings, world.database, world.old, 10).candidate.startswith(BOTH)
    assert world.roll_back().version == "1.0-old"


def test_a_promoted_model_that_does_not_fit_another_second_model(world: World) -> None:
    build_tiny_model(world.new, version="2.0-new", seed=8, second_look=LOOK)
    world.promote()
    other = build_tiny_model(world.folder / "other", version="6.0", seed=9)
    build_tiny_model(world.old, version="1.0-old", seed=7, second_look=LOOK | {"version": "6.0"})
    settings = world.settings.model_copy(update={"second_model_dir": other})
    active = active_at_start(settings, world.database)
    assert (active.pipeline.scorer.version, active.pair.model_number) == ("1.0-old+6.0", 0)
    assert active.behind is not None


def test_large_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, world: World) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BELOWLINE_SECOND_MODEL_DIR", "large")
    with monkeypatch.context() as missing:
        missing.setattr("belowline.model.directory.find_spec", lambda _: None)
        with pytest.raises(ModelError, match="belowline-large is not installed"):
            load_settings()
    package = tmp_path / "site" / "belowline_large"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copytree(second_of(world), package / "large")
    monkeypatch.syspath_prepend(package.parent)
    assert load_settings().second_model_dir == package / "large"
    assert Settings(second_model_dir=None).second_model_dir is None
