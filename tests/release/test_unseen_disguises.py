"""Spam in kinds of obfuscation that training never sees."""

import random
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from belowline.training.dataset.augment import disguised
from tests.conftest import ROOT
from tests.release.unseen_disguises import (
    DISGUISES,
    bracketed,
    fullwidth,
    mathematical,
    overlaid,
    regional,
    slashed,
    small_capitals,
    superscripts,
    unseen_spam,
    vowelless,
)

TEMPLATES = ROOT / "training" / "templates"
ONE_WAY = random.Random(0)


def test_the_same_seed_gives_the_same_texts() -> None:
    assert unseen_spam(40) == unseen_spam(40)
    assert unseen_spam(40) != unseen_spam(40, seed=1)


def test_the_kinds_take_turns() -> None:
    kinds = Counter(one.kind for one in unseen_spam(5 * len(DISGUISES)))
    assert set(kinds) == set(DISGUISES)
    assert set(kinds.values()) == {5}


def test_every_text_is_filled_and_nearly_every_one_disguised() -> None:
    spam = unseen_spam(360)
    for one in spam:
        assert not re.search(r"[{}|]", one.plain), one.plain
        assert len(one.plain) > 40
    assert sum(one.text == one.plain for one in spam) < 0.1 * len(spam)
    assert len({one.plain for one in spam}) > 340


@pytest.mark.parametrize(
    ("change", "disguise"),
    [
        (fullwidth, "ｌｏａｎ"),
        (small_capitals, "ʟᴏᴀɴ"),
        (superscripts, "ˡᵒᵃⁿ"),
        (regional, "🇱\u2009🇴\u2009🇦\u2009🇳"),
        (vowelless, "ln"),
    ],
)
def test_words(change, disguise: str) -> None:
    assert change("loan", ONE_WAY) == disguise


@pytest.mark.parametrize("seed", range(12))
def test_words_whose_disguise_is_drawn_keep_their_letters(seed: int) -> None:
    rng = random.Random(seed)
    assert re.fullmatch(r"l(.)o\1a\1n", slashed("loan", rng))
    assert re.fullmatch(r"(\W)l(\W)\1o\2\1a\2\1n\2", bracketed("loan", rng))
    assert re.fullmatch("l(.)o\\1a\\1n\\1", overlaid("loan", rng))
    drawn = mathematical("Loan", rng)
    assert len(drawn) == 4
    assert not drawn.isascii()


def test_digits_and_addresses() -> None:
    disguise = DISGUISES["address and digits"]
    for seed in range(20):
        text = disguise("Order 25 at fast-fund.example today", random.Random(seed))
        assert "2\ufe0f\u20e35\ufe0f\u20e3" in text
        assert "fast-fund.example" not in text


def test_spaces_go() -> None:
    assert DISGUISES["hashtags"]("two words", ONE_WAY) == "#two#words"
    assert " " not in DISGUISES["pictures for spaces"]("some words here", ONE_WAY)


def test_training_never_makes_these() -> None:
    trained = {disguised("A loan within minutes for everybody here", random.Random(n)) for n in range(2000)}
    letters = {letter for text in trained for letter in text}
    for change in (fullwidth, mathematical, small_capitals, superscripts, overlaid, regional):
        made = set(change("loan", random.Random(3)).replace("\u2009", "")) - set("loan")
        assert not made & letters, change.__name__


def test_training_does_not_import_them() -> None:
    modules = list((ROOT / "training").rglob("*.py"))
    assert modules
    assert not [path for path in modules if "unseen_disguises" in path.read_text("utf-8")]


def offers_of(file: Path, *keys: str) -> list[str]:
    content = tomllib.loads(file.read_text("utf-8"))
    return [offer for key in keys for offer in content[key]]


def test_the_offers_are_not_those_of_training() -> None:
    def runs(offers: list[str]) -> set[tuple[str, ...]]:
        words = [re.findall(r"[a-z]+", offer.lower()) for offer in offers]
        return {tuple(some[at : at + 4]) for some in words for at in range(len(some) - 3)}

    trained = runs(offers_of(TEMPLATES / "link_spam.toml", "money", "shops"))
    assert not trained & runs(offers_of(Path(__file__).with_name("unseen_spam.toml"), "offers"))
