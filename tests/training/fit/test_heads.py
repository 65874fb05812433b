"""Training of the heads alone: nothing else of the model changes, and the result is exported like any other."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from datasets import Dataset, DatasetDict
from rich.console import Console

from belowline.model import ScoreInput, Scorer
from belowline.model.directory import read_config
from belowline.training.export.export import export
from belowline.training.fit import heads
from belowline.training.fit.batches import Encoder, rows_of
from belowline.training.fit.fit import fit
from belowline.training.fit.heads import head_inputs
from belowline.training.fit.network import CommentModel, load_base, read_length
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.fit.weights import load_model
from belowline.training.recipes.recipe import Recipe, load_recipe
from tests.support.recipes import changed

pytestmark = pytest.mark.slow

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def recipe(workshop: Path) -> Recipe:
    return changed(
        load_recipe(workshop / "recipe.toml"),
        mix={"decisions": 2.0},
        checks={"wrong_labels": False},
        fit={"only_heads": True, "hold_start": 1.0, "precision": "fp32"},
    )


@pytest.fixture(scope="module")
def start(workshop: Path, recipe: Recipe) -> Path:
    whole = recipe.model_copy(
        update={
            "mix": {"sms-spam": 1.0},
            "fit": recipe.fit.model_copy(update={"only_heads": False, "hold_start": 0.0, "passes": 3.0}),
        }
    )
    return fit(whole, workshop / "corpora", workshop / "heads-start", QUIET)


@pytest.fixture(scope="module")
def run(workshop: Path, recipe: Recipe, start: Path) -> Path:
    fit(recipe, workshop / "corpora", workshop / "heads", QUIET, start, [workshop / "decisions.jsonl"])
    return workshop / "heads"


def test_nothing_but_the_label_heads_changes(run: Path, start: Path) -> None:
    before, after = (load_model(folder)[0].state_dict() for folder in (start, run / "model"))
    other = {name for name in before if before[name].numpy().tobytes() != after[name].numpy().tobytes()}
    assert other == {"label_head.weight", "label_head.bias"}


def test_the_heads_learn(run: Path, start: Path, recipe: Recipe) -> None:
    def loss(folder: Path) -> float:
        model, tokenizer = load_model(folder)
        rows = [row for row in RunDirectory(run).data()["validation"] if row["labels"][0] is not None]
        batch = Encoder(tokenizer, recipe).batch(rows)
        with torch.inference_mode():
            logits = model(batch.input_ids, batch.attention_mask).logits[:, 0]
        return float(torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.labels[:, 0]))

    assert loss(run / "model") < 0.8 * loss(start)
    entries = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    pulls = [entry["rate"] for entry in entries if "rate" in entry]
    losses = [entry["labels"] for entry in entries if "rate" in entry]
    assert pulls == sorted(pulls, reverse=True)
    assert losses == sorted(losses, reverse=True), "the weaker the pull the nearer to the verdicts"


def test_states_are_what_the_head_reads(workshop: Path, recipe: Recipe, run: Path) -> None:
    model, tokenizer = load_model(run / "model")
    rows = rows_of(RunDirectory(run).data()["test"], range(40))
    read, length = head_inputs(model, Encoder(tokenizer, recipe), rows, QUIET)
    for at in (0, 17, 39):
        batch = Encoder(tokenizer, recipe).batch([rows[at]])
        with torch.inference_mode():
            whole = model(batch.input_ids, batch.attention_mask).logits[0]
            apart = model.label_logits(read[at : at + 1], length[at : at + 1])[0]
        assert torch.allclose(whole, apart, atol=1e-5)
        assert length[at] == read_length(batch.attention_mask)[0]


def test_it_is_the_same_again(
    workshop: Path, recipe: Recipe, start: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    again, fitted = tmp_path / "again", heads._fitted
    monkeypatch.setattr(heads, "_fitted", _stopped)
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, workshop / "corpora", again, QUIET, start, [workshop / "decisions.jsonl"])
    monkeypatch.setattr(heads, "_fitted", fitted)
    fit(recipe, workshop / "corpora", again, QUIET, start, [workshop / "decisions.jsonl"])
    one, other = (load_model(folder / "model")[0].state_dict() for folder in (run, again))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def _stopped(*_: object) -> float:
    raise KeyboardInterrupt


def test_new_heads_begin_at_nothing(workshop: Path, recipe: Recipe, tmp_path: Path) -> None:
    rows = [
        {"text": f"word {n}", "labels": [float(n % 2)], "spans": [], "spans_known": False, "source": "toy"}
        | {"slice": "", "weight": 1.0, "passes": 1.0}
        for n in range(8)
    ]
    encoder, tokenizer = load_base(recipe.base)
    one = recipe.model_copy(update={"labels": ("spam",)})
    model, data = CommentModel(encoder, one.labels), Dataset.from_list(rows)
    splits = DatasetDict({"train": data, "validation": data})
    heads.fit_heads(model, tokenizer, splits, one, tmp_path, QUIET, start={})
    seen = head_inputs(model, Encoder(tokenizer, one), rows, QUIET)
    with torch.no_grad():
        said = torch.sigmoid(model.label_logits(*seen)).flatten()
    assert float((said - torch.tensor([0.0, 1.0] * 4)).abs().mean()) <= 0.5


@pytest.fixture(scope="module")
def released(run: Path, workshop: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patched:
        # An encoder of 32 units that only learned spam: other labels depend on rounding.
        patched.setattr("belowline.training.export.export.SAME_DECISIONS", 0.8)
        patched.setattr("belowline.training.export.export.TOLERANCE_INT8", 0.05)
        yield export(run, workshop / "released", QUIET)


def test_it_is_exported_and_scores(released: Path) -> None:
    scorer = Scorer.load(released)
    spam, fine = scorer.score(
        [
            ScoreInput("Cheap road offer, click the link now, no 77."),
            ScoreInput("Good point about the vote, no 78."),
        ]
    )
    assert spam.probabilities["spam"] > 0.6 > 0.4 > fine.probabilities["spam"]


def test_a_site_without_corpora_keeps_what_it_cannot_measure(
    workshop: Path, recipe: Recipe, released: Path, tmp_path: Path
) -> None:
    alone = changed(recipe, replay={"optional": True})
    run = tmp_path / "run"
    fit(alone, tmp_path / "nowhere", run, QUIET, released, [workshop / "decisions.jsonl"])
    before, after = (read_config(folder) for folder in (released, export(run, tmp_path / "out", QUIET)))
    assert before.thresholds["spam"].hold is not None
    assert (after.calibration, after.thresholds) == (before.calibration, before.thresholds)
    assert (after.evidence, after.relevance) == (before.evidence, before.relevance)
