"""Scores on disk: computed once, saved at once, and read again after an interruption."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from belowline.training.measure.intervals import Floats
from belowline.training.score_cache import cached_scores

QUIET = Console(quiet=True)


class Model:
    """A model that returns the length of a text, NaN for the empty one, and fails from call ``fails_at`` on."""

    def __init__(self, fails_at: int = 1000) -> None:
        self.asked: list[list[str]] = []
        self.fails_at = fails_at

    def predict(self, texts: Sequence[str]) -> dict[str, Floats]:
        if len(self.asked) >= self.fails_at:
            raise ConnectionError
        self.asked.append(list(texts))
        lengths = np.array([len(text) / 10 or np.nan for text in texts])
        return {"spam": lengths, "threat": 1 - lengths}


def scores(model: Model, texts: Sequence[str], file: Path) -> dict[str, Floats]:
    return cached_scores(model.predict, texts, file, 2, QUIET, "model")


def test_texts_are_asked_once(tmp_path: Path) -> None:
    model, file = Model(), tmp_path / "new" / "scores.jsonl"
    found = scores(model, ["a", "bb", "a", "", "bb"], file)
    assert model.asked == [["a", "bb"], [""]]
    np.testing.assert_array_equal(found["spam"], [0.1, 0.2, 0.1, np.nan, 0.2])
    np.testing.assert_array_equal(found["threat"], [0.9, 0.8, 0.9, np.nan, 0.8])
    again = scores(model, ["", "ccc", "bb"], file)
    assert model.asked[2:] == [["ccc"]]
    np.testing.assert_array_equal(again["spam"], [np.nan, 0.3, 0.2])
    assert list(again) == ["spam", "threat"]


def test_no_text_stands_in_the_file(tmp_path: Path) -> None:
    scores(Model(), ["mild words \ud800"], tmp_path / "s")
    assert b"mild" not in (tmp_path / "s").read_bytes()


def test_what_was_scored_before_an_interruption_is_kept(tmp_path: Path) -> None:
    texts = ["a", "bb", "ccc", "dddd", "e" * 5]
    with pytest.raises(ConnectionError):
        scores(Model(fails_at=2), texts, tmp_path / "s")
    model = Model()
    found = scores(model, texts, tmp_path / "s")
    assert model.asked == [["e" * 5]]
    np.testing.assert_allclose(found["spam"], [0.1, 0.2, 0.3, 0.4, 0.5])
