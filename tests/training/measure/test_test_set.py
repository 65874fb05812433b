"""Measuring: which rows, which tables, what is written."""

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
from belowline.training.files import to_plain
from belowline.training.measure.test_set import (
    TestSet,
    both_classes,
    divided,
    joined,
    limited,
    measuring_corpora,
    metrics_by_corpus,
    predictions,
    rows_of_examples,
    rows_of_split,
    select,
    show,
    write,
)

LABELS = ("spam", "threat")
NAN = float("nan")
QUIET = Console(quiet=True)


@pytest.fixture
def data() -> Dataset:
    sources = ["a"] * 30 + ["b"] * 4
    labels = [[float(n % 2), None] for n in range(34)]
    texts = [f"no {n}" for n in range(34)]
    slices = [f"slice {n % 3}" for n in range(34)]
    return Dataset.from_dict({"text": texts, "labels": labels, "source": sources, "slice": slices})


@pytest.fixture
def small() -> TestSet:
    targets = np.array([[1, NAN], [0, NAN], [1, 0], [1, 0], [0, 0], [1, 1]], dtype=float)
    sources = np.array(["a", "a", "b", "b", "c", "c"])
    return TestSet(
        [f"no {n}" for n in range(6)], targets, sources, np.array(["", "x", "x", "y", "", ""]), LABELS
    )


PROBABILITIES = {"spam": np.array([0.9, 0.2, 0.8, 0.7, 0.4, 0.3]), "threat": np.array([0.1] * 5 + [0.9])}


def test_the_limit_is_per_corpus(data: Dataset) -> None:
    test = rows_of_split(data, LABELS, 5)
    assert Counter(test.sources.tolist()) == {"a": 5, "b": 4}
    assert test.targets.shape == (9, 2)
    assert np.isnan(test.targets[:, 1]).all()
    for text, target, slice_ in zip(test.texts, test.targets, test.slices, strict=True):
        number = int(text.split()[1])
        assert (target[0], slice_) == (number % 2, f"slice {number % 3}")


def test_the_choice_depends_on_the_seed_only(data: Dataset) -> None:
    assert rows_of_split(data, LABELS, 5).texts == rows_of_split(data, LABELS, 5).texts
    assert rows_of_split(data, LABELS, 5).texts != rows_of_split(data, LABELS, 5, seed=1).texts
    assert len(rows_of_split(data, LABELS, None).texts) == 34


def test_examples_of_a_measuring_corpus() -> None:
    examples = [
        Example(f"no {n}", known(threat=1.0), "c", str(n), str(n), slice=f"kind {n}") for n in range(20)
    ]
    test = rows_of_examples(examples, LABELS, 6)
    assert len(set(test.texts)) == 6
    assert np.isnan(test.targets[:, 0]).all()
    assert (test.targets[:, 1] == 1).all()
    assert [f"no {kind.split()[1]}" for kind in test.slices] == test.texts
    assert len(rows_of_examples(examples, LABELS, None).texts) == 20
    assert rows_of_examples([], LABELS, 5).targets.shape == (0, 2)


def test_sets_are_joined_in_order(data: Dataset, small: TestSet) -> None:
    both = joined([small, rows_of_split(data, LABELS, 3)])
    assert both.texts[:6] == small.texts
    assert len(both.texts) == len(both.targets) == len(both.sources) == len(both.slices) == 12


def test_rows_are_taken_in_the_order_asked_for(small: TestSet) -> None:
    taken = select(small, np.array([3, 0]))
    assert (taken.texts, taken.sources.tolist(), taken.slices.tolist()) == (
        ["no 3", "no 0"],
        ["b", "a"],
        ["y", ""],
    )
    assert taken.targets[0].tolist() == [1, 0]


def test_a_limit_keeps_the_order_and_takes_of_every_corpus(small: TestSet) -> None:
    assert limited(small, None).texts == limited(small, 2).texts == small.texts
    one = limited(small, 1)
    assert one.sources.tolist() == ["a", "b", "c"]
    assert one.texts == sorted(one.texts)


def test_absent_measuring_corpora_are_left_out(tmp_path: Path) -> None:
    assert measuring_corpora(tmp_path, LABELS, 10) == []


def test_predictions_are_the_scorers(tiny_scorer: Scorer) -> None:
    texts = [f"the link {n}" for n in range(300)]
    found = predictions(tiny_scorer, texts, QUIET, "tiny")
    assert tuple(found) == tiny_scorer.labels
    assert all(values.shape == (300,) for values in found.values())
    assert len(set(np.round(found["spam"], 6))) > 5


def test_corpora_with_one_class_are_left_out(small: TestSet) -> None:
    table = metrics_by_corpus(small, PROBABILITIES, {"spam": 0.5})
    assert set(table["spam"]) == {"all", "a", "c"}
    assert set(table["threat"]) == {"all", "c"}
    assert (table["spam"]["all"].examples, table["spam"]["a"].examples) == (6, 2)
    assert table["threat"]["all"].examples == 4
    assert (table["spam"]["a"].auc, table["spam"]["c"].auc) == (1.0, 0.0)
    assert table["spam"]["a"].f1 == 1.0
    assert math.isnan(table["threat"]["all"].f1)


def test_parts_may_overlap_and_leave_rows_out(small: TestSet) -> None:
    parts = {
        "first": np.arange(6) < 3,
        "ends": np.isin(np.arange(6), (0, 5, 1)),
        "none": np.zeros(6, dtype=bool),
    }
    found = divided(small, PROBABILITIES, {"spam": 0.5}, parts)
    assert {name: (m.examples, m.positives) for name, m in found["spam"].items()} == {
        "first": (3, 2),
        "ends": (3, 2),
    }
    assert found["spam"]["ends"].auc == 1.0
    assert found["threat"] == {}


def test_both_classes_are_told_from_one() -> None:
    assert both_classes(np.array([0.2, NAN, 0.5]))
    assert not any(both_classes(np.array(one)) for one in ([0.5, 1.0, NAN], [0.0, 0.49], [NAN], []))


def test_a_label_without_probabilities_has_no_table(small: TestSet) -> None:
    assert set(metrics_by_corpus(small, {"threat": PROBABILITIES["threat"]}, {})) == {"threat"}


def test_tables_are_shown_side_by_side(small: TestSet) -> None:
    console = Console(width=160, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    show({"int8": metrics_by_corpus(small, PROBABILITIES, {"spam": 0.5}), "tfidf": {}}, console)
    text = console.export_text()
    assert "int8" in text
    assert "tfidf" in text
    assert "0.875" in text  # AUC of spam over all: 7 of 8 pairs
    assert " - " in text


def test_tables_are_written(small: TestSet, tmp_path: Path) -> None:
    tables = {"int8": metrics_by_corpus(small, PROBABILITIES, {})}
    facts = {"limit": 5, "slices": {"length": {"int8": tables["int8"]}}}
    write(tables, facts, tmp_path / "metrics.json")
    read = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert read["int8"]["spam"]["a"] == pytest.approx(to_plain(tables["int8"]["spam"]["a"]), nan_ok=True)
    assert read["slices"]["length"]["int8"] == read["int8"]
    assert read["limit"] == 5
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
        write({"int8": metrics_by_corpus(small, PROBABILITIES, {})}, {}, tmp_path / "metrics.json")
    assert (tmp_path / "metrics.json").read_text("utf-8") == "old"
