"""Batches: each example as often as stated, within budget, targets aligned with the encoder's input."""

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from belowline.model.labels import HARMFUL
from belowline.training.fit import batches
from belowline.training.fit.batches import Encoder, draws_of_epoch, padded, plan, rows_of
from belowline.training.recipes.recipe import Recipe
from tests.support.tiny_model import tiny_tokenizer

LENGTHS = st.lists(st.integers(2, 64), min_size=1, max_size=80)


def recipe(**changes: object) -> Recipe:
    content = {"name": "trial", "base": "none", "mix": {"toy": 1.0}, "seed": 3, "max_tokens": 64}
    return Recipe.model_validate(content | {"fit": {"tokens_per_batch": 256}} | changes)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=tiny_tokenizer(), **special)


def row(
    text: str, source: str = "toy", spans: list[dict[str, Any]] | None = None, **labels: float
) -> dict[str, Any]:
    return {
        "text": text,
        "labels": [labels.get(label) for label in recipe().labels],
        "spans": spans or [],
        "spans_known": spans is not None,
        "source": source,
    }


def mark(text: str, part: str, strength: float = 1.0, label: str = "personal_attack") -> dict[str, Any]:
    start = text.index(part)
    return {"label": label, "start": start, "end": start + len(part), "strength": strength}


@given(LENGTHS, st.integers(0, 5))
def test_every_example_is_shown_as_often_as_stated(lengths: list[int], number: int) -> None:
    passes = [(1.0, 2.0, 3.0)[n % 3] for n in range(len(lengths))]
    items = draws_of_epoch(passes, recipe(), number)
    assert Counter(item.index for item in items) == {index: int(times) for index, times in enumerate(passes)}
    assert len({item.seed for item in items}) == len(items)


def test_a_broken_number_is_met_on_average() -> None:
    counts = [len(draws_of_epoch([1.4] * 500, recipe(), number)) for number in range(10)]
    assert sum(counts) / 5000 == pytest.approx(1.4, abs=0.03)
    rare = Counter(item.index for n in range(40) for item in draws_of_epoch([0.5] * 50, recipe(), n))
    assert max(rare.values()) <= 40
    assert min(rare.values()) > 5


@given(LENGTHS, st.integers(16, 300))
def test_a_plan_has_everything_once_within_the_budget_and_a_batch_one_width(
    lengths: list[int], budget: int
) -> None:
    trial = recipe(fit={"tokens_per_batch": budget})
    batches_ = plan(lengths, trial, 0)
    assert sorted(at for batch in batches_ for at in batch) == list(range(len(lengths)))
    for batch in batches_:
        widths = {padded(lengths[at], trial) for at in batch}
        assert len(widths) == 1
        assert len(batch) == 1 or len(batch) * widths.pop() <= budget


def test_showings_and_batches_depend_on_seed_and_pass_only() -> None:
    lengths, passes = [random.Random(n).randrange(3, 60) for n in range(200)], [1.5] * 200
    for first, again, later, other in (
        [
            draws_of_epoch(passes, r, n)
            for r, n in ((recipe(), 0), (recipe(), 0), (recipe(), 1), (recipe(seed=4), 0))
        ],
        [plan(lengths, r, n) for r, n in ((recipe(), 0), (recipe(), 0), (recipe(), 1), (recipe(seed=4), 0))],
    ):
        assert first == again
        assert first != later
        assert first != other


def test_lengths_shown_are_those_that_a_batch_will_have(tokenizer: PreTrainedTokenizerFast) -> None:
    trial = recipe(augment={"disguise": 0.5})
    encoder = Encoder(tokenizer, trial)
    data = Dataset.from_list([row("the link you " * n) for n in range(1, 9)])
    items = draws_of_epoch([4.0] * 8, trial, 0)
    lengths = encoder.lengths_of_draws(data, encoder.lengths(data["text"]), items)
    for item, length in zip(items, lengths, strict=True):
        assert encoder.batch(rows_of(data, [item.index]), [item.seed]).attention_mask.sum() == length
    plain = encoder.lengths(data["text"])
    assert any(length != plain[item.index] for item, length in zip(items, lengths, strict=True))


