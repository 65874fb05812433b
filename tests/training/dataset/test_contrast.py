"""Contrast pairs: labels follow the frame, frames of test are never used in training, material is used unchanged."""

import random
import re
from collections import Counter, defaultdict
from itertools import islice
from typing import Any

import pytest

from belowline.data.example import HARMLESS, Example, Span, known
from belowline.training.dataset.contrast import _PAIRS, _TEMPLATES, SOURCE, Material, contrast, material

HATEFUL = "Martians ruin every picnic"  # replaces material of corpora
FINE = "The picnic was moved to Sunday"


def quote(text: str, **labels: float) -> Example:
    return Example(text, known(**labels), "toy", text, text)


@pytest.fixture
def given_() -> Material:
    quotes = [
        quote(HATEFUL, hate=1.0, antisemitism=0.0, toxicity=1.0, on_topic=0.5),
        quote("Muslims ruin picnics", hate=1.0, antisemitism=0.0),
        quote(FINE, hate=0.0, personal_attack=0.0),
    ]
    return Material(quotes, ["muslims ruin picnics"], ["muppet"])


def by_kind(given_: Material, count: int = 2000, seed: int = 1) -> dict[str, list[Example]]:
    kinds = defaultdict(list)
    for example in contrast(count, given_, "train", random.Random(seed)):
        kinds[example.slice].append(example)
    return kinds


def test_count_source_split_and_kinds(given_: Material) -> None:
    made = list(contrast(1000, given_, "train", random.Random(1)))
    assert len(made) == 1000
    assert len({example.row for example in made}) == 1000
    assert {(example.source, example.split) for example in made} == {(SOURCE, "train")}
    assert len(Counter(example.slice for example in made)) == 12 + 2 * len(_PAIRS)


