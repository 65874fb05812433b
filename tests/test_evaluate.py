"""Measuring: which rows, which tables, what is written, and the card that comes of it."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from rich.console import Console

from belowline.data.example import Example, known
from belowline.model import Scorer
from belowline.training.card import figure, render
from belowline.training.evaluate import (
    TestSet,
    joined,
    measuring_corpora,
    of_dataset,
    of_examples,
    predictions,
    show,
    table_of,
    write,
)

LABELS = ("spam", "threat")
NAN = float("nan")
QUIET = Console(quiet=True)


@pytest.fixture
def data() -> Dataset:
    sources = ["a"] * 30 + ["b"] * 4
    labels = [[float(n % 2), None] for n in range(34)]
    return Dataset.from_dict({"text": [f"no {n}" for n in range(34)], "labels": labels, "source": sources})


@pytest.fixture
def small() -> TestSet:
    targets = np.array([[1, NAN], [0, NAN], [1, 0], [1, 0], [0, 0], [1, 1]], dtype=float)
    return TestSet([f"no {n}" for n in range(6)], targets, np.array(["a", "a", "b", "b", "c", "c"]), LABELS)


PROBABILITIES = {"spam": np.array([0.9, 0.2, 0.8, 0.7, 0.4, 0.3]), "threat": np.array([0.1] * 5 + [0.9])}


def test_the_limit_is_per_corpus(data: Dataset) -> None:
    test = of_dataset(data, LABELS, 5)
    assert Counter(test.sources.tolist()) == {"a": 5, "b": 4}
    assert test.targets.shape == (9, 2)
    assert np.isnan(test.targets[:, 1]).all()
    for text, target in zip(test.texts, test.targets, strict=True):
        assert target[0] == int(text.split()[1]) % 2


def test_the_choice_depends_on_the_seed_only(data: Dataset) -> None:
    assert of_dataset(data, LABELS, 5).texts == of_dataset(data, LABELS, 5).texts
    assert of_dataset(data, LABELS, 5).texts != of_dataset(data, LABELS, 5, seed=1).texts
    assert len(of_dataset(data, LABELS, None).texts) == 34


def test_examples_of_a_measuring_corpus() -> None:
    examples = [Example(f"no {n}", known(threat=1.0), "c", str(n), str(n)) for n in range(20)]
    test = of_examples(examples, LABELS, 6)
    assert len(set(test.texts)) == 6
    assert np.isnan(test.targets[:, 0]).all()
    assert (test.targets[:, 1] == 1).all()
    assert len(of_examples(examples, LABELS, None).texts) == 20


def test_sets_are_joined_in_order(data: Dataset, small: TestSet) -> None:
    both = joined([small, of_dataset(data, LABELS, 3)])
    assert both.texts[:6] == small.texts
    assert len(both.texts) == len(both.targets) == len(both.sources) == 12


def test_absent_measuring_corpora_are_left_out(tmp_path: Path) -> None:
    assert measuring_corpora(tmp_path, LABELS, 10) == []


def test_predictions_are_the_scorers(tiny_scorer: Scorer) -> None:
    texts = [f"the link {n}" for n in range(300)]
    found = predictions(tiny_scorer, texts, QUIET, "tiny")
    assert tuple(found) == tiny_scorer.labels
    assert all(values.shape == (300,) for values in found.values())
    assert len(set(np.round(found["spam"], 6))) > 5


def test_corpora_with_one_class_are_left_out(small: TestSet) -> None:
    table = table_of(small, PROBABILITIES, {"spam": 0.5})
    assert set(table["spam"]) == {"all", "a", "c"}
    assert set(table["threat"]) == {"all", "c"}
    assert (table["spam"]["all"].examples, table["spam"]["a"].examples) == (6, 2)
    assert table["threat"]["all"].examples == 4
    assert (table["spam"]["a"].auc, table["spam"]["c"].auc) == (1.0, 0.0)
    assert table["spam"]["a"].f1 == 1.0
    assert math.isnan(table["threat"]["all"].f1)


def test_a_label_without_probabilities_has_no_table(small: TestSet) -> None:
    assert set(table_of(small, {"threat": PROBABILITIES["threat"]}, {})) == {"threat"}


def test_tables_are_shown_side_by_side(small: TestSet) -> None:
    console = Console(width=160, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    show({"int8": table_of(small, PROBABILITIES, {"spam": 0.5}), "tfidf": {}}, console)
    text = console.export_text()
    assert "int8" in text
    assert "tfidf" in text
    assert "0.875" in text  # AUC of spam over all: 7 of 8 pairs
    assert " - " in text


def test_tables_are_written(small: TestSet, tmp_path: Path) -> None:
    tables = {"int8": table_of(small, PROBABILITIES, {})}
    write(tables, tmp_path / "metrics.json")
    read = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert read["int8"]["spam"]["a"] == pytest.approx(tables["int8"]["spam"]["a"].as_dict(), nan_ok=True)
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]


def test_a_broken_write_leaves_the_old_file(
    small: TestSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "metrics.json").write_text("old", "utf-8")

    def half(self: Path, content: str, encoding: str) -> None:
        with self.open("w", encoding=encoding) as file:
            file.write(content[:20])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(OSError, match="no space left"):
        write({"int8": table_of(small, PROBABILITIES, {})}, tmp_path / "metrics.json")
    assert (tmp_path / "metrics.json").read_text("utf-8") == "old"


# --- the card ---


@pytest.fixture
def run(small: TestSet, tmp_path: Path) -> Path:
    recipe = {
        "name": "trial",
        "seed": 7,
        "hold_precision": 0.8,
        "mix": {"sms-spam": 1.5, "on-topic": 8.0},
        "generated": {"own-links": 12},
    }
    info = {
        "recipe": recipe,
        "versions": {"python": "3.11", "torch": "2", "transformers": "5"},
        "examples": {"train": 900, "validation": 80, "test": 70},
    }
    hold = {"threshold": 0.61, "precision": 0.82, "low": 0.7, "high": 0.9, "recall": 0.4, "held": 50}
    parity = {
        "texts": 40,
        "fp32_largest": 1e-6,
        "int8_mean": 0.003,
        "int8_largest": 0.02,
        "same_decisions": 1.0,
    }
    for name, content in (("run", info), ("thresholds", {"spam.hold": hold}), ("parity", parity)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content), "utf-8")
    write(
        {"int8": table_of(small, PROBABILITIES, {"spam": 0.5}), "fp32": {}, "tfidf": {}},
        tmp_path / "metrics.json",
    )
    return tmp_path


def line_of(card: str, beginning: str) -> str:
    return next(line for line in card.splitlines() if line.startswith(beginning))


def test_the_card_has_the_runs_figures(run: Path, tiny_model_dir: Path) -> None:
    card = render(run, tiny_model_dir)
    assert card.startswith("# belowline 0.0.1-tiny")
    assert "0.61 | 0.820 (0.700-0.900) | 0.400" in line_of(card, "| `spam` |")
    assert "900 examples for training, 80 for validation, 70 for test" in card
    assert "| sms-spam | 1.5 |" in card
    assert "12 examples from templates" in line_of(card, "| own-links (generated)")
    assert "equal decisions 100.0 %" in card
    assert "{{" not in card
    assert "nan" not in card.lower().split()


def test_the_card_has_dashes_for_what_could_not_be_measured(run: Path, tiny_model_dir: Path) -> None:
    card = render(run, tiny_model_dir)
    cells = [cell.strip() for cell in line_of(card, "| threat | all |").strip("|").split("|")]
    assert cells[:5] == ["threat", "all", "4", "1", "1.000 (1.000-1.000)"]
    assert cells[6] == "–"  # F1: the label has no hold threshold here
    assert cells[8:] == ["–", "–"]  # neither fp32 nor the baseline was measured
    assert "| – | – | – |" in line_of(card, "| `threat` |")


@pytest.mark.parametrize(("value", "shown"), [(0.12345, "0.123"), (1, "1.000"), (NAN, "–"), (None, "–")])
def test_figures(value: float | None, shown: str) -> None:
    assert figure(value) == shown
