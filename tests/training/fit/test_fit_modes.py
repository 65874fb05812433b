"""Retraining: decisions in the mix, replay, distance to the start, early stop, several processes, exact resume."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from datasets import DatasetDict
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from belowline.data.corpora import CorpusError
from belowline.training.errors import DataProblem, RecipeError, RunError
from belowline.training.fit import trainer
from belowline.training.fit.batches import Encoder
from belowline.training.fit.fit import fit
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.fit.weights import load_model
from belowline.training.recipes.recipe import Recipe
from tests.support.recipes import changed
from tests.support.tiny_training import write_decisions

pytestmark = pytest.mark.slow

QUIET = Console(quiet=True)
WATCHED = {"evaluate_every": 5, "evaluate_rows": 40}


@pytest.fixture(scope="module")
def started(trained_run: Path) -> Path:
    """A model to retrain."""
    return trained_run / "model"


def retraining(plain: Recipe, **fitting: Any) -> Recipe:
    return changed(
        plain,
        mix={"decisions": 3.0},
        replay={"examples": 100, "optional": True},
        fit={"passes": 2.0, "hold_start": 1.0, "learning_rate": 1e-3, **fitting},
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_model(folder)[0].state_dict()


def same(one: Path, other: Path) -> bool:
    return all(torch.equal(value, weights(other)[name]) for name, value in weights(one).items())


def logged(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]


def test_decisions_join_the_mix_with_their_rate_and_weights(
    plain: Recipe, workshop: Path, started: Path
) -> None:
    run, files = workshop / "retrained", [workshop / "decisions.jsonl"]
    fit(retraining(plain), workshop / "corpora", run, QUIET, started, files)
    rows = list(RunDirectory(run).data()["train"])
    own = [row for row in rows if row["source"] == "decisions:herald"]
    assert {row["passes"] for row in own} == {3.0}
    assert {row["slice"] for row in own} == {"random", "picked"}
    assert sum(row["weight"] for row in own) == pytest.approx(len(own), rel=1e-3)
    assert (
        max(row["weight"] for row in own if row["slice"] == "picked") < 1 < max(r["weight"] for r in own) <= 4
    )
    replayed = [row for row in rows if row["source"] != "decisions:herald"]
    assert (len(replayed), {row["passes"] for row in replayed}) == (100, {1.0})
    assert {row["weight"] for row in replayed} == {1.0}
    assert "start" in logged(run)[0]
    info = json.loads((run / "run.json").read_text("utf-8"))
    assert (list(info["decisions"]), info["missing_corpora"]) == (["decisions.jsonl"], [])


def test_other_decisions_are_another_run(
    plain: Recipe, workshop: Path, started: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    fit(
        retraining(plain, passes=0.1),
        workshop / "corpora",
        run,
        QUIET,
        started,
        [workshop / "decisions.jsonl"],
    )
    other, recipe = write_decisions(tmp_path / "decisions.jsonl", 91), retraining(plain, passes=0.1)
    arguments = (recipe, workshop / "corpora", run, QUIET, started)
    same = tmp_path / "renamed.jsonl"
    same.write_bytes((workshop / "decisions.jsonl").read_bytes())
    assert fit(*arguments, [same]) == run / "model"
    for finished in (True, False):
        for wrong in ([other], [other, same], []):
            with pytest.raises(RunError, match=r"other decisions .*--name, or --force"):
                fit(*arguments, wrong)
        with pytest.raises(RunError, match=r"gone\.jsonl: cannot be read"):
            fit(*arguments, [tmp_path / "gone.jsonl"])
        if finished:
            (run / "model").rename(tmp_path / "taken")
    (tmp_path / "site").mkdir()
    third = write_decisions(tmp_path / "site" / other.name, 97)
    fit(*arguments, [other, third], force=True)
    assert list(json.loads((run / "run.json").read_text("utf-8"))["decisions"]) == [other.name, str(third)]
    with pytest.raises(RunError, match="other decisions"):  # two files have one name
        fit(*arguments, [same, third])


def test_without_corpora_it_warns_and_is_held_to_its_start(
    plain: Recipe, workshop: Path, started: Path, tmp_path: Path
) -> None:
    console = Console(record=True, width=300, file=io.StringIO())
    files = [write_decisions(tmp_path / "decisions.jsonl", 120)]
    drift = {}
    for name, hold in (("free", 0.0), ("held", 20.0)):
        recipe = retraining(plain, hold_start=hold, hold_every=1, passes=6.0)
        out = fit(recipe, tmp_path / "nowhere", tmp_path / name, console, started, files)
        drift[name] = _drift(started, out, recipe, RunDirectory(tmp_path / name).data())
    assert "WARNING not in" in console.export_text()
    assert {row["source"] for row in RunDirectory(tmp_path / "held").data()["train"]} == {"decisions:herald"}
    missing = json.loads((tmp_path / "held" / "run.json").read_text("utf-8"))["missing_corpora"]
    assert missing == ["youtube-spam", "civil-sample", "sms-spam"]
    assert drift["held"] < 0.5 * drift["free"]


def _drift(start: Path, end: Path, recipe: Recipe, data: DatasetDict) -> float:
    """Return the mean change of probabilities without a decided label, on decisions outside of training."""
    rows = [row for split in ("validation", "test") for row in data[split]]
    (before, tokenizer), (after, _) = load_model(start), load_model(end)
    batch = Encoder(tokenizer, recipe).batch(rows)
    with torch.inference_mode():
        said = [
            torch.sigmoid(model(batch.input_ids, batch.attention_mask).logits) for model in (before, after)
        ]
    return float((said[0] - said[1])[torch.isnan(batch.labels)].abs().mean())


def test_corpora_that_a_recipe_needs_are_still_asked_for(
    plain: Recipe, workshop: Path, started: Path, tmp_path: Path
) -> None:
    needs = changed(retraining(plain), replay={"optional": False})
    with pytest.raises(CorpusError, match="fetch"):
        fit(
            needs,
            tmp_path,
            tmp_path / "run",
            QUIET,
            started,
            [workshop / "decisions.jsonl"],
        )


def test_recipe_and_files_of_decisions_must_fit_together(
    plain: Recipe, workshop: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match="--decisions"):
        fit(changed(plain, mix={"decisions": 1.0}), workshop / "corpora", tmp_path / "a", QUIET)
    with pytest.raises(RecipeError, match=r"decisions = 1\.0"):
        fit(plain, workshop / "corpora", tmp_path / "b", QUIET, None, [workshop / "decisions.jsonl"])
    with pytest.raises(RunError, match="hold_start"):
        fit(
            retraining(plain),
            workshop / "corpora",
            tmp_path / "c",
            QUIET,
            None,
            [workshop / "decisions.jsonl"],
        )


def test_a_problem_that_forbids_training_is_met_before_anything_is_claimed(
    plain: Recipe, workshop: Path, started: Path, tmp_path: Path
) -> None:
    run, recipe = tmp_path / "run", retraining(plain, passes=0.1)
    spam_only = write_decisions(tmp_path / "spam.jsonl", verdicts=(True,))
    with pytest.raises(DataProblem, match=r"one-sided: decisions:herald.*stop_on"):
        fit(recipe, workshop / "corpora", run, QUIET, started, [spam_only])
    assert [path.name for path in run.iterdir()] == ["data_checks.json"]
    lenient = changed(recipe, checks={"stop_on": ()})
    assert fit(lenient, workshop / "corpora", run, QUIET, started, [spam_only]).is_dir()


def test_training_stops_when_nothing_gets_better_and_keeps_the_best(plain: Recipe, workshop: Path) -> None:
    run = workshop / "stopped"
    recipe = changed(plain, fit={**WATCHED, "passes": 8.0, "learning_rate": 1e-2, "patience": 2})
    fit(recipe, workshop / "corpora", run, QUIET)
    seen = [entry for entry in logged(run) if "validation" in entry]
    losses = [trainer.early_stopping_score(entry["validation"], "loss") for entry in seen]
    best = losses.index(min(losses))
    assert best == len(losses) - 3, "two measurements after the best one"
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert {"loss/labels", "rate", "validation-loss/spam", "validation-auc/spam"} <= set(
        board.Tags()["scalars"]
    )
    assert [event.step for event in board.Scalars("validation-loss/spam")] == [
        entry["step"] for entry in seen
    ]


class Interrupted(Exception):
    """Simulates a kill between two batches."""


def test_early_stop_goes_on_exactly(
    plain: Recipe, workshop: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = changed(
        plain, fit={**WATCHED, "passes": 8.0, "learning_rate": 1e-2, "patience": 2, "dropout": 0.1}
    )
    whole = workshop / "whole"
    fit(recipe, workshop / "corpora", whole, QUIET)
    step = trainer.Trainer._step

    def stop(self: trainer.Trainer, number: int, *rest: Any) -> None:
        if number == 23:
            raise Interrupted
        step(self, number, *rest)

    monkeypatch.setattr(trainer.Trainer, "_step", stop)
    with pytest.raises(Interrupted):
        fit(recipe, workshop / "corpora", tmp_path / "run", QUIET)
    monkeypatch.setattr(trainer.Trainer, "_step", step)
    torch.manual_seed(99)  # earlier state must not matter
    fit(recipe, workshop / "corpora", tmp_path / "run", QUIET)
    assert same(whole / "model", tmp_path / "run" / "model")
    assert logged(whole) == logged(tmp_path / "run")


SCRIPT = """
import sys
from pathlib import Path
from rich.console import Console
from belowline.training.fit import network, trainer
network.HEAD_DROPOUT = 0.0  # processes draw what to drop each for itself
from belowline.training.fit.fit import fit
from belowline.training.recipes.recipe import Recipe
recipe, corpora, run, kill = sys.argv[1:]
step = trainer.Trainer._step
def killed(self, number, *rest):
    if number == int(kill):
        sys.exit(7)
    step(self, number, *rest)