def test_the_same_state_gives_the_same_examples(given_: Material) -> None:
    first, again, other = (
        [e.text for e in contrast(200, given_, "train", random.Random(seed))] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_a_quote_keeps_its_labels_in_agreement_and_loses_them_in_objection(given_: Material) -> None:
    kinds = by_kind(given_)
    for example in kinds["quoted to agree"]:
        harmful = FINE not in example.text
        assert example.labels["hate"] == float(harmful)
        assert "on_topic" not in example.labels
    objections = kinds["quoted to object"]
    assert len(objections) == len(kinds["quoted to agree"])
    assert any(HATEFUL in example.text for example in objections)
    assert all(example.labels == {**HARMLESS, "spam": 0.0} for example in objections)


def test_harmless_texts_stand_in_both_frames(given_: Material) -> None:
    kinds = by_kind(given_)
    for kind in ("quoted to agree", "quoted to object"):
        share = sum(FINE in example.text for example in kinds[kind]) / len(kinds[kind])
        assert 0.2 < share < 0.5


def test_a_swapped_group_decides_on_antisemitism(given_: Material) -> None:
    kinds = by_kind(given_, 4000)
    for kind in ("quoted to agree", "statement affirmed"):
        of_jews = [e for e in kinds[kind] if "jew" in e.text.lower()]
        others = [e for e in kinds[kind] if "jew" not in e.text.lower() and e.labels["hate"]]
        assert of_jews
        assert {e.labels["antisemitism"] for e in of_jews} == {1.0}
        assert {e.labels["antisemitism"] for e in others} == {0.0}


def test_denial_and_insults_of_nobody_are_harmless(given_: Material) -> None:
    kinds = by_kind(given_)
    assert all(not e.labels["hate"] for e in kinds["statement denied"])
    assert {e.labels["personal_attack"] for e in kinds["insult of nobody"]} == {0.0}
    assert {e.labels["personal_attack"] for e in kinds["insult"]} == {1.0}
    words = ("muppet", *_TEMPLATES["insulting"])
    for kind in ("insult", "insult of nobody"):
        assert all(any(word in e.text.lower() for word in words) for e in kinds[kind])
        assert sum("muppet" in e.text.lower() for e in kinds[kind]) > 20


def test_a_threat_is_told_from_the_words_of_one(given_: Material) -> None:
    kinds = by_kind(given_)
    assert len(kinds["threat"]) == len(kinds["no threat"]) > 30
    assert {(e.labels["threat"], e.labels["toxicity"], e.labels["hate"]) for e in kinds["threat"]} == {
        (1, 1, 0)
    }
    assert all(not any(example.labels.values()) for example in kinds["no threat"])


@pytest.mark.parametrize("pair", _PAIRS, ids=lambda pair: pair["kind"])
def test_a_pair_differs_in_its_labels_and_shares_words(given_: Material, pair: dict[str, Any]) -> None:
    kinds = by_kind(given_, 4000)
    harmful, harmless = kinds[pair["kind"]], kinds[f"no {pair['kind']}"]
    assert len(harmful) == len(harmless) > 40
    assert all(pair["labels"].items() <= example.labels.items() for example in harmful)
    assert all(not any(example.labels.values()) for example in harmless)
    if pair["kind"] == "sent back":
        assert all(e.labels["antisemitism"] == ("jew" in e.text.lower()) for e in harmful)
    words = [{word for e in part for word in e.text.lower().split()} for part in (harmful, harmless)]
    assert len(words[0] & words[1]) > 0.2 * len(words[0])
    assert min(len(pair["harmful"]), len(pair["harmless"])) >= 6


@pytest.mark.parametrize("kind", ["group named", "jews named", "things named"])
def test_naming_harms_nobody(given_: Material, kind: str) -> None:
    examples = by_kind(given_)[kind]
    assert len(examples) > 50
    assert {value for example in examples for value in example.labels.values()} == {0.0}


def test_every_slot_and_choice_is_filled_and_articles_fit(given_: Material) -> None:
    for example in contrast(3000, given_, "train", random.Random(3)):
        assert not set("{}|\0") & set(example.text)
        assert "  " not in example.text
        assert " a old" not in example.text
        assert " a Asian" not in example.text


def test_frames_of_test_are_not_shown_in_training(given_: Material) -> None:
    texts = {
        split: {e.text for e in contrast(3000, given_, split, random.Random(5))}
        for split in ("train", "test")
    }
    assert not texts["train"] & texts["test"]


def test_frames_are_enough_and_have_their_slot() -> None:
    slots = {
        "agree": "{x}",
        "object": "{x}",
        "deny": "{s}",
        "affirm": "{s}",
    }
    for name, slot in slots.items():
        assert len(_TEMPLATES[name]) >= 6
        assert all(slot in frame for frame in _TEMPLATES[name])
    for name in ("insult", "no_insult"):
        assert all("{n}" in frame or "{j}" in frame for frame in _TEMPLATES[name])


def test_argument_about_wars_is_harmless_whoever_acts(given_: Material) -> None:
    argued = by_kind(given_, count=20_000)["war argued"]
    acts: dict[str, set[str]] = {}
    for actor, adjective, other, people in _TEMPLATES["conflicts"]:
        found = [e for e in argued if actor.lower() in e.text.lower()]
        assert all(value == 0.0 for example in found for value in example.labels.values())
        acts[actor] = {
            re.sub("|".join(map(re.escape, (actor, adjective, other, people))), "_", e.text) for e in found
        }
    once = {actor: {text for text in texts if text.count(".") == 1} for actor, texts in acts.items()}
    assert once["Hamas"] & once["Israel"], "the same is said of both sides"


def test_a_word_or_a_picture_is_harmless_and_has_no_substance(given_: Material) -> None:
    short = by_kind(given_)["short"]
    assert max(len(example.text.split()) for example in short) <= 8
    assert any(not any(letter.isalnum() for letter in example.text) for example in short)
    assert {example.labels["on_topic"] for example in short} == {0.0}


def test_material_is_short_known_and_of_one_split() -> None:
    statements = {
        "the post": "Muslims ruin picnics.",
        "a post of test": "Jews ruin picnics",
        "third": "Parties lie",
    }
    examples = [
        Example("the post", known(hate=1.0), "implicit-hate", "1", "1"),
        Example("third", known(hate=1.0), "implicit-hate", "2", "2"),
        quote("long " * 60, hate=1.0),
        quote('He said "picnics are fine" again', hate=0.0),
        quote("Nobody knows what this is", spam=0.0),
        quote("Half of them found this hateful", hate=0.5),
        quote(HATEFUL, hate=1.0),
    ]
    found = material(examples, statements)
    assert [example.text for example in found.quotes] == [HATEFUL]
    assert found.statements == ["Muslims ruin picnics"]


def test_insults_are_nouns_that_were_marked_often() -> None:
    def marked(text: str, word: str, strength: float = 1.0) -> Example:
        start = text.index(word)
        spans = (Span("personal_attack", start, start + len(word), strength),)
        return Example(text, known(personal_attack=1.0), "toy", text, text, spans=spans)

    examples = [marked("You are a muppet.", "muppet")] * 4
    examples += [marked("What a daft thing", "daft")] * 4 + [marked("Such a donkey!", "donkey")] * 3
    examples += [marked("He is a noodle.", "noodle", 0.3)] * 4
    assert material(examples, {}).insults == ["muppet"]


def test_without_material_only_what_needs_none_is_made() -> None:
    made = list(islice(contrast(500, Material([], [], []), "train", random.Random(1)), 500))
    assert {example.slice for example in made} == {
        *(prefix + pair["kind"] for pair in _PAIRS for prefix in ("", "no ")),
        "group named",
        "jews named",
        "things named",
        "war argued",
        "other language",
        "short",
    }
