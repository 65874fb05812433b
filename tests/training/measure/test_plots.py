"""Charts of the card: valid XML, reproducible, small, and drawn from rows with known labels."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from belowline.training.measure.plots import PRECISION_RECALL, RELIABILITY, draw
from belowline.training.measure.rows import TestRows
from tests.support.rows import test_rows

LABELS = ("spam", "hate", "threat", "toxicity", "on_topic")
N = 3000
RNG = np.random.default_rng(3)
TARGETS = (RNG.random((N, len(LABELS))) < 0.2).astype(float)
THRESHOLDS = dict.fromkeys(LABELS[:-1], 0.4)


def given(weight: float) -> dict[str, np.ndarray]:
    """Return probabilities that mix the targets, by ``weight``, with noise."""
    noise = RNG.random((N, len(LABELS)))
    return {label: weight * TARGETS[:, i] + (1 - weight) * noise[:, i] for i, label in enumerate(LABELS)}


GIVEN = {"int8": given(0.5), "detoxify": {"toxicity": given(0.4)["toxicity"]}, "tfidf": given(0.2)}


@pytest.fixture(scope="module")
def rows() -> TestRows:
    nothing = np.full(N, "")
    return test_rows(["a"] * N, TARGETS, nothing, nothing, LABELS)


@pytest.fixture(scope="module")
def drawn(rows: TestRows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn")
    draw(rows, GIVEN, THRESHOLDS, folder)
    return folder


def words(path: Path) -> list[str]:
    """Return the texts in an SVG file."""
    root = ElementTree.parse(path).getroot()
    return [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", [RELIABILITY, PRECISION_RECALL])
def test_labels_models_and_threshold_are_named(drawn: Path, name: str) -> None:
    found = words(drawn / name)
    assert set(LABELS) | set(GIVEN) | {"hold threshold"} <= set(found)
    assert found.count("int8") == 1  # one legend


def test_axes_are_named(drawn: Path) -> None:
    assert {"probability given", "share of positives"} <= set(words(drawn / RELIABILITY))
    assert {"recall", "precision"} <= set(words(drawn / PRECISION_RECALL))


def test_both_are_small_and_nothing_else_is_left(drawn: Path) -> None:
    assert sorted(path.name for path in drawn.iterdir()) == [PRECISION_RECALL, RELIABILITY]
    assert sum(path.stat().st_size for path in drawn.iterdir()) < 150_000


def test_the_same_rows_give_the_same_files(drawn: Path, rows: TestRows, tmp_path: Path) -> None:
    draw(rows, GIVEN, THRESHOLDS, tmp_path)
    for name in (RELIABILITY, PRECISION_RECALL):
        assert (tmp_path / name).read_bytes() == (drawn / name).read_bytes()
        assert b"dc:date" not in (tmp_path / name).read_bytes()


def test_unknown_rows_play_no_part(drawn: Path, rows: TestRows, tmp_path: Path) -> None:
    more = test_rows(
        rows.texts * 2,
        np.concatenate((TARGETS, np.full_like(TARGETS, np.nan))),
        np.full(2 * N, ""),
        np.full(2 * N, ""),
        LABELS,
    )
    doubled = {
        model: {label: np.concatenate((values, 1 - values)) for label, values in by.items()}
        for model, by in GIVEN.items()
    }
    draw(more, doubled, THRESHOLDS, tmp_path)
    assert (tmp_path / RELIABILITY).read_bytes() == (drawn / RELIABILITY).read_bytes()
    assert (tmp_path / PRECISION_RECALL).read_bytes() == (drawn / PRECISION_RECALL).read_bytes()


def test_few_rows_and_one_label_can_be_drawn(tmp_path: Path) -> None:
    test = test_rows(["a"] * 4, np.array([[1.0], [0], [1], [0]]), np.full(4, ""), np.full(4, ""), ("spam",))
    draw(test, {"int8": {"spam": np.array([0.9, 0.1, 0.8, 0.2])}}, {"spam": None}, tmp_path)
    assert "hold threshold" not in words(tmp_path / PRECISION_RECALL)
    assert "spam" in words(tmp_path / RELIABILITY)


def test_labels_of_one_class_are_left_out(tmp_path: Path) -> None:
    nothing, targets = (
        np.full(4, ""),
        np.array([[1.0, 0, np.nan], [0, 0, np.nan], [1, 0, np.nan], [0, 0, np.nan]]),
    )
    given = {"int8": dict.fromkeys(("spam", "hate", "threat"), np.array([0.9, 0.1, 0.8, 0.2]))}
    test = test_rows(["a"] * 4, targets, nothing, nothing, ("spam", "hate", "threat"))
    draw(test, given, {}, tmp_path)
    assert {"spam", "hate", "threat"} & set(words(tmp_path / RELIABILITY)) == {"spam"}
    (tmp_path / "empty").mkdir()
    draw(test_rows(["a"] * 4, targets[:, 1:2], nothing, nothing, ("hate",)), given, {}, tmp_path / "empty")
    assert not list((tmp_path / "empty").iterdir())
