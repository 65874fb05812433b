"""Test rows: selection, weights and clusters."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from rich.console import Console

from belowline.data import ReadError
from belowline.data.decisions import Decided, example_of
from belowline.data.example import Example, known
from belowline.model import DEFINITIONS, Scorer
from belowline.training.dataset.mix import split_of
from belowline.training.errors import ContenderError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.rows import (
    MEASURED_ONLY,
    corpus_examples,
    gather_rows,
    limited,
    predictions,
    rows_of,
    split_examples,
)
from tests.support.compare_world import write_run
from tests.support.decisions import ROW, write

LABELS = ("spam", "hate")
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("rows"))


@pytest.fixture
def data() -> Dataset:
    sources = ["a"] * 30 + ["b"] * 4
    labels = [[float(n % 2), None] for n in range(34)]
    texts = [f"no {n}" for n in range(34)]
    slices = [f"slice {n % 3}" for n in range(34)]
    return Dataset.from_dict({"text": texts, "labels": labels, "source": sources, "slice": slices})


def example(number: int, source: str = "a", key: str = "", weight: float = 1.0, slice_: str = "") -> Example:
    labels = known(spam=float(number % 2))
    return Example(
        f"no {number}", labels, source, str(number), key or str(number), slice=slice_, weight=weight
    )


def test_the_limit_is_per_corpus(data: Dataset) -> None:
    test = rows_of(split_examples(data, LABELS), LABELS, 5)
    assert Counter(test.sources.tolist()) == {"a": 5, "b": 4}
    assert test.targets.shape == (9, 2)
    assert np.isnan(test.target("hate")).all()
    for text, target, slice_ in zip(test.texts, test.target("spam"), test.slices, strict=True):
        number = int(text.split()[1])
        assert (target, slice_) == (number % 2, f"slice {number % 3}")


def test_the_choice_depends_on_the_seed_only(data: Dataset) -> None:
    examples = split_examples(data, LABELS)
    assert limited(examples, 5) == limited(examples, 5) != limited(examples, 5, seed=1)
    assert limited(examples, None) == examples
    drawn = limited(examples, 5)
    assert drawn == [one for one in examples if one in drawn]


def test_no_examples_are_no_rows() -> None:
    assert rows_of([], LABELS).targets.shape == (0, 2)


def test_absent_measuring_corpora_are_left_out(tmp_path: Path) -> None:
    assert corpus_examples(tmp_path, MEASURED_ONLY) == []


def test_predictions_are_the_scorers(tiny_scorer: Scorer) -> None:
    texts = [f"the link {n}" for n in range(300)]
    found = predictions(tiny_scorer, texts, QUIET, "tiny")
    assert tuple(found) == tiny_scorer.labels
    assert all(values.shape == (300,) for values in found.values())
    assert len(set(np.round(found["spam"], 6))) > 5


def test_a_run_gives_its_test_split(run: Path) -> None:
    for limit in (None, 5):
        rows = gather_rows(run, None, None, limit)
        expected = rows_of(
            split_examples(RunDirectory(run).data()["test"], RunDirectory(run).labels),
            RunDirectory(run).labels,
            limit,
        )
        assert rows.texts == expected.texts
        np.testing.assert_allclose(rows.targets, expected.targets, atol=1e-6)
        assert rows.sources.tolist() == expected.sources.tolist()
    by_id = {(row["source"], row["row"]): row["text"] for row in RunDirectory(run).data()["test"]}
    found = [by_id[key] for key in zip(rows.sources, rows.ids, strict=True)]
    assert found == rows.texts


def test_corpora_give_their_test_rows_and_none_twice(run: Path) -> None:
    corpora = run.parent / "corpora"
    rows = gather_rows(None, corpora, None, None)
    assert set(rows.sources) == {"youtube-spam", "civil-sample", "sms-spam"}
    assert rows.labels == tuple(DEFINITIONS)
    both = gather_rows(run, corpora, None, None)
    ids = list(zip(both.sources.tolist(), both.ids.tolist(), strict=True))
    assert len(set(ids)) == len(ids)
    assert set(zip(rows.sources.tolist(), rows.ids.tolist(), strict=True)) <= set(ids)


def test_of_decisions_only_test_rows_are_taken_with_their_weights(tmp_path: Path) -> None:
    given = [
        Decided.model_validate(
            ROW | {"row": f"s:{n}", "text": f"no {n}", "split_key": f"t{n // 4}", "weight": weigh}
        )
        for n, weigh in zip(range(400), [1.0, 3.0] * 200, strict=True)
    ]
    rows = gather_rows(None, None, write(tmp_path / "decisions.jsonl", *given), None)
    examples = [one for one in map(example_of, given) if split_of(one) == "test"]
    assert rows.texts == [one.text for one in examples]
    assert 0 < len(rows.texts) < 200
    assert set(np.round(rows.weights, 6)) == {0.5, 1.5}
    assert len(set(rows.clusters)) == len(rows.texts) / 4
    with pytest.raises(ReadError):
        gather_rows(None, None, tmp_path / "none.jsonl", None)


def test_without_rows_there_is_nothing_to_compare() -> None:
    with pytest.raises(ContenderError, match="no test rows"):
        gather_rows(None, None, None, None)


def test_weights_are_one_on_average_within_a_corpus() -> None:
    given = [example(n, "a", weight=1.0 if n < 3 else 5.0) for n in range(4)] + [
        example(n, "b") for n in range(3)
    ]
    rows = rows_of(given, LABELS, None)
    np.testing.assert_allclose(rows.weights, [0.5, 0.5, 0.5, 2.5, 1, 1, 1])


def test_a_thread_is_a_cluster_within_its_corpus() -> None:
    given = [example(1, "a", "x"), example(2, "a", "y"), example(3, "a", "x"), example(4, "b", "x")]
    first, second, third, fourth = rows_of(given, LABELS, None).clusters
    assert first == third
    assert len({first, second, fourth}) == 3
