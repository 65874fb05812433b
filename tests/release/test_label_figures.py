"""Figures of single labels on test splits."""

import math

import numpy as np
import pytest
from rich.console import Console

from belowline.model import Scorer
from tests.release.label_figures import (
    OnSplit,
    Readings,
    auc,
    auc_lost,
    calibration_figure,
    int8_loss,
    read,
    split_figure,
    weighted_calibration_error,
)
from tests.support.calibration import calibration_error
from tests.support.rows import test_rows

LABELS = ("spam", "hate")
NAN = float("nan")
ROWS = 400


@pytest.fixture
def readings() -> Readings:
    """Two corpora: ``a`` knows spam and hate, ``b`` only spam, of one side.

    Probabilities are right but for some noise.
    """
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, (ROWS, 2)).astype(float)
    sources = np.array(["a"] * 300 + ["b"] * 100)
    slices = np.array(["old 1", "new 2"] * (ROWS // 2))
    truth[300:, 0], truth[300:, 1] = 1.0, NAN
    noisy = np.nan_to_num(truth) * 0.5 + rng.random((ROWS, 2)) * 0.6
    int8 = {label: np.clip(noisy[:, i], 0, 1) for i, label in enumerate(LABELS)}
    exact = {label: np.nan_to_num(truth[:, i]) * 0.9 for i, label in enumerate(LABELS)}
    test = test_rows([f"no {n}" for n in range(ROWS)], truth, sources, slices, LABELS)
    return Readings(test, int8, exact, {"spam": 0.55, "hate": None})


def truth_of(readings: Readings, rows: np.ndarray) -> np.ndarray:
    return readings.target("spam")[rows] >= 0.5


def test_auc_with_its_fp32_twin(readings: Readings) -> None:
    figure = split_figure(readings, OnSplit("spam", "a", "AUC"))
    rows = readings.test.sources == "a"
    assert figure.value == pytest.approx(auc(truth_of(readings, rows), readings.int8["spam"][rows]))
    assert figure.low < figure.value < figure.high < 1
    assert (figure.n, figure.fp32) == (300, 1.0)
    assert figure.note == f"{truth_of(readings, rows).sum()} positive"


def test_a_slice_is_a_part(readings: Readings) -> None:
    assert split_figure(readings, OnSplit("spam", "a", "AUC", slice="new")).n == 150
    assert split_figure(readings, OnSplit("spam", "a", "AUC", slice="ne w")).n == 0


def test_accuracy_and_f1_are_at_the_hold_threshold(readings: Readings) -> None:
    accuracy, f1 = (split_figure(readings, OnSplit("spam", "a", name)) for name in ("accuracy", "F1"))
    rows = readings.test.sources == "a"
    truth, held = truth_of(readings, rows), readings.int8["spam"][rows] >= 0.55
    assert accuracy.value == pytest.approx(np.mean(truth == held))
    assert f1.value == pytest.approx(2 * (truth & held).sum() / (truth.sum() + held.sum()))
    for figure in (accuracy, f1):
        assert figure.low < figure.value < figure.high
        assert figure.note.startswith("at the hold threshold 0.55")
        assert math.isnan(figure.fp32)
    at_half = np.mean(truth == (readings.int8["spam"][rows] >= 0.5))
    assert accuracy.note.endswith(f"at 0.5: {at_half:.3f}")


@pytest.mark.parametrize(
    ("split", "note"),
    [
        (OnSplit("spam", "b", "AUC"), "the test rows of b do not hold both sides of spam"),
        (OnSplit("hate", "nowhere", "AUC"), "the test rows of nowhere do not hold both sides of hate"),
        (OnSplit("hate", "a", "F1"), "the model has no hold threshold for hate"),
    ],
)
def test_what_cannot_be_measured_says_why(readings: Readings, split: OnSplit, note: str) -> None:
    figure = split_figure(readings, split)
    assert (math.isnan(figure.value), figure.note) == (True, note)


def test_the_largest_loss_of_int8(readings: Readings) -> None:
    splits = [OnSplit("spam", "a", "AUC"), OnSplit("hate", "a", "AUC"), OnSplit("spam", "b", "AUC")]
    figure = int8_loss(readings, splits)
    rows = readings.test.sources == "a"
    losses = {
        label: auc_lost(
            readings.target(label)[rows] >= 0.5, readings.fp32[label][rows], readings.int8[label][rows]
        )
        for label in LABELS
    }
    assert figure.value == pytest.approx(max(losses.values()))
    assert 0 < figure.low <= figure.value <= figure.high
    assert figure.note == f"{max(losses, key=losses.__getitem__)} on a, the largest of 2"


def test_without_a_twin_there_is_no_loss(readings: Readings) -> None:
    alone = Readings(readings.test, readings.int8, {"spam": np.full(ROWS, NAN)}, readings.holds)
    figure = int8_loss(alone, [OnSplit("spam", "a", "AUC")])
    assert math.isnan(figure.value)
    assert "belowline-train export" in figure.note


def test_auc_of_one_class_is_not_measured() -> None:
    assert math.isnan(auc(np.array([True, True]), np.array([0.1, 0.2])))
    assert auc_lost(np.array([True, False]), np.array([0.9, 0.1]), np.array([0.1, 0.9])) == 1.0


# --- calibration ---


def test_equal_weights_give_the_plain_error() -> None:
    rng = np.random.default_rng(5)
    target, probability = rng.integers(0, 2, 200).astype(float), rng.random(200)
    even = weighted_calibration_error(target, probability, np.full(200, 3.0))
    assert even == pytest.approx(calibration_error(target, probability))


def test_a_weight_is_a_repetition() -> None:
    target, probability = np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.4, 0.2])
    weighted = weighted_calibration_error(target, probability, np.array([1.0, 3.0, 2.0]))
    repeated = [0, 1, 1, 1, 2, 2]
    assert weighted == pytest.approx(calibration_error(target[repeated], probability[repeated]))