def test_padded_lengths() -> None:
    assert [padded(length, recipe()) for length in (1, 8, 9, 57, 64)] == [8, 8, 16, 64, 64]
    assert padded(60, recipe(max_tokens=60)) == 60


def test_lengths_are_those_of_the_normalised_and_cut_text(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = Encoder(tokenizer, recipe())
    assert encoder.lengths(["the you", "", "t\u200bhe y\u200bou", "the " * 100]) == [4, 2, 4, 64]


def test_shapes_padding_and_unknown_labels(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [row("the you", spam=1.0), row("the you the you the you the", spam=0.0, threat=0.25)]
    batch = Encoder(tokenizer, recipe()).batch(rows)
    assert batch.input_ids.shape == batch.attention_mask.shape == (2, 16)
    assert batch.labels.shape == (2, 8)
    assert batch.evidence.shape == (2, 16, len(HARMFUL))
    assert batch.attention_mask.sum(1).tolist() == [4, 9]
    known = ~torch.isnan(batch.labels)
    assert known.nonzero().tolist() == [[0, 0], [1, 0], [1, 4]]
    assert batch.labels[known].tolist() == [1.0, 0.0, 0.25]
    spam = HARMFUL.index("spam")
    assert torch.isnan(batch.evidence[0]).all()
    assert batch.evidence[1, 1:8, spam].tolist() == [0.0] * 7  # a text without spam has no evidence of spam
    assert torch.isnan(batch.evidence[1, :, [n for n in range(len(HARMFUL)) if n != spam]]).all()


def test_a_long_text_is_cut_at_the_window(tokenizer: PreTrainedTokenizerFast) -> None:
    assert Encoder(tokenizer, recipe()).batch([row("the " * 300)]).input_ids.shape == (1, 64)


def words_marked(encoder: Encoder, text: str, spans: list[dict[str, Any]], label: str) -> dict[str, float]:
    """Return the targets above zero by token and position."""
    batch = encoder.batch([row(text, spans=spans, toxicity=1.0)])
    column = batch.evidence[0, :, encoder.harmful.index(label)]
    pieces = encoder.tokenizer.convert_ids_to_tokens(batch.input_ids[0])
    return {f"{t}:{pieces[t]}": round(float(v), 3) for t, v in enumerate(column) if v > 0}


def test_evidence_stands_on_the_tokens_of_the_span(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder, text = Encoder(tokenizer, recipe()), "the link you the"
    found = words_marked(encoder, text, [mark(text, "link you", 0.6)], "personal_attack")
    assert found == {"2:link": 0.6, "3:you": 0.6}
    assert words_marked(encoder, text, [mark(text, "link")], "threat") == {}


def test_special_tokens_and_padding_have_no_evidence_target(tokenizer: PreTrainedTokenizerFast) -> None:
    evidence = Encoder(tokenizer, recipe()).batch([row("the you", spans=[], spam=0.0)]).evidence[0]
    evidence = evidence[:, HARMFUL.index("spam")]
    known = ~torch.isnan(evidence)
    assert known.tolist() == [False, True, True, False, False, False, False, False]
    assert evidence[known].sum() == 0


@pytest.mark.parametrize(
    "text", ["😀 the link", "the\u200b \u200bthe l\u200bi\u200bnk you", "ｔｈｅ ｌｉｎｋ", "the l-i-n-k"]
)
def test_evidence_finds_its_way_through_normalisation(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    start = text.index("l") if "l" in text else text.index("ｌ")
    stop = max(text.rfind("k"), text.rfind("ｋ")) + 1
    spans = [{"label": "threat", "start": start, "end": stop, "strength": 1.0}]
    found = words_marked(Encoder(tokenizer, recipe()), text, spans, "threat")
    assert [name.split(":")[1] for name in found] == ["link"]


def test_the_annotators_of_overlapping_spans_add_up_and_toxicity_counts_every_mark(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    text, encoder = "the link you", Encoder(tokenizer, recipe())
    spans = [
        mark(text, "link you", 0.5),
        mark(text, "link", 0.2),
        mark(text, "you", 0.9),
        mark(text, "you", 0.3, "hate"),
        mark(text, "the", 0.4, "profanity"),
        mark(text, "the", 1, "on_topic"),
    ]
    assert words_marked(encoder, text, spans, "personal_attack") == {"2:link": 0.7, "3:you": 1.0}
    assert words_marked(encoder, text, spans, "hate") == {"3:you": 0.3}
    assert words_marked(encoder, text, spans[:5], "toxicity") == {"1:the": 0.4, "2:link": 0.7, "3:you": 1.0}


def test_marked_spam_is_not_toxic(tokenizer: PreTrainedTokenizerFast) -> None:
    text, encoder = "the link you", Encoder(tokenizer, recipe())
    spans = [mark(text, "link", 1.0, "spam")]
    assert words_marked(encoder, text, spans, "spam") == {"2:link": 1.0}
    assert words_marked(encoder, text, spans, "toxicity") == {}


def known_channels(encoder: Encoder, given_: dict[str, Any]) -> dict[str, float]:
    """Return the target of the second token by harmful label, where it has one."""
    target = encoder.batch([given_]).evidence[0, 1]
    return {
        label: float(value)
        for label, value in zip(encoder.harmful, target, strict=True)
        if not torch.isnan(value)
    }


def test_what_nobody_was_asked_to_mark_is_unknown_and_what_a_text_has_not_no_token_has(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    encoder, text = Encoder(tokenizer, recipe()), "the link you"
    assert known_channels(encoder, row(text, spam=0.0, hate=1.0, threat=0.5)) == {"spam": 0.0}
    marked = row(text, spans=[mark(text, "link", 1.0, "hate")], hate=1.0, toxicity=1.0)
    assert known_channels(encoder, marked) == {"hate": 0.0, "toxicity": 0.0}
    # A label that holds without any mark may be in any word.
    partly = row(text, spans=[mark(text, "link", 1.0, "spam")], spam=1.0, threat=1.0, hate=0.0, toxicity=1.0)
    assert known_channels(encoder, partly) == {"spam": 0.0, "hate": 0.0}


def test_spans_without_any_harmful_label_to_learn(tokenizer: PreTrainedTokenizerFast) -> None:
    trial = recipe(labels=["on_topic"])
    batch = Encoder(tokenizer, trial).batch(
        [{**row("the you", spans=[mark("the you", "you")]), "labels": [1.0]}]
    )
    assert batch.evidence.shape == (1, 8, 1)
    assert torch.isnan(batch.evidence).all()


# --- augmentation ---


def swapping(tokenizer: PreTrainedTokenizerFast, **augment: object) -> Encoder:
    return Encoder(tokenizer, recipe(augment={"swap": 1.0, "swap_in": ["toy"]} | augment))


def test_nothing_is_augmented_without_seeds(tokenizer: PreTrainedTokenizerFast) -> None:
    plain = Encoder(tokenizer, recipe()).batch([row("the women link")])
    same = swapping(tokenizer, disguise=1.0).batch([row("the women link")])
    assert torch.equal(plain.input_ids, same.input_ids)


def test_augmentation_depends_on_the_seed_only(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder, rows = swapping(tokenizer, disguise=1.0), [row("the women link you all")] * 4
    first, again, other = (
        encoder.batch(rows, seeds).input_ids for seeds in ([1, 2, 3, 4], [1, 2, 3, 4], [5, 6, 7, 8])
    )
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)


def test_a_changed_text_loses_its_spans_and_not_the_dataset_row(tokenizer: PreTrainedTokenizerFast) -> None:
    given_ = row("the women link", spans=[mark("the women link", "link")])
    assert torch.isnan(swapping(tokenizer).batch([given_], [1]).evidence).all()
    assert given_["spans_known"] is True
    assert given_["text"] == "the women link"
    untouched = row("the link", spans=[mark("the link", "link")])
    assert not torch.isnan(swapping(tokenizer).batch([untouched], [1]).evidence).all()


def test_groups_are_swapped_in_the_stated_corpora_only(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [row("women", source="elsewhere"), row("women")]
    elsewhere, here = swapping(tokenizer).batch(rows, [1, 1]).input_ids.tolist()
    assert elsewhere != here


@pytest.mark.parametrize(
    ("names_jews", "hate", "before", "after"),
    [
        (True, 1.0, 0.0, 1.0),
        (True, 0.0, 0.0, 0.0),
        (True, 0.4, None, 0.4),
        (True, None, 1.0, None),
        (False, 1.0, 1.0, 0.0),
        (False, 0.0, None, 0.0),
        (False, None, 1.0, None),
        (None, 1.0, 0.5, 0.5),
    ],
)
def test_hate_is_antisemitism_if_and_only_if_jews_are_named(
    tokenizer: PreTrainedTokenizerFast,
    monkeypatch: pytest.MonkeyPatch,
    names_jews: bool | None,
    hate: float | None,
    before: float | None,
    after: float | None,
) -> None:
    monkeypatch.setattr(batches, "swap_group", lambda *_: ("the other text", names_jews))
    given_ = row(
        "the women", **{k: v for k, v in (("hate", hate), ("antisemitism", before)) if v is not None}
    )
    labels = swapping(tokenizer).batch([given_], [1]).labels[0]
    found = [None if torch.isnan(value) else round(float(value), 3) for value in labels[1:3]]
    assert found == [hate, after]
    assert torch.isnan(labels[0])
    assert given_["labels"][2] == before


def test_relabelling_needs_both_labels(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder = Encoder(tokenizer, recipe(labels=["hate", "spam"], augment={"swap": 1.0, "swap_in": ["toy"]}))
    batch = encoder.batch([{**row("the women"), "labels": [1.0, None]}], [1])
    assert batch.labels[0, 0] == 1.0


def test_rows_come_in_the_order_asked_for(tmp_path: Path) -> None:
    data = Dataset.from_dict({"text": ["a", "b", "c"], "passes": [1.0, 2.0, 3.0]})
    assert rows_of(data, [2, 0, 2]) == [
        {"text": "c", "passes": 3.0},
        {"text": "a", "passes": 1.0},
        {"text": "c", "passes": 3.0},
    ]


def test_a_teachers_words_are_targets_where_it_cuts_the_text_alike(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    texts = ["you are rude", "you"]
    encoder = Encoder(tokenizer, recipe())
    tokens = [len(tokenizer(text)["input_ids"]) for text in texts]
    alike = np.full((tokens[0], len(HARMFUL)), 0.25)
    other = np.full((tokens[1] + 1, len(HARMFUL)), 0.25)
    encoder.teacher = lambda asked: [(np.full(8, 0.5), alike), (np.full(8, 0.75), other)][: len(asked)]
    batch = encoder.batch([row(text) for text in texts])
    assert batch.taught[:, 0].tolist() == [0.5, 0.75]
    known = ~torch.isnan(batch.taught_evidence[..., 0])
    words = slice(1, tokens[0] - 1)
    assert known[0, words].all()
    assert known.sum() == tokens[0] - 2
    assert (batch.taught_evidence[0, words] == 0.25).all()


def test_a_disguised_copy_has_the_answer_of_the_plain_text(tokenizer: PreTrainedTokenizerFast) -> None:
    encoder, asked = Encoder(tokenizer, recipe(augment={"disguise": 1.0})), []

    def teacher(texts: Sequence[str]) -> list[tuple[np.ndarray, np.ndarray]]:
        asked.extend(texts)
        return [(np.full(8, 0.5), np.full((3, len(HARMFUL)), 0.5)) for _ in texts]

    encoder.teacher, text = teacher, "you are rude and you are loud"
    texts = {encoder.augmented_text(row(text), seed) for seed in range(20)}
    assert len(texts) > 5
    batch = encoder.batch([row(text)] * 20, range(20))
    assert set(asked) == {text} == {encoder.taught_text(row(text), seed) for seed in range(20)}
    assert (batch.taught == 0.5).all()


def test_a_student_of_another_teacher_gets_the_same_texts_in_every_epoch() -> None:
    passes = [0.5] * 100
    taught = recipe(start="released", distil={"layers": [0], "teacher": "other"})
    alone = recipe(start="released", distil={"layers": [0]})
    assert draws_of_epoch(passes, taught, 0) == draws_of_epoch(passes, taught, 1)
    assert draws_of_epoch(passes, alone, 0) != draws_of_epoch(passes, alone, 1)
    first, second = (plan([8] * 100, taught, number) for number in (0, 1))
    assert first != second
