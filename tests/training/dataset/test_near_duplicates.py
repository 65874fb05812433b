"""Copies among many texts."""

import random

import pytest

from belowline.training.dataset.near_duplicates import near_duplicates

OFFER = "Hello friends, I earn two hundred a week from home, ask me how on my page today"
MOVED = "Hello friends, I earn three hundred a week from home, ask me how on my page today"
OTHER = "The committee voted for the longer route along the old canal, said a clerk on Tuesday"


def pairs(texts: list[str], similar: float = 0.7) -> tuple[set[tuple[int, ...]], set[tuple[int, ...]]]:
    same, near = near_duplicates(texts, similar)
    return {tuple(pair) for pair in same.tolist()}, {tuple(pair) for pair in near.tolist()}


def test_equal_and_similar_texts_are_told_apart() -> None:
    assert pairs([OFFER, OTHER, MOVED, OFFER.upper() + "!!"]) == ({(0, 3)}, {(0, 2), (2, 3)})


def test_a_higher_bar_lets_fewer_through() -> None:
    assert pairs([OFFER, MOVED], 0.99) == (set(), set())


@pytest.mark.parametrize("texts", [[], ["one"], ["", "word"], ["thank you", "thank them"]])
def test_few_words_are_no_near_copies(texts: list[str]) -> None:
    assert pairs(texts, 0.0) == (set(), set())


def test_short_texts_may_still_be_equal() -> None:
    assert pairs(["First!", "first"]) == ({(0, 1)}, set())


def test_a_campaign_among_strangers_is_found_whole() -> None:
    rng = random.Random(1)
    words = [
        f"{a}{b}" for a in ("ba", "ko", "ri", "su", "te", "mo") for b in ("lan", "mer", "tos", "vik", "dun")
    ]
    strangers = [" ".join(rng.sample(words, 12)) for _ in range(300)]
    campaign = [f"{OFFER} {name}" for name in ("Anna", "Bert", "Carl", "Dora", "Emil")]
    _, near = pairs([*strangers, *campaign])
    assert near == {(300 + a, 300 + b) for a in range(5) for b in range(a + 1, 5)}
