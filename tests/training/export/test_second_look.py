"""The second look: the narrowest bands that keep the gain, thresholds of the pair, and the directory they are in."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from belowline.data.example import Example, known
from belowline.model import HARMFUL, ModelError, Scorer, Thresholds
from belowline.training.dataset.mix import build
from belowline.training.export import second_look as module
from belowline.training.export.second_look import (
    auc_pairs,
    combined,
    fit_bands,
    mean_auc,
    read_again,
    second_look,
)
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.intervals import Floats
from belowline.training.measure.rows import TestRows, rows_of
from belowline.training.recipes.recipe import Recipe
from tests.support.tiny_model import build_tiny_model

QUIET = Console(quiet=True)
LABELS = ("spam", "hate", "on_topic")
HOLD = {"spam": Thresholds(hold=0.5), "hate": Thresholds(hold=0.5), "on_topic": Thresholds()}


def sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)))


@pytest.fixture
def rows() -> TestRows:
    rng = np.random.default_rng(0)
    truth = rng.random((3000, 2)) < 0.3
    return rows_of(
        [
            Example(f"t{n}", known(spam=float(a), hate=float(b), on_topic=0.0), "toy", str(n), str(n))
            for n, (a, b) in enumerate(truth)
        ],
        LABELS,
    )


def model(rows: TestRows, noise: Mapping[str, float]) -> dict[str, Floats]:
    """Return probabilities that know the truth but for some noise in log-odds."""
    rng = np.random.default_rng(2)
    return {
        label: sigmoid(4 * (rows.target(label) - 0.5) + rng.normal(0, noise.get(label, 1.0), len(rows.texts)))
        for label in LABELS
    }


def test_the_bands_keep_nine_tenths_of_the_gain_with_few_comments(rows: TestRows) -> None:
    one, other = model(rows, {"spam": 4.0, "hate": 4.0}), model(rows, {})
    bands = fit_bands(rows, one, other, HOLD)
    assert bands is not None
    assert bands.keys() == {"spam", "hate"}
    again = read_again(one, bands)
    before, after = mean_auc(auc_pairs(rows), one), mean_auc(auc_pairs(rows), other)
    kept = mean_auc(auc_pairs(rows), combined(one, other, again))
    assert before + 0.9 * (after - before) <= kept < after
    assert 0.2 < again.mean() < 0.95


def test_a_label_that_gains_nothing_has_the_narrower_band(rows: TestRows) -> None:
    one = model(rows, {"spam": 4.0})
    bands = fit_bands(rows, one, one | {"spam": model(rows, {})["spam"]}, HOLD)
    assert bands is not None
    spam, hate = (read_again(one, {label: bands[label]}).mean() for label in ("spam", "hate"))
    assert hate < 0.5 * spam


def test_a_second_model_that_is_no_better_has_no_bands(rows: TestRows) -> None:
    one = model(rows, {})
    assert fit_bands(rows, one, one, HOLD) is None
    assert fit_bands(rows, one, model(rows, {"spam": 4.0}), HOLD) is None


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a dataset of which the second model knows more than the first."""
    recipe = Recipe.model_validate(
        {"name": "trial", "base": "none", "mix": {"decisions": 1.0}, "hold_precision": 0.6}
    )
    examples = [
        Example(
            f"{split} text number {number} of {spam}",
            known(spam=float(spam), hate=float(spam)),
            "civil-sample",
            f"{split}{number}",
            f"{split}{number}",
            split=split,
            slice="natural rate" if number % 2 else "",
        )
        for split in ("train", "validation", "test")
        for number, spam in enumerate((0, 1) * 100)
    ]
    directory = RunDirectory(tmp_path / "run")
    directory.claim(recipe)
    build(recipe, tmp_path, examples).save_to_disk(str(tmp_path / "run" / "data"))
    return tmp_path / "run"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Two model directories; their probabilities come from the last word of a text, blurred for the first model."""

    def read(scorer: Scorer, texts: Sequence[str], *_: object) -> dict[str, Floats]:
        rng = np.random.default_rng(7)
        noise = 3.0 if scorer.version == "1.0" else 1.0
        truth = np.array([float(text[-1]) for text in texts])
        return {
            label: sigmoid(4 * (truth - 0.5) + rng.normal(0, noise, len(truth))) for label in scorer.labels
        }

    monkeypatch.setattr(module, "predictions", read)
    first, second = (tmp_path / name for name in ("first", "second"))
    return build_tiny_model(first, version="1.0"), build_tiny_model(second, version="2.0", seed=8)


@pytest.mark.slow
def test_the_directory_loads_with_the_second_model_and_holds_by_the_thresholds_of_both(
    run: Path, models: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    fitted = second_look(*models, run, out, tmp_path / "corpora", QUIET)
    pair = Scorer.load(out, second_look=models[1])
    assert pair.version == "1.0+2.0"
    assert pair.thresholds == fitted.thresholds
    own = Scorer.load(models[0]).thresholds
    assert fitted.bands.keys() == set(HARMFUL)
    assert fitted.thresholds["spam"].hold not in (None, own["spam"].hold)
    assert fitted.thresholds["threat"] == own["threat"], "no row knows it"
    figures = json.loads((run / "second-look.json").read_text("utf-8"))
    assert figures["auc_first"] < figures["auc_both"] <= figures["auc_second"]
    assert figures["shares"].keys() == {"validation", "civil-sample natural rate"}
    assert 0 < figures["shares"]["validation"] < 1


def test_a_fit_is_refused_for_a_second_model_that_is_no_better_or_has_other_labels(
    run: Path, models: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no better"):
        second_look(*reversed(models), run, tmp_path / "out", tmp_path, QUIET)  # type: ignore[misc]
    file = models[1] / "config.json"
    config = json.loads(file.read_text("utf-8"))
    config["labels"][0] = "advertising"
    for field in ("calibration", "thresholds"):
        config[field]["advertising"] = config[field].pop("spam")
    config["window"]["aggregate"]["advertising"] = config["window"]["aggregate"].pop("spam")
    config["harmful"] = config["labels"][:-1]
    config["evidence"] = {}
    file.write_text(json.dumps(config), "utf-8")
    with pytest.raises(ModelError, match="other labels"):
        second_look(*models, run, tmp_path / "out", tmp_path, QUIET)
    assert not (tmp_path / "out").exists()
