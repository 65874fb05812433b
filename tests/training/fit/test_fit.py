"""The whole pipeline on miniature corpora: fit, stop, resume, export, evaluate, score."""

import io
import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from rich.console import Console

from belowline.model import ScoreInput, Scorer
from belowline.model.directory import read_config
from belowline.training.errors import ParityError, RunError
from belowline.training.export.export import Parity, export
from belowline.training.fit import trainer
from belowline.training.fit.checkpoint import load_checkpoint
from belowline.training.fit.fit import decide_precision, fit
from belowline.training.fit.network import load_base
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.fit.weights import load_model
from belowline.training.measure.evaluate import evaluate
from belowline.training.recipes.recipe import Recipe, load_recipe
from tests.support.recipes import changed
from tests.support.tiny_training import write_mpnet

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def run(trained_run: Path) -> Path:
    return trained_run


@pytest.fixture(scope="module")
def released(run: Path, workshop: Path) -> Path:
    return export(run, workshop / "released", QUIET)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder)[0].state_dict()


def test_a_run_directory_says_how_it_was_made(run: Path) -> None:
    info = json.loads((run / "run.json").read_text("utf-8"))
    assert info["recipe"]["seed"] == 5
    assert info["versions"]["torch"] == version("torch")
    assert info["examples"]["train"] > 200
    assert set(info["corpora_fingerprint"]) == {"train", "validation", "test"}