def calibrated(sources: list[str], wrong: float) -> Readings:
    """Spam is as probable as predicted in corpus ``b``, and more probable by ``wrong`` in corpus ``a``."""
    rng = np.random.default_rng(6)
    names = np.array(sources)
    probability = rng.random(len(names)) * 0.8
    truth = (rng.random(len(names)) < probability + wrong * (names == "a")).astype(float)
    test = test_rows([""] * len(names), truth[:, None], names, np.full(len(names), ""), ("spam",))
    return Readings(test, {"spam": probability}, {}, {})


def test_every_corpus_counts_alike() -> None:
    figure = calibration_figure(calibrated(["a"] * 2000 + ["b"] * 18000, wrong=0.2))
    assert figure.value == pytest.approx(0.1, abs=0.015)  # half of 0.2, though a is a tenth of the rows
    assert figure.low < figure.value < figure.high
    assert figure.n == 20000


def test_the_error_by_chance_is_told() -> None:
    figure = calibration_figure(calibrated(["b"] * 300, wrong=0.0))
    chance = float(figure.note.rsplit("(", 1)[1].rstrip(")"))
    assert 0.03 < chance < 0.12
    assert figure.value == pytest.approx(chance, abs=0.05)
    assert figure.note.startswith("largest: spam;")


def test_what_calibration_was_not_fitted_on_is_left_out() -> None:
    others = calibrated(["b"] * 500 + ["generated-link-spam"] * 100 + ["c3"] * 100, wrong=0.0)
    assert calibration_figure(others).n == 500
    nothing = calibration_figure(calibrated(["c3"] * 50, wrong=0.0))
    assert math.isnan(nothing.value)
    assert nothing.note == "no test rows know both sides of a label"


def test_the_twin_reads_its_corpora_only(tiny_scorer: Scorer) -> None:
    texts = ["the link", "you you", "link link"]
    targets = np.zeros((3, len(tiny_scorer.labels)))
    test = test_rows(texts, targets, np.array(["a", "b", "a"]), np.full(3, ""), tiny_scorer.labels)
    quiet = Console(quiet=True)
    found = read(tiny_scorer, tiny_scorer, test, {"a"}, quiet)
    assert np.isnan(found.fp32["spam"]).tolist() == [False, True, False]
    assert found.fp32["spam"][2] == found.int8["spam"][2]
    assert found.holds["spam"] == 0.7
    alone = read(tiny_scorer, None, test, {"a"}, quiet)
    assert np.isnan(alone.fp32["hate"]).all()
    assert not np.isnan(alone.int8["hate"]).any()
