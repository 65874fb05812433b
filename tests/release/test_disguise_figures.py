"""Obfuscated copies, and unseen kinds of obfuscation."""

from collections.abc import Sequence

import numpy as np
import pytest
from rich.console import Console

from belowline.model import Scorer
from belowline.training.measure.rows import TestRows
from tests.release import disguise_figures
from tests.release.disguise_figures import disguise_drop, unseen_recall
from tests.release.label_figures import Readings
from tests.release.unseen_disguises import DISGUISES, unseen_spam
from tests.support.rows import test_rows

QUIET = Console(quiet=True)
LABELS = ("spam", "hate")
FINE, BAD = "a quiet sentence about the weather number {}", "a rotten sentence about the weather number {}"


def answering(monkeypatch: pytest.MonkeyPatch, probability: float, word: str) -> list[str]:
    """Predictions that depend on one word: ``probability`` of every label with it, 0.3 without.

    Returns the texts that were scored.
    """
    asked: list[str] = []

    def predictions(
        scorer: Scorer, texts: Sequence[str], console: Console, what: str
    ) -> dict[str, np.ndarray]:
        asked.extend(texts)
        found = np.array([probability if word in text else 0.3 for text in texts])
        return dict.fromkeys((*LABELS, "personal_attack"), found)

    monkeypatch.setattr(disguise_figures, "predictions", predictions)
    return asked


@pytest.fixture
def readings() -> Readings:
    """900 rows of two corpora that know spam on both sides; clean texts are separated perfectly."""
    truth = np.array([[number % 2, np.nan] for number in range(900)], dtype=float)
    texts = [(BAD if number % 2 else FINE).format(number) for number in range(900)]
    sources = np.array(["a"] * 800 + ["b"] * 100)
    test = test_rows(texts, truth, sources, np.full(900, ""), LABELS)
    clean = truth[:, 0] * 0.9
    return Readings(_with(test), {**dict.fromkeys((*LABELS, "personal_attack"), clean)}, {}, {})


def _with(test: TestRows) -> TestRows:
    targets = np.column_stack([test.targets, np.full(len(test.texts), np.nan)])
    return test_rows(test.texts, targets, test.sources, test.slices, (*LABELS, "personal_attack"))


def test_a_model_fooled_by_disguise_drops(
    readings: Readings, monkeypatch: pytest.MonkeyPatch, tiny_scorer: Scorer
) -> None:
    asked = answering(monkeypatch, 0.9, "rotten")
    figure = disguise_drop(tiny_scorer, readings, QUIET)
    assert figure.n == len(asked) == 500
    assert 0.05 < figure.low < figure.value < figure.high < 0.5
    assert figure.note == f"spam; drop of the clean AUC: spam {figure.value:.3f} of 1.000"
    assert sum("rotten" in text for text in asked) > 100  # some words of a text are obfuscated, not all
    assert not set(asked) <= set(readings.test.texts)


def test_every_corpus_has_the_same_chance(
    readings: Readings, monkeypatch: pytest.MonkeyPatch, tiny_scorer: Scorer
) -> None:
    asked = answering(monkeypatch, 0.9, "rotten")
    disguise_drop(tiny_scorer, readings, QUIET)
    kept = [text for text in asked if text in set(readings.test.texts)]
    of_b = sum(readings.test.texts.index(text) >= 800 for text in kept)
    assert of_b / len(kept) > 0.15  # one row in nine is of b, and all of these are drawn


def test_the_disguises_are_the_same_every_time(
    readings: Readings, monkeypatch: pytest.MonkeyPatch, tiny_scorer: Scorer
) -> None:
    asked = answering(monkeypatch, 0.9, "rotten")
    first, again = (disguise_drop(tiny_scorer, readings, QUIET) for _ in range(2))
    assert repr(first) == repr(again)  # their NaN is not equal to itself
    assert asked[:500] == asked[500:]


def test_without_both_sides_nothing_is_measured(readings: Readings, tiny_scorer: Scorer) -> None:
    readings.test.targets[:, 0] = 1.0
    assert np.isnan(disguise_drop(tiny_scorer, readings, QUIET).value)


def test_recall_is_above_what_one_comment_in_a_hundred_exceeds(
    monkeypatch: pytest.MonkeyPatch, tiny_scorer: Scorer
) -> None:
    harmless = np.linspace(0, 0.8, 1001)
    answering(monkeypatch, 0.9, "#")
    figure = unseen_recall(tiny_scorer, harmless, QUIET)
    caught = sum("#" in one.text for one in unseen_spam(500)) / 500
    assert figure.value == pytest.approx(caught)
    assert 0 < figure.low < caught < figure.high < 0.2
    assert figure.n == 500
    assert "above 0.792, taken as given; undisguised 0.000" in figure.note
    assert "hashtags 1.00" in figure.note
    assert "bracketed 0.00" in figure.note
    assert figure.note.count(" 0.00") == len(DISGUISES) - 1 + 1  # and of the clean copy


def test_a_probability_at_the_threshold_is_not_above_it(
    monkeypatch: pytest.MonkeyPatch, tiny_scorer: Scorer
) -> None:
    answering(monkeypatch, 0.3, "#")
    assert unseen_recall(tiny_scorer, np.full(50, 0.3), QUIET).value == 0.0
