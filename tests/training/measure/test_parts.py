"""Assignment of rows to slices."""

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from belowline.data.example import Example, known
from belowline.model import Scorer, Thresholds
from belowline.training.dataset.augment import GROUPS
from belowline.training.measure.evaluate import measured, show
from belowline.training.measure.parts import (
    ALL,
    SHORT,
    domains,
    lengths,
    named_groups,
    parts_of,
    words,
)
from belowline.training.measure.rows import TestRows, rows_of
from tests.support.rows import test_rows


def rows(texts: list[str], sources: list[str], slices: list[str] | None = None) -> TestRows:
    """Test rows of one label."""
    kinds = np.array(slices or [""] * len(texts))
    return test_rows(texts, np.zeros((len(texts), 1)), np.array(sources), kinds, ("hate",))


def test_every_text_is_in_one_band_of_length(tiny_scorer: Scorer) -> None:
    window = tiny_scorer.config.window.tokens
    counts = (1, SHORT - 2, SHORT - 1, window - 2, window - 1, 300)  # plus two special tokens each
    found = lengths(rows(["the " * count for count in counts], ["a"] * len(counts)), tiny_scorer)
    assert list(found) == [
        f"up to {SHORT} tokens",
        f"{SHORT + 1} to {window} tokens",
        f"over {window} tokens",
    ]
    bands = np.stack(list(found.values()))
    assert bands.sum(axis=0).tolist() == [1] * len(counts)
    assert bands.argmax(axis=0).tolist() == [0, 0, 1, 1, 2, 2]


def test_bands_of_words() -> None:
    found = words([" ".join(["word"] * count) for count in (1, 29, 30, 60, 61)])
    assert {name: mask.nonzero()[0].tolist() for name, mask in found.items()} == {
        "under 30": [0, 1],
        "30 to 60": [2, 3],
        "over 60": [4],
    }


def test_news_by_where_it_was_written() -> None:
    sources = ["c3", "civil-sample", "jigsaw", "own-labels", "on-topic", "toxic-spans"]
    slices = ["", "", "c3", "toxic-spans", "cat", ""]
    found = domains(rows(["a"] * 6, sources, slices))
    assert found["news"].tolist() == [True, True, False, True, False, True]
    assert (found["news"] ^ found["elsewhere"]).all()


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


# --- parts and their measurements ---

LABELS = ("spam", "hate")


def example(number: int, source: str = "a", slice_: str = "") -> Example:
    labels = known(spam=float(number % 2))
    return Example(f"no {number}", labels, source, str(number), str(number), slice=slice_)


def test_the_parts(tiny_scorer: Scorer) -> None:
    given = [example(n, "a", slice_="x" if n < 2 else "y") for n in range(4)]
    given += [example(n, "c3", slice_="one") for n in range(3)]
    given.append(Example("Women drive well. " * 40, known(hate=0.0), "b", "0", "0"))
    parts = parts_of(rows_of(given, LABELS), tiny_scorer)
    numbers = {name: np.flatnonzero(mask).tolist() for name, mask in parts.items()}
    assert numbers[ALL] == list(range(8))
    assert numbers["corpus a"] == [0, 1, 2, 3]
    assert (numbers["a: x"], numbers["a: y"]) == ([0, 1], [2, 3])
    assert "c3: one" not in numbers  # equal to the rows of the corpus
    assert numbers["comments news"] == [4, 5, 6]
    assert numbers["names women"] == numbers["length over 64 tokens"] == [7]
    assert not any("men" in name.split() for name in numbers)
    assert not [name for name in parts_of(rows_of(given, LABELS), None) if name.startswith("length")]


def test_parts_with_one_class_are_left_out_and_may_overlap() -> None:
    targets = np.array([[1, np.nan], [0, np.nan], [1, 0], [1, 0], [0, 0], [1, 1]], dtype=float)
    given = test_rows([f"no {n}" for n in range(6)], targets, list("aabbcc"), [""] * 6, ("spam", "threat"))
    probabilities = {
        "spam": np.array([0.9, 0.2, 0.8, 0.7, 0.4, 0.3]),
        "threat": np.array([0.1] * 5 + [0.9]),
    }
    parts = {"all": np.ones(6, dtype=bool), **{name: given.sources == name for name in "abc"}}
    parts["ends"] = np.isin(np.arange(6), (0, 5, 1))
    table = measured(given, probabilities, {"spam": Thresholds(hold=0.5)}, parts)
    assert set(table["spam"]) == {"all", "a", "c", "ends"}
    assert set(table["threat"]) == {"all", "c"}
    spam = table["spam"]
    assert (spam["all"].examples, spam["a"].examples, spam["ends"].positives) == (6, 2, 2)
    assert [spam[part]["auc"].value for part in ("all", "a", "c")] == [0.875, 1.0, 0.0]
    assert spam["a"]["f1"].value == 1.0
    assert np.isnan(table["threat"]["all"]["f1"].value)
    assert set(measured(given, {"threat": probabilities["threat"]}, {}, parts)) == {"threat"}
    console = Console(width=160, record=True, file=StringIO())
    show({"int8": table, "tfidf": {}}, console)
    text = console.export_text()
    assert "tfidf" in text
    assert "0.875" in text