def test_the_loss_falls(run: Path) -> None:
    losses = [json.loads(line)["labels"] for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    assert losses[-1] < 0.7 * losses[0]


class Interrupted(Exception):
    """Simulates a kill between two batches."""


def stopped_at_twelve(recipe: Recipe, workshop: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = trainer.Trainer._step

    def stop_at_twelve(self: trainer.Trainer, number: int, *rest: object) -> None:
        if number == 12:
            raise Interrupted
        step(self, number, *rest)

    monkeypatch.setattr(trainer.Trainer, "_step", stop_at_twelve)
    with pytest.raises(Interrupted):
        fit(recipe, workshop / "corpora", run, QUIET)
    monkeypatch.setattr(trainer.Trainer, "_step", step)


@pytest.mark.slow
def test_an_interrupted_run_ends_where_an_unbroken_one_does(
    run: Path, plain: Recipe, workshop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_at_twelve(plain, workshop, workshop / "broken", monkeypatch)
    fit(plain, workshop / "corpora", workshop / "broken", QUIET)
    whole, resumed = weights(run / "model"), weights(workshop / "broken" / "model")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.slow
def test_with_frozen_layers_too_and_they_end_as_the_base_has_them(
    plain: Recipe, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = write_mpnet(tmp_path / "base")
    fitting = plain.fit.model_copy(update={"freeze_layers": 1, "dropout": 0.1})
    recipe = plain.model_copy(update={"base": str(base), "fit": fitting})
    log = io.StringIO()
    monkeypatch.setattr(trainer, "_PROGRESS_SECONDS", 0.0)
    fit(recipe, workshop / "corpora", tmp_path / "whole", Console(file=log, width=200))
    examples = json.loads((tmp_path / "whole" / "run.json").read_text("utf-8"))["examples"]
    last = log.getvalue().splitlines()[-1]
    assert last.startswith(f"trained {tmp_path / 'whole'} in ")
    assert all(f"{number:,} {split}" in last for split, number in examples.items())
    stopped_at_twelve(recipe, workshop, tmp_path / "broken", monkeypatch)
    state = load_checkpoint(tmp_path / "broken")
    assert state is not None
    learning = sum(len(group["params"]) for group in state["optimizer"]["param_groups"])
    assert learning < len(state["model"])
    fit(recipe, workshop / "corpora", tmp_path / "broken", QUIET)
    whole, resumed = weights(tmp_path / "whole" / "model"), weights(tmp_path / "broken" / "model")
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    first = load_base(str(base))[0].state_dict()
    same = {name for name, value in first.items() if torch.equal(value, whole[f"encoder.{name}"])}
    assert same == {name for name in first if "layer.1." not in name and "layer.2." not in name}
    [*_, last] = [line for line in log.getvalue().splitlines() if " left, labels" in line]
    assert re.search(r"batch (\d+) of \1, [\d.]+ s each, 0:00:00 left", last)


def test_more_frozen_layers_than_the_base_has_are_refused(
    plain: Recipe, workshop: Path, tmp_path: Path
) -> None:
    recipe = plain.model_copy(update={"fit": plain.fit.model_copy(update={"freeze_layers": 9})})
    with pytest.raises(RunError, match="freeze_layers = 9"):
        fit(recipe, workshop / "corpora", tmp_path / "run", QUIET)


def test_a_loss_that_is_no_number_ends_the_training(plain: Recipe, workshop: Path, tmp_path: Path) -> None:
    wild = changed(plain, fit={"learning_rate": 1e30, "head_learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(RunError, match=r"is not a number at batch [0-9]+; lower learning_rate"):
        fit(wild, workshop / "corpora", tmp_path / "run", QUIET)
    assert not (tmp_path / "run" / "model").exists()


@pytest.mark.slow
def test_bf16_autocast_learns_too(plain: Recipe, workshop: Path) -> None:
    bf16 = plain.model_copy(update={"fit": plain.fit.model_copy(update={"precision": "bf16"})})
    fit(bf16, workshop / "corpora", workshop / "bf16", QUIET)
    losses = [
        json.loads(line)["labels"]
        for line in (workshop / "bf16" / "log.jsonl").read_text("utf-8").splitlines()
    ]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
def test_a_run_keeps_the_precision_that_was_faster_where_it_began(
    workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(workshop / "recipe.toml")
    for name, bf16_seconds, first in (("slow", 1.0, "fp32"), ("fast", 0.3, "bf16")):
        run = tmp_path / name
        run.mkdir()
        (run / "run.json").write_text("{}", "utf-8")
        seconds = {torch.bfloat16: bf16_seconds, torch.float32: 1.0}
        monkeypatch.setattr(
            "belowline.training.fit.fit._product_seconds", lambda kind, device, seconds=seconds: seconds[kind]
        )
        assert decide_precision(RunDirectory(run), recipe) == first
        seconds[torch.bfloat16] = 1.3 - bf16_seconds  # the opposite of the machine that it is resumed on
        assert decide_precision(RunDirectory(run), recipe) == first


def test_a_run_is_not_continued_with_another_recipe(run: Path, plain: Recipe, workshop: Path) -> None:
    other = plain.model_copy(update={"seed": 6})
    with pytest.raises(RunError, match="another recipe"):
        fit(other, workshop / "corpora", run, QUIET)


def test_the_exported_model_scores_and_has_learned(released: Path) -> None:
    scorer = Scorer.load(released)
    assert scorer.version == "0.0.2"
    spam, fine = scorer.score(
        [
            ScoreInput("Cheap road offer, click the link now, no 77."),
            ScoreInput("The vote was discussed last year too, no 78."),
        ]
    )
    assert spam.probabilities["spam"] > 0.8 > 0.2 > fine.probabilities["spam"]


def test_thresholds_come_from_validation(run: Path, released: Path) -> None:
    found = json.loads((run / "thresholds.json").read_text("utf-8"))
    config = json.loads((released / "config.json").read_text("utf-8"))
    assert config["thresholds"]["spam"]["hold"] == found["spam.hold"]["threshold"]
    assert found["spam.hold"]["precision"] >= 0.6
    assert config["thresholds"]["on_topic"] == {"hold": None, "reject": None}


def test_what_the_corpora_do_not_teach_the_model_does_not_claim(released: Path) -> None:
    """The miniature corpora have neither marked spans nor replies with their parents."""
    config = json.loads((released / "config.json").read_text("utf-8"))
    assert (config["evidence"], config["relevance"]) == ({}, None)


@pytest.mark.slow
def test_evaluation_writes_metrics_and_card(run: Path, released: Path, workshop: Path) -> None:
    evaluate(run, released, workshop / "corpora", 100, QUIET, card=True)
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    assert metrics["int8"]["spam"]["corpus youtube-spam"]["auc"] > 0.9
    assert set(metrics) == {"int8", "fp32", "tfidf", "limit", "capped", "unmeasured"}
    card = (released / "README.md").read_text("utf-8")
    assert "# belowline 0.0.2" in card
    assert f"{metrics['int8']['spam']['corpus youtube-spam']['auc']:.3f}" in card
    assert "](reliability.svg)" in card
    assert {"reliability.svg", "precision-recall.svg"} < {path.name for path in released.iterdir()}


@pytest.mark.parametrize(
    ("parity", "message"),
    [
        (Parity(9, 0.01, 0.0, 0.0, 1.0), "ONNX fp32 differs"),
        (Parity(9, 0.0, 0.05, 0.1, 1.0), "quantised model differs"),
        (Parity(9, 0.0, 0.0, 0.0, 0.98), "98.0%"),
    ],
)
def test_the_gate_refuses_what_strays(parity: Parity, message: str) -> None:
    with pytest.raises(ParityError, match=message):
        parity.check()


@pytest.fixture
def spoiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("belowline.training.export.export._torch_gap", lambda *_: 1.0)


@pytest.mark.slow
def test_a_refused_export_leaves_the_old_model_standing(run: Path, released: Path, spoiled: None) -> None:
    before = (released / "model.onnx").read_bytes()
    with pytest.raises(ParityError):
        export(run, released, QUIET)
    assert (released / "model.onnx").read_bytes() == before


@pytest.mark.slow
def test_a_release_is_made_again_with_its_calibration(run: Path, released: Path, tmp_path: Path) -> None:
    thresholds = (run / "thresholds.json").read_bytes()
    again = export(run, tmp_path / "again", QUIET, released, "0.0.3")
    before = read_config(released)
    assert read_config(again) == before.model_copy(update={"version": "0.0.3"})
    assert (run / "thresholds.json").read_bytes() == thresholds
    texts = [ScoreInput("Cheap road offer, click the link now."), ScoreInput("The vote was discussed.")]
    one, other = (Scorer.load(folder).score(texts) for folder in (released, again))
    assert [a.probabilities for a in one] == [b.probabilities for b in other]


def test_only_the_release_of_the_same_labels_lends_its_calibration(
    run: Path, released: Path, tmp_path: Path
) -> None:
    foreign = shutil.copytree(released, tmp_path / "foreign")
    config = json.loads((foreign / "config.json").read_text("utf-8"))
    config["labels"].reverse()
    (foreign / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(RunError, match="has other labels"):
        export(run, tmp_path / "out", QUIET, foreign, "0.0.3")
    assert not (tmp_path / "out").exists()


def test_export_needs_a_finished_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="belowline-train fit"):
        export(tmp_path, tmp_path / "out", QUIET)
