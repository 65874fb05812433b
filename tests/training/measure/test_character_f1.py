"""Character F1 of evidence."""

import numpy as np
import pytest

from belowline.training.measure.character_f1 import character_f1, characters, predicted


def mask(text: str) -> np.ndarray:
    """``..xx`` as a mask."""
    return np.array([letter == "x" for letter in text])


@pytest.mark.parametrize(
    ("given", "marked", "f1"),
    [
        ("....", "....", 1.0),
        ("x...", "....", 0.0),
        ("....", "x...", 0.0),
        ("xx..", "xx..", 1.0),
        ("xx..", ".xx.", 0.5),
        ("xxxx", "x...", 0.4),
    ],
)
def test_character_f1(given: str, marked: str, f1: float) -> None:
    assert character_f1(mask(given), mask(marked)) == pytest.approx(f1)


def test_the_strongest_token_counts() -> None:
    found = characters({(0, 2): 0.4, (1, 4): 0.9, (6, 9): 0.2}, 7)
    assert found.tolist() == [0.4, 0.9, 0.9, 0.9, 0.0, 0.0, 0.2]


def test_a_space_between_two_words_is_as_strong_as_the_weaker() -> None:
    assert characters({(3, 5): 0.2, (0, 2): 0.9}, 6).tolist() == [0.9, 0.9, 0.2, 0.2, 0.2, 0.0]


def test_a_channel_is_read_from_its_own_floor() -> None:
    strengths = {"hate": np.array([0.9, 0.3, 0.1]), "threat": np.array([0.1, 0.1, 0.6])}
    assert predicted(strengths, {"hate": 0.5, "threat": 0.6}).tolist() == [True, False, True]
    assert predicted(strengths, {"hate": 0.3}).tolist() == [True, True, False]
