"""Mixing: splits that never change, no text in two splits, columns as required by the recipe."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.data.corpora import CORPORA, CorpusError
from belowline.data.example import Example, Span, Split, known
from belowline.training.dataset import mix
from belowline.training.dataset.mix import (
    available,
    build,
    divide,
    fingerprint,
    gather,
    generated,
    passes,
    replayed,
    split_of,
    weights,
)
from belowline.training.recipes.recipe import Recipe
from tests.support.tiny_training import write_corpora

PINNED: dict[str, Split] = {
    "thread-0": "train",
    "thread-1": "train",
    "thread-6": "test",
    "thread-14": "test",
    "thread-21": "validation",
    "thread-23": "validation",
}
NONE: dict[Split, list[Example]] = {"train": [], "validation": [], "test": []}
MIX = {"youtube-spam": 1.0, "civil-sample": 1.5, "sms-spam": 1.0}


def recipe(**changes: object) -> Recipe:
    return Recipe.model_validate({"name": "trial", "base": "none", "mix": MIX} | changes)


def example(
    text: str, key: str = "k", split: Split | None = None, source: str = "toy", **labels: float
) -> Example:
    return Example(text, known(**(labels or {"spam": 0.0})), source, key, key, split=split)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("mix") / "corpora")


def test_a_split_never_changes() -> None:
    # Fixed values: another hash would move examples into test that released weights have seen.
    drawn = [split_of(example("a", f"thread-{n}")) for n in range(12)]
    again = [split_of(example("b", f"thread-{n}", source="other")) for n in range(12)]
    assert drawn == again
    assert {key: split_of(example("a", key)) for key in PINNED} == PINNED


def test_splits_have_about_the_promised_shares() -> None:
    counts = Counter(split_of(example("a", f"key {n}")) for n in range(20_000))
    assert counts["validation"] / 20_000 == pytest.approx(0.07, abs=0.008)
    assert counts["test"] / 20_000 == pytest.approx(0.13, abs=0.01)


@given(st.text(), st.sampled_from(("train", "validation", "test", None)))
def test_the_split_of_the_corpus_wins_and_a_key_never_divides(key: str, split: Split | None) -> None:
    if split is not None:
        assert split_of(example("a", key, split)) == split
    else:
        assert split_of(example("a", key)) == split_of(example("another", key))


def test_case_and_punctuation_do_not_make_another_text() -> None:
    assert fingerprint("A fine day!") == fingerprint("a FINE day") == fingerprint("«A fine—day»")
    assert fingerprint("A fine day") != fingerprint("A fine way")


def test_texts_that_differ_in_emoji_or_symbols_alone_stay_distinct() -> None:
    texts = ["so nice 😀", "so nice 😡", "so nice", "😀", "😡", "!!!", "???", "", "Ω"]
    assert len({fingerprint(text) for text in texts}) == len(texts)
    assert fingerprint("\ud800 lone") == fingerprint("lone")


def test_no_text_stands_in_two_splits() -> None:
    splits = divide(
        [
            example("Fine day, all!", "1", "train", "a"),
            example("fine DAY all", "2", "test", "b"),
            example("Rain again", "3", "validation", "a"),
            example("rain... AGAIN?", "4", "train", "b"),
            example("Snow", "5", "validation", "a"),
            example("SNOW!", "6", "test", "b"),
            example("Only here", "7", "train", "a"),
            example("only here.", "8", "train", "b"),
        ]
    )
    assert [e.row for e in splits["train"]] == ["7"]
    assert [e.row for e in splits["validation"]] == ["3"]
    assert [e.row for e in splits["test"]] == ["2", "6"]


SPLITS = st.sampled_from(("train", "validation", "test"))


@given(st.lists(st.tuples(st.sampled_from(("one", "One!", "two", "TWO", "😀", "😡", "three")), SPLITS)))
def test_dividing_loses_no_text_and_doubles_none(rows: list[tuple[str, Split]]) -> None:
    splits = divide(example(text, str(n), split) for n, (text, split) in enumerate(rows))
    prints = [fingerprint(e.text) for part in splits.values() for e in part]
    assert len(prints) == len(set(prints))
    assert set(prints) == {fingerprint(text) for text, _ in rows}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("c3", "not for training .its licence allows measuring only"),
        ("spamassassin", "not for training .the label column says nothing"),
        ("wp-blacklist", "not for training"),
        ("nowhere", "unknown corpus 'nowhere'; known: "),
    ],
)
def test_corpora_that_must_not_be_trained_on_are_refused(root: Path, name: str, words: str) -> None:
    with pytest.raises(CorpusError, match=words):
        list(gather(recipe(mix={name: 1.0}), root))


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"sms-spam.*fetch"):
        list(gather(recipe(mix={"sms-spam": 1.0}), tmp_path))


def test_the_limit_is_per_corpus_and_the_same_for_a_seed(root: Path) -> None:
    chosen = list(gather(recipe(limit=7), root))
    assert Counter(e.source for e in chosen) == dict.fromkeys(MIX, 7)
    assert chosen == list(gather(recipe(limit=7), root))
    assert chosen != list(gather(recipe(limit=7, seed=1), root))


def test_only_what_says_something_about_the_labels_is_gathered(root: Path) -> None:
    assert {e.source for e in gather(recipe(labels=["threat"]), root)} == {"civil-sample"}


def test_with_another_teacher_unlabelled_texts_are_gathered_too(root: Path) -> None:
    distil = {"layers": [0], "teacher": "large"}
    taught = recipe(labels=["threat"], start="released", distil=distil)
    assert {e.source for e in gather(taught, root)} == set(MIX)


def test_the_projects_own_labels_come_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def judged(_: Path) -> Iterator[Example]:
        yield example("Cheap", source="on-topic", on_topic=1.0)

    monkeypatch.setattr(mix, "on_topic", judged)
    assert next(gather(recipe(mix=MIX | {"on-topic": 8.0}), root)).source == "on-topic"


def test_a_row_with_own_labels_leaves_the_draw_of_its_corpus_but_not_its_test_split(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = {split_of(e): e for e in gather(recipe(), root) if e.source == "sms-spam"}
    own = [
        replace(e, source="own-labels", row=f"sms-spam:{e.row}", labels=known(spam=0.5))
        for e in rows.values()
    ]
    monkeypatch.setattr(mix, "own_labels", lambda: {("sms-spam", e.row): None for e in rows.values()})
    monkeypatch.setattr(mix, "own_labelled", lambda _: iter(own))
    mixed = recipe(mix=MIX | {"own-labels": 8.0})
    splits = divide(gather(mixed, root))
    for split, example in rows.items():
        found = [e for e in splits[split] if e.text == example.text]
        assert [e.source for e in found] == (
            ["sms-spam", "own-labels"] if split == "test" else ["own-labels"]
        )
        assert {passes(e, mixed) for e in found if e.source == "own-labels"} == {8.0}


def test_a_text_with_own_labels_for_test_is_not_trained_on() -> None:
    own = example("The same", split="test", source="own-labels")
    assert divide([own, example("the same!", split="train")]) == NONE | {"test": [own]}


def test_author_lines_need_their_corpus(root: Path) -> None:
    mixed = recipe(mix=MIX | {"author-lines": 1.0})
    with pytest.raises(CorpusError, match="blog-spam"):
        list(gather(mixed, root))
    assert available(mixed, root)[1] == ["author-lines"]


def test_an_unknown_generator_is_refused(root: Path) -> None:
    with pytest.raises(CorpusError, match="rumours"):
        list(generated(recipe(generated={"rumours": 3}), root, NONE))


def test_missing_material_is_named(root: Path) -> None:
    with pytest.raises(CorpusError, match=r"blacklist\.txt: .*fetch .*--corpus wp-blacklist"):
        list(generated(recipe(generated={"link-spam": 3}), root, NONE))


def test_own_links_are_made_from_long_comments_that_are_not_spam(root: Path) -> None:
    long = "The committee met on Tuesday and voted for the longer route along the old canal, said a clerk."
    given_ = [example("short"), example(long, "2"), example(long + " Buy!", "3", spam=1.0)]
    of_a_video = replace(example(f"{long} Nice video.", "4", spam=0.0), source="youtube-spam")
    splits = {**NONE, "train": [*given_, of_a_video]}
    made = list(generated(recipe(generated={"own-links": 9}), root, splits))
    assert [e.labels for e in made] == [{"spam": 0.0}]
    assert not [e for e in made if "video" in e.text]  # the video may be left out for measuring


def test_contrast_is_made_for_train_and_test_from_their_own_material(tmp_path: Path) -> None:
    folder = tmp_path / "implicit-hate"
    folder.mkdir()
    for name in CORPORA["implicit-hate"].files:
        (folder / name).write_text("post\ttarget\timplied_statement\n", "utf-8")
    texts: dict[Split, list[Example]] = {
        "train": [example("The old bridge is safe", hate=0.0), example("Such a silly crowd", hate=1.0)],
        "validation": [],
        "test": [example("The new road is long", hate=0.0), example("What a daft crowd", hate=1.0)],
    }
    made = list(generated(recipe(generated={"contrast": 400}), tmp_path, texts))
    for split, own, others in (("train", "silly crowd", "daft"), ("test", "daft crowd", "silly")):
        part = [e.text for e in made if e.split == split]
        assert any(own in text for text in part)
        assert not any(others in text for text in part)


def test_generated_examples_are_shown_once() -> None:
    assert passes(example("a", source="civil-sample"), recipe()) == 1.5
    assert passes(example("a", source="generated-own-links"), recipe()) == 1.0


def test_build_gives_the_columns(root: Path) -> None:
    labels = ["spam", "threat", "on_topic"]
    data = build(recipe(labels=labels), root)
    assert set(data) == {"train", "validation", "test"}
    assert sum(map(len, data.values())) > 300
    for part in data.values():
        assert set(part["source"]) <= set(MIX)
        for row in part:
            assert len(row["labels"]) == 3
            assert row["labels"][2] is None
            assert row["passes"] == MIX[row["source"]]
            assert row["spans"] == []
            assert row["spans_known"] is False
            if row["source"] != "civil-sample":
                assert row["labels"][0] in (0.0, 1.0)
                assert row["labels"][1] is None
    fixed = {row["slice"] for row in data["test"] if row["source"] == "youtube-spam"}
    assert fixed == {"Youtube04-Eminem"}


def test_a_mix_that_leaves_a_split_empty_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mix, "gather", lambda *_: [example("a", "1", "train")])
    with pytest.raises(CorpusError, match="validation and test"):
        build(recipe(), root)


def test_spans_and_odd_characters_survive(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = Example(
        "a \ud800 fool", known(spam=0.0), "toy", "1", "1", "train", spans=(Span("threat", 4, 8, 0.5),)
    )
    others = [example("b", "2", "validation"), example("c", "3", "test")]
    monkeypatch.setattr(mix, "gather", lambda *_: [marked, *others])
    row = build(recipe(), root)["train"][0]
    assert row["text"] == "a ? fool"
    assert row["spans"] == [{"label": "threat", "start": 4, "end": 8, "strength": 0.5}]
    assert row["spans_known"] is True
    assert row["passes"] == 1.0


def test_weights_have_mean_one_within_a_source_and_none_is_above_the_cap() -> None:
    given = [replace(example(str(n), source="a"), weight=100.0 if n == 0 else 1.0) for n in range(50)]
    given += [replace(example(str(n), source="b"), weight=7.0) for n in range(3)]
    found = weights(given, cap=4.0)
    assert sum(found[:50]) == pytest.approx(50, rel=1e-3)
    assert found[0] == pytest.approx(4.0)
    assert len({round(weight, 9) for weight in found[1:50]}) == 1
    assert found[50:] == [1.0, 1.0, 1.0]
    with pytest.raises(CorpusError, match=r"toy, row k: weight nan"):
        weights([replace(example("a"), weight=float("nan"))], cap=4.0)


def test_a_replay_draws_by_rate_and_keeps_every_decision() -> None:
    given = [example(f"{n}", str(n), source="often" if n % 2 else "seldom") for n in range(1000)]
    given += [example("own", str(n), source="decisions:herald") for n in range(5)]
    mixed = recipe(mix={"often": 3.0, "seldom": 1.0, "decisions": 2.0}, replay={"examples": 200})
    drawn = replayed(given, mixed)
    counts = Counter(e.source for e in drawn)
    assert counts["decisions:herald"] == 5
    assert counts["often"] + counts["seldom"] == 200
    assert 125 <= counts["often"] <= 165
    assert drawn == replayed(given, mixed) == [e for e in given if e in drawn]
    assert replayed(given, recipe()) == given
    assert [passes(e, mixed) for e in (drawn[0], drawn[-1])] == [1.0, 2.0]


def test_what_is_not_at_hand_is_left_out_with_all_that_is_generated(root: Path) -> None:
    asked = recipe(mix=MIX | {"cad": 1.0, "on-topic": 1.0, "decisions": 1.0}, generated={"own-links": 9})
    here, missing = available(asked, root)
    assert (here.mix, here.generated, missing) == (MIX | {"decisions": 1.0}, {}, ["cad", "on-topic"])
    here, missing = available(recipe(generated={"own-links": 9, "link-spam": 9}), root)
    assert (here.mix, here.generated, missing) == (MIX, {}, ["link-spam"])
    assert available(recipe(generated={"own-links": 9}), root) == (recipe(generated={"own-links": 9}), [])
