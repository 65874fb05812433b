"""One evaluation of a random model on invented rows: measurements, files and output."""

import json
import random
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from rich.console import Console

from belowline.training import cli
from belowline.training.errors import RunError
from belowline.training.measure.evaluate import evaluate
from tests.support.tiny_model import LABELS

KEYWORDS = ("one", "other")
WORDS = ("bridge", "women", "budget", "link", "refugees", "song", "vote", "road", "school", "match")


def split(rows: int, seed: int) -> Dataset:
    """Invented rows of three corpora with random labels; ``on_topic`` is unknown in all."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS, k=rng.choice((1, 6, 90)))) + f" {n}" for n in range(rows)]
    labels = [[float(rng.random() < 0.4) for _ in LABELS[:-1]] + [None] for _ in range(rows)]
    sources = [("isca", "c3", "jigsaw")[n % 3] for n in range(rows)]
    slices = [rng.choice(KEYWORDS) if source == "isca" else "" for source in sources]
    return Dataset.from_dict({"text": texts, "labels": labels, "source": sources, "slice": slices})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    data = DatasetDict({"train": split(60, 1), "validation": split(9, 2), "test": split(270, 3)})
    data.save_to_disk(str(folder / "data"))
    return folder


@pytest.fixture(scope="module")
def said(run: Path, tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Printed output of an evaluation."""
    console = Console(record=True, width=150, quiet=False, file=StringIO())
    evaluate(run, tiny_model_dir, tmp_path_factory.mktemp("none"), 60, console, card=False)
    return console.export_text()


@pytest.fixture(scope="module")
def metrics(run: Path, said: str) -> dict[str, Any]:
    """Content of the evaluation's ``metrics.json``."""
    content: dict[str, Any] = json.loads((run / "metrics.json").read_text("utf-8"))
    return content


def test_models_labels_and_corpora(metrics: dict[str, Any], said: str) -> None:
    assert set(metrics) == {"int8", "tfidf", "limit", "capped", "unmeasured"}
    for model in ("int8", "tfidf"):
        corpora = {part for part in metrics[model]["hate"] if part.startswith("corpus ")}
        assert corpora == {"corpus isca", "corpus c3", "corpus jigsaw"}
        assert metrics[model]["hate"]["all"]["examples"] == 180
    assert metrics["int8"]["on_topic"] == {}  # unknown in all rows
    assert "180 test rows of 3 corpora" in said
    assert "tfidf" in said


def test_the_hold_threshold_is_the_models_own(metrics: dict[str, Any]) -> None:
    assert metrics["int8"]["hate"]["all"]["f1"] != metrics["tfidf"]["hate"]["all"]["f1"]
    assert metrics["int8"]["hate"]["all"]["f1_low"] <= metrics["int8"]["hate"]["all"]["f1"]


def test_what_was_capped_and_what_was_not_measured(metrics: dict[str, Any], said: str) -> None:
    assert (metrics["limit"], metrics["capped"]) == (60, {"isca": 90, "c3": 90, "jigsaw": 90})
    assert "--detoxify" in metrics["unmeasured"]["detoxify"]
    assert "detoxify: not measured" in said


def test_every_kind_of_slice(metrics: dict[str, Any]) -> None:
    for model in ("int8", "tfidf"):
        hate = metrics[model]["hate"]
        assert {f"isca: {keyword}" for keyword in KEYWORDS} <= hate.keys()
        assert hate["comments news"] == hate["corpus c3"]
        lengths = [of for part, of in metrics[model]["spam"].items() if part.startswith("length ")]
        assert [len(lengths), sum(of["examples"] for of in lengths)] == [3, 180]


def test_groups_are_measured(metrics: dict[str, Any]) -> None:
    hate = metrics["int8"]["hate"]
    assert {part for part in hate if part.startswith("names ")} == {"names women", "names refugees"}
    assert 0 <= hate["names women"]["false_positive_rate"] <= 1
    assert hate["names women"]["bpsn_auc_low"] <= hate["names women"]["bpsn_auc"]
    assert hate["named groups"]["examples"] == hate["all"]["examples"]
    assert {"bias_gap", "false_positive_gap"} <= hate["named groups"].keys()


def test_detoxify_is_measured_with_a_checkpoint(
    run: Path, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Peer:
        """A substitute for a loaded checkpoint, which test_detoxify makes."""

        def __init__(self, source: str, console: Console) -> None:
            self.file = Path(source)

        def predict(self, texts: list[str]) -> dict[str, np.ndarray]:
            return {"hate": np.array([len(text) % 97 / 97 for text in texts])}

    (tmp_path / "some.ckpt").touch()
    monkeypatch.setattr("belowline.training.measure.detoxify.DetoxifyModel", Peer)
    before = (run / "metrics.json").read_bytes() if (run / "metrics.json").exists() else b""
    evaluate(
        run, tiny_model_dir, tmp_path, 60, Console(quiet=True), card=False, checkpoint=tmp_path / "some.ckpt"
    )
    found = json.loads((run / "metrics.json").read_text("utf-8"))
    (run / "metrics.json").write_bytes(before)
    assert found["unmeasured"] == {}
    assert set(found["detoxify"]) == {"hate"}
    assert found["detoxify"]["hate"]["all"]["examples"] == 180
    assert found["detoxify"]["hate"].keys() >= {"comments news", "named groups"}


def test_a_checkpoint_that_is_not_there_is_one_line(
    run: Path,
    tiny_model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["evaluate", "--run", run, "--model", tiny_model_dir, "--detoxify", tmp_path / "none.ckpt"]
    monkeypatch.setattr(sys, "argv", ["belowline-train", *map(str, command)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"belowline-train: detoxify:{tmp_path / 'none.ckpt'}:")


def test_a_run_without_data(tiny_model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no dataset"):
        evaluate(tmp_path, tiny_model_dir, tmp_path, 60, Console(quiet=True), card=False)
