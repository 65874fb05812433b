"""Validation during a training, and its log."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from belowline.training.fit.training_log import TrainingLog
from belowline.training.fit.validation import early_stopping_score, means, validation_metrics, validation_rows
from belowline.training.recipes.recipe import Recipe

LABELS = ("spam", "hate")


def row(source: str, spam: float | None, slice_: str = "", weight: float = 1.0) -> dict[str, Any]:
    return {"text": source, "labels": [spam, None], "source": source, "slice": slice_, "weight": weight}


def test_rows_are_drawn_from_every_corpus_and_from_picked_and_random_decisions() -> None:
    given = [row("big", 1.0)] * 50 + [row("small", 0.0)] * 3
    given += [row("decisions:herald", 1.0, kind) for kind in ("random", "picked") * 8]
    recipe = Recipe.model_validate(
        {"name": "a", "base": "b", "mix": {"big": 1.0}, "fit": {"evaluate_rows": 5}}
    )
    rows = validation_rows(Dataset.from_list(given), recipe)
    sources = [(one["source"], one["slice"]) for one in rows]
    assert {name: sources.count(name) for name in set(sources)} == {
        ("big", ""): 5,
        ("small", ""): 3,
        ("decisions:herald", "random"): 5,
        ("decisions:herald", "picked"): 5,
    }
    assert rows == validation_rows(Dataset.from_list(given), recipe)


def test_every_corpus_has_the_same_say_and_every_row_its_weight() -> None:
    rows = [row("a", 1.0), row("a", 0.0), row("b", 1.0, weight=3.0), row("b", 1.0), row("b", None)]
    logits = np.array([[2.0, 0], [-2.0, 0], [0.0, 0], [9.0, 0], [4.0, 0]])
    found = validation_metrics(logits, rows, LABELS)
    a, b = np.log1p(np.exp(-2)), (3 * np.log(2) + np.log1p(np.exp(-9))) / 4
    assert found["spam"]["a"] == pytest.approx({"loss": a, "auc": 1.0})
    assert found["spam"]["b"] == pytest.approx({"loss": b})
    assert found["hate"] == {}
    assert means(found, "loss") == pytest.approx({"spam": (a + b) / 2})
    assert early_stopping_score(found, "loss") == pytest.approx((a + b) / 2)
    assert early_stopping_score(found, "auc") == pytest.approx(0.0)


def test_nothing_measured_is_never_better() -> None:
    assert early_stopping_score(
        validation_metrics(np.zeros((1, 2)), [row("a", None)], LABELS), "loss"
    ) == float("inf")


def test_the_journal_goes_on_where_the_checkpoint_was(tmp_path: Path) -> None:
    found = validation_metrics(np.zeros((1, 2)), [row("decisions:herald", 1.0, "random")], LABELS)
    first = TrainingLog(tmp_path, 0)
    for step in (0, 50, 100):
        first.losses(step, 0.1, {"labels": 1.0})
    first.validation(100, found)
    first.close()
    with (tmp_path / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 15')  # the process was killed while writing
    second = TrainingLog(tmp_path, 60)
    second.losses(100, 0.05, {"labels": 0.5})
    second.validation(100, found)
    second.close()
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [(entry["step"], entry.get("labels")) for entry in entries] == [
        (0, 1.0),
        (50, 1.0),
        (100, 0.5),
        (100, None),
    ]
    board = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [event.value for event in board.Scalars("loss/labels")] == [1.0, 1.0, 0.5]
    assert board.Scalars("decisions-loss/spam/decisions:herald random")[0].value == pytest.approx(np.log(2))
