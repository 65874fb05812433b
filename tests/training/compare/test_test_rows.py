"""Which rows are compared on, what they weigh, which belong together, and how they divide."""

from pathlib import Path

import numpy as np
import pytest

from belowline.data import ReadError
from belowline.data.decisions import Decided, example_of
from belowline.data.example import Example, known
from belowline.model import DEFINITIONS, Scorer
from belowline.training.compare.test_rows import ALL, gather_rows, parts_of_rows, rows_of
from belowline.training.dataset.mix import split_of
from belowline.training.errors import ContenderError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.test_set import rows_of_split
from tests.support.compare_world import write_run
from tests.support.decisions import ROW, write

LABELS = ("spam", "hate")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("rows"))


def example(number: int, source: str = "a", key: str = "", weight: float = 1.0, slice_: str = "") -> Example:
    labels = known(spam=float(number % 2))
    return Example(
        f"no {number}", labels, source, str(number), key or str(number), slice=slice_, weight=weight
    )


def test_a_run_gives_its_test_split_as_evaluate_draws_it(run: Path) -> None:
    for limit in (None, 5):
        rows = gather_rows(run, None, None, limit)
        expected = rows_of_split(RunDirectory(run).data()["test"], RunDirectory(run).labels, limit)
        assert rows.test.texts == expected.texts
        np.testing.assert_allclose(rows.test.targets, expected.targets, atol=1e-6)
        assert rows.test.sources.tolist() == expected.sources.tolist()
    by_id = {(row["source"], row["row"]): row["text"] for row in RunDirectory(run).data()["test"]}
    found = [by_id[key] for key in zip(rows.test.sources, rows.ids, strict=True)]
    assert found == rows.test.texts


def test_corpora_give_their_test_rows_and_none_twice(run: Path) -> None:
    corpora = run.parent / "corpora"
    rows = gather_rows(None, corpora, None, None)
    assert set(rows.test.sources) == {"youtube-spam", "civil-sample", "sms-spam"}
    assert rows.test.labels == tuple(DEFINITIONS)
    both = gather_rows(run, corpora, None, None)
    ids = list(zip(both.test.sources.tolist(), both.ids.tolist(), strict=True))
    assert len(set(ids)) == len(ids)
    assert set(zip(rows.test.sources.tolist(), rows.ids.tolist(), strict=True)) <= set(ids)


def test_of_decisions_only_test_rows_are_taken_with_their_weights(tmp_path: Path) -> None:
    given = [
        Decided.model_validate(
            ROW | {"row": f"s:{n}", "text": f"no {n}", "split_key": f"t{n // 4}", "weight": weigh}
        )
        for n, weigh in zip(range(400), [1.0, 3.0] * 200, strict=True)
    ]
    rows = gather_rows(None, None, write(tmp_path / "decisions.jsonl", *given), None)
    examples = [one for one in map(example_of, given) if split_of(one) == "test"]
    assert rows.test.texts == [one.text for one in examples]
    assert 0 < len(rows.test.texts) < 200
    assert set(np.round(rows.weights, 6)) == {0.5, 1.5}
    assert len(set(rows.clusters)) == len(rows.test.texts) / 4
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


def test_the_parts(tiny_scorer: Scorer) -> None:
    given = [example(n, "a", slice_="x" if n < 2 else "y") for n in range(4)]
    given += [example(n, "c3", slice_="one") for n in range(3)]
    given.append(Example("Women drive well. " * 40, known(hate=0.0), "b", "0", "0"))
    parts = parts_of_rows(rows_of(given, LABELS, None), tiny_scorer)
    numbers = {name: np.flatnonzero(mask).tolist() for name, mask in parts.items()}
    assert numbers[ALL] == list(range(8))
    assert numbers["corpus a"] == [0, 1, 2, 3]
    assert (numbers["a: x"], numbers["a: y"]) == ([0, 1], [2, 3])
    assert "c3: one" not in numbers  # the same rows as the corpus
    assert numbers["comments news"] == [4, 5, 6]
    assert numbers["names women"] == numbers["length over 64 tokens"] == [7]
    assert not any("men" in name.split() for name in numbers)
    assert not [
        name for name in parts_of_rows(rows_of(given, LABELS, None), None) if name.startswith("length")
    ]
