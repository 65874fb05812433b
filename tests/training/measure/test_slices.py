"""Which rows belong to which slice."""

import numpy as np
import pytest

from belowline.model import Scorer
from belowline.training.dataset.augment import GROUPS
from belowline.training.measure.slices import (
    SHORT,
    domains,
    keywords,
    lengths,
    named_groups,
    obfuscated_copies,
)
from belowline.training.measure.test_set import TestSet


def rows(texts: list[str], sources: list[str], slices: list[str] | None = None) -> TestSet:
    """Test rows of one label."""
    kinds = np.array(slices or [""] * len(texts))
    return TestSet(texts, np.zeros((len(texts), 1)), np.array(sources), kinds, ("hate",))


def test_keywords_are_those_of_the_corpus_alone() -> None:
    test = rows(["a"] * 4, ["isca", "isca", "other", "isca"], ["x", "y", "x", "x"])
    found = keywords(test, "isca")
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "x": [True, False, False, True],
        "y": [False, True, False, False],
    }
    assert keywords(test, "absent") == {}


def test_every_text_is_in_one_band_of_length(tiny_scorer: Scorer) -> None:
    window = tiny_scorer.config.window.tokens
    counts = (1, SHORT - 2, SHORT - 1, window - 2, window - 1, 300)  # and two special tokens each
    found = lengths(rows(["the " * count for count in counts], ["a"] * len(counts)), tiny_scorer)
    assert list(found) == [
        f"up to {SHORT} tokens",
        f"{SHORT + 1} to {window} tokens",
        f"over {window} tokens",
    ]
    bands = np.stack(list(found.values()))
    assert bands.sum(axis=0).tolist() == [1] * len(counts)
    assert bands.argmax(axis=0).tolist() == [0, 0, 1, 1, 2, 2]


def test_news_by_where_it_was_written() -> None:
    sources = ["c3", "civil-sample", "jigsaw", "on-topic", "on-topic", "toxic-spans"]
    slices = ["", "", "c3", "toxic-spans", "cat", ""]
    found = domains(rows(["a"] * 6, sources, slices))
    assert found["news"].tolist() == [True, True, False, True, False, True]
    assert (found["news"] ^ found["elsewhere"]).all()


def test_disguised_copies_are_changed_and_the_same_every_time() -> None:
    texts = [f"comment number {n} about bridges and budgets of the town" for n in range(60)] + ["1", "2", "3"]
    test = rows(texts, ["a"] * 63)
    chosen, copies = obfuscated_copies(test, 50)
    assert 25 < len(chosen) == len(copies) <= 50
    assert all(copy != texts[row] for row, copy in zip(chosen, copies, strict=True))
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    again, same = obfuscated_copies(test, 50)
    assert (again.tolist(), same) == (chosen.tolist(), copies)
    assert obfuscated_copies(test, 50, seed=1)[1] != copies


def test_disguising_nothing_gives_nothing() -> None:
    chosen, copies = obfuscated_copies(rows(["1", "22"], ["a", "a"]), 10)
    assert (len(chosen), copies) == (0, [])


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("My neighbours are Jewish and their garden is lovely", {"jews"}),
        ("A BLACK PERSON and two whites opened the shop", {"black people", "white people"}),
        ("Women and refugees spoke at the meeting; a migrant sang", {"women", "refugees", "immigrants"}),
        ("Transgender pupils, homosexuals, latinas", {"trans people", "gay people", "latinos"}),
        ("Transport, womanly, arabesque, whitewash, gayest", set()),
        ("", set()),
    ],
)
def test_groups_are_found_by_their_neutral_names(text: str, groups: set[str]) -> None:
    assert {group for group, mask in named_groups([text]).items() if mask[0]} == groups


def test_every_form_of_augmentation_is_known() -> None:
    found = named_groups([form for row in GROUPS for form in row])
    assert np.stack(list(found.values())).any(axis=0).all()
    assert len(found) == len({row[2] for row in GROUPS})
    assert all(mask.shape == (0,) for mask in named_groups([]).values())
