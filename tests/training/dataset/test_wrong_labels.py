"""Likely wrong labels."""

import numpy as np
import pytest

from belowline.data.example import Example, known
from belowline.training.dataset.wrong_labels import wrong_labels
from tests.support.tiny_training import FINE, SPAM, sentences


def examples(count: int, source: str = "toy") -> tuple[list[Example], np.ndarray]:
    """Examples that are spam and fine in turn, correctly labelled."""
    texts = sentences((SPAM, FINE), count)
    made = [Example(text, known(spam=0.0), source, str(n), str(n)) for n, text in enumerate(texts)]
    return made, np.array([1.0, 0.0] * (count // 2))


def test_flipped_verdicts_are_found_and_few_others() -> None:
    given, target = examples(400)
    flipped = {10, 11, 200, 301}
    target[list(flipped)] = 1 - target[list(flipped)]
    found = wrong_labels(given, target, seed=0)
    assert len(flipped & set(found)) >= 3, "it is careful rather than complete"
    assert len(set(found) - flipped) <= 2
    assert found == wrong_labels(given, target, seed=0)


@pytest.mark.parametrize("value", [0.5, 0.3, np.nan])
def test_what_is_no_clear_verdict_cannot_be_wrong(value: float) -> None:
    given, target = examples(200)
    target[[10, 11]] = value
    assert not {10, 11} & set(wrong_labels(given, target, seed=0))


def test_too_few_of_one_side_say_nothing() -> None:
    given, target = examples(200)
    target[target == 1.0] = np.nan
    target[:10] = [0.0, 1.0] * 5
    assert wrong_labels(given, target, seed=0) == []
