"""Obfuscation and swapped groups: deterministic, legible, and with correct labels."""

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.model.normalise import normalise
from belowline.training.dataset.augment import (
    GROUPS,
    WORD_DISGUISES,
    broken,
    disguised,
    doubled,
    dropped,
    homoglyphs,
    invisible,
    joined,
    leet,
    masked,
    random_tail,
    swap_group,
    swapped,
    upper,
)

WORDS = st.from_regex(r"[A-Za-z]{3,14}", fullmatch=True)
SEEDS = st.integers(0, 2**32)
NAMES = sorted({name for row in GROUPS for name in row})
JEWISH = {"jews", "jew", "jewish", "jewish people", "jewish person"}


@given(st.text(), SEEDS)
def test_the_same_seed_gives_the_same_text(text: str, seed: int) -> None:
    for change in (disguised, random_tail, joined, swap_group):
        assert change(text, random.Random(seed)) == change(text, random.Random(seed))


@given(WORDS, SEEDS)
def test_a_disguised_word_is_never_empty(word: str, seed: int) -> None:
    for disguise in WORD_DISGUISES:
        assert disguise(word, random.Random(seed)).strip()


@given(WORDS, SEEDS)
def test_the_first_letter_stays_where_a_reader_needs_it(word: str, seed: int) -> None:
    for disguise in (broken, invisible, doubled, dropped, masked):
        assert disguise(word, random.Random(seed))[0] == word[0]
    for disguise in (dropped, masked):
        assert disguise(word, random.Random(seed))[-1] == word[-1]


@given(WORDS, SEEDS)
def test_what_each_disguise_does(word: str, seed: int) -> None:
    def given_(disguise: object) -> str:
        return disguise(word, random.Random(seed))  # type: ignore[operator,no-any-return]

    marks = set(given_(broken)) - set(word)
    assert len(marks) <= 1
    assert "".join(c for c in given_(broken) if c not in marks) == word
    assert sorted(given_(swapped)) == sorted(word)
    assert len(given_(dropped)) == len(word) - 1
    assert len(given_(invisible)) == len(word) + 1
    assert normalise(given_(invisible)).text == normalise(word).text
    assert re.fullmatch(r"(.*?)\*{1,2}(.+)", given_(masked))
    assert len(given_(masked)) == len(given_(leet)) == len(given_(homoglyphs)) == len(word)
    assert len(given_(doubled)) in {len(word) + 1, len(word) + 2, len(word) + 4}
    assert given_(upper) == word.upper()


def test_leet_and_homoglyphs_change_only_letters_that_have_a_twin() -> None:
    rng = random.Random(0)
    assert leet("grumpy", rng) == "grumpy"
    assert {leet("idiot", rng) for _ in range(200)} >= {"1d10t", "idiot", "!diot"}
    assert normalise(homoglyphs("peace", random.Random(3))).text == "peace"
    assert homoglyphs("peace", random.Random(3)) != "peace"


@given(st.text(min_size=1), SEEDS)
def test_a_disguised_text_is_never_empty(text: str, seed: int) -> None:
    done = disguised(text, random.Random(seed))
    assert done or not text.strip()


def test_disguising_changes_most_texts_and_not_every_word() -> None:
    text = "the council wants another bridge across this little river before winter comes"
    done = [disguised(text, random.Random(seed)) for seed in range(300)]
    assert sum(one != text for one in done) > 200
    assert sum("council" in one for one in done) > 100


def test_a_tail_leaves_the_text_in_front() -> None:
    assert random_tail("A fine day", random.Random(1)).startswith("A fine day ")
    assert len({random_tail("A fine day", random.Random(seed)) for seed in range(50)}) == 50


def test_joining_loses_spaces_only() -> None:
    text = "one two three four five six seven eight nine ten"
    done = joined(text, random.Random(2))
    assert done.replace(" ", "") == text.replace(" ", "")
    assert done != text


# --- another group named ---


@given(st.sampled_from(NAMES), SEEDS)
def test_another_group_is_named_and_the_flag_is_right(name: str, seed: int) -> None:
    text, names_jews = swap_group(f"I met some {name} at the market", random.Random(seed))
    found = re.fullmatch(r"I met some (.+) at the market", text)
    assert found
    assert found.group(1) in NAMES
    assert found.group(1) not in {other for row in GROUPS if name in row for other in row}
    assert names_jews is (found.group(1) in JEWISH)


@given(st.sampled_from(GROUPS), st.integers(0, 2), SEEDS)
def test_number_and_part_of_speech_stay(row: tuple[str, str, str], form: int, seed: int) -> None:
    if row[1] == row[2]:
        form = 2 if form else 0  # one word for a person and the adjective
    text, _ = swap_group(row[form], random.Random(seed))
    assert text in {other[form] for other in GROUPS}


@given(st.sampled_from(NAMES), SEEDS)
def test_case_stays(name: str, seed: int) -> None:
    lower, title, capitals = (
        swap_group(form, random.Random(seed))[0] for form in (name, name[0].upper() + name[1:], name.upper())
    )
    assert lower == lower.lower()
    assert title == lower[0].upper() + lower[1:]
    assert capitals == lower.upper()


def test_every_mention_gets_the_same_other_group() -> None:
    for seed in range(60):
        text, _ = swap_group("Muslims pray. A Muslim holiday, say muslims.", random.Random(seed))
        first, second, third = re.fullmatch(r"(.+) pray\. A (.+) holiday, say (.+)\.", text).groups()  # type: ignore[union-attr]
        assert first.lower() == third
        assert {first.lower(), second.lower()} <= {
            name for row in GROUPS if first.lower() in row and second.lower() in row for name in row
        }


@given(st.lists(st.sampled_from(GROUPS), min_size=2, max_size=4, unique_by=lambda row: row[2]), SEEDS)
def test_a_text_with_two_groups_is_left(rows: list[tuple[str, str, str]], seed: int) -> None:
    text = " and ".join(row[0] for row in rows)
    assert swap_group(text, random.Random(seed)) == (text, None)


@pytest.mark.parametrize(
    "text", ["", "Nobody in particular.", "blackboard, womenfolk, Hinduism", "jewishness"]
)
def test_a_text_without_a_group_is_left(text: str) -> None:
    assert swap_group(text, random.Random(0)) == (text, None)


def test_jews_are_named_about_one_time_in_ten() -> None:
    rng = random.Random(11)
    named = [swap_group("immigrants came by ship", rng)[1] for _ in range(4000)]
    assert 0.08 < sum(map(bool, named)) / 4000 < 0.115


def test_the_flag_is_right_where_jews_were_named_before() -> None:
    rng = random.Random(12)
    for text in ("Jewish people", "jews", "a jew", "the JEWISH quarter", "Jews and Jewish people"):
        for _ in range(100):
            done, names_jews = swap_group(text, rng)
            assert names_jews is ("jew" in done.lower())