trainer.Trainer._step = killed
fit(Recipe.model_validate_json(Path(recipe).read_text()), Path(corpora), Path(run), Console(quiet=True))
"""


def launched(processes: int, workshop: Path, recipe: Recipe, run: str, kill: int = -1) -> int:
    """Run the script in a number of processes; return the exit status."""
    (workshop / "script.py").write_text(SCRIPT, "utf-8")
    (workshop / f"{run}.json").write_text(recipe.model_dump_json(), "utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += [str(workshop / name) for name in ("script.py", f"{run}.json", "corpora", run)] + [str(kill)]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, check=False, timeout=280).returncode


def test_two_processes_learn_what_one_does_and_resume_exactly(plain: Recipe, workshop: Path) -> None:
    recipe = changed(plain, fit={**WATCHED, "passes": 2.0})
    assert launched(1, workshop, recipe, "one") == 0
    assert launched(2, workshop, recipe, "two") == 0
    assert launched(2, workshop, recipe, "resumed", kill=7) != 0
    assert launched(2, workshop, recipe, "resumed") == 0
    one, two = logged(workshop / "one"), logged(workshop / "two")
    assert [entry["step"] for entry in one] == [entry["step"] for entry in two]
    for alone, shared in zip(one, two, strict=True):
        if "labels" in alone:
            assert shared["labels"] == pytest.approx(alone["labels"], rel=2e-3)
        else:
            losses = [trainer.early_stopping_score(entry["validation"], "loss") for entry in (alone, shared)]
            assert losses[1] == pytest.approx(losses[0], rel=1e-2)
    assert same(workshop / "two" / "model", workshop / "resumed" / "model")
    assert two == logged(workshop / "resumed")


def test_a_base_that_is_nowhere_is_one_line(
    plain: Recipe, workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    other = plain.model_copy(update={"base": "nobody/no-such-encoder"})
    with pytest.raises(RunError, match=r"base 'nobody/no-such-encoder': cannot be loaded"):
        fit(other, workshop / "corpora", tmp_path / "run", QUIET)
