"""The scorer: any text, in order, whole, and never swayed by what else is scored."""

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.model import ScoreInput, Scorer, Scores
from belowline.model.directory import Window
from belowline.model.windows import Windows, windows_of
from tests.tiny_model import HARMFUL, LABELS, tiny_tokenizer

WORDS = ("the", "you", "link", *"0123456789")
"""One token each, and no step of normalisation touches a row of them."""

TEXTS = (
    "The bridge is late again.",
    "you 👎 i-d-i-o-t",
    "",
    "see https://shop.example/x now",
    "the link " * 60,
    "Der Stadtrat hat seine Entscheidung auf den Herbst verschoben.",
    "7 7 7",
    "The bridge is late again!",
)

TOKENIZER = tiny_tokenizer()

comments = st.lists(
    st.one_of(
        st.sampled_from(TEXTS),
        st.text(st.characters(), max_size=60),
        st.lists(st.sampled_from(WORDS), max_size=150).map(" ".join),
    ),
    min_size=1,
    max_size=8,
)


def score(scorer: Scorer, texts: Sequence[str]) -> list[Scores]:
    """Scores without help of the cache."""
    scorer.forget()
    return scorer.score([ScoreInput(text) for text in texts])


def sound(scores: Scores, text: str) -> bool:
    """Whether each label has a probability, and evidence lies in the text and speaks for a label that holds."""
    probabilities = scores.probabilities
    return (
        tuple(probabilities) == LABELS
        and all(0 <= value <= 1 for value in probabilities.values())
        and all(0 <= e.start < e.end <= len(text) and 0 <= e.strength <= 1 for e in scores.evidence)
        and all(e.label in HARMFUL and probabilities[e.label] >= 0.7 for e in scores.evidence)
    )


# --- order, repeats, company -----------------------------------------------------------------------------------------------------------


def test_order_is_kept(tiny_scorer: Scorer) -> None:
    alone = [score(tiny_scorer, [text])[0] for text in TEXTS]
    assert len({tuple(scores.probabilities.values()) for scores in alone}) == len(
        TEXTS
    )  # all can be told apart
    assert score(tiny_scorer, TEXTS) == alone
    assert score(tiny_scorer, TEXTS[::-1]) == alone[::-1]


def test_nothing_gives_nothing(tiny_scorer: Scorer) -> None:
    assert tiny_scorer.score([]) == []


def test_repeats_get_the_same_scores(tiny_scorer: Scorer) -> None:
    first, second, third = score(tiny_scorer, ["you there", "the link", "you there"])
    assert first == third != second


@given(comments, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_company_never_changes_a_score(tiny_scorer: Scorer, texts: list[str], rng: random.Random) -> None:
    alone = {text: score(tiny_scorer, [text])[0] for text in texts}
    rng.shuffle(texts)
    assert score(tiny_scorer, texts) == [alone[text] for text in texts]


def test_the_cache_changes_nothing(tiny_scorer: Scorer) -> None:
    fresh = score(tiny_scorer, TEXTS)
    assert tiny_scorer.score([ScoreInput(text) for text in TEXTS]) == fresh
    mixed = tiny_scorer.score([ScoreInput("something new"), ScoreInput(TEXTS[1])])
    assert mixed == [score(tiny_scorer, ["something new"])[0], fresh[1]]


def test_the_cache_spares_the_model_and_stays_small(tiny_scorer: Scorer) -> None:
    runs: list[str] = []

    class Counting:
        def run(self, outputs: list[str], inputs: dict[str, object]) -> object:
            runs.append("run")
            return tiny_scorer._session.run(outputs, inputs)

    scorer = Scorer(tiny_scorer.config, Counting(), tiny_scorer.tokenizer, threads=1, cache_size=2)
    for text, expected in (("a", 1), ("b", 2), ("a", 2), ("c", 3), ("a", 3), ("b", 4)):
        scorer.score([ScoreInput(text)])
        assert len(runs) == expected, text  # the text used longest ago is forgotten first
    scorer.forget()
    scorer.score([ScoreInput("b")])
    assert len(runs) == 5


def test_context_is_accepted(tiny_scorer: Scorer) -> None:
    plain, with_context = ScoreInput("you there"), ScoreInput("you there", article="A bridge", parent="No.")
    assert tiny_scorer.score([plain]) == tiny_scorer.score([with_context])


def test_threads_share_a_scorer(tiny_scorer: Scorer) -> None:
    texts = [f"{word} {number} {text}" for number, text in enumerate(TEXTS) for word in WORDS]
    expected = dict(zip(texts, score(tiny_scorer, texts), strict=True))
    tiny_scorer.forget()
    together = threading.Barrier(8)

    def work(seed: int) -> bool:
        mine = random.Random(seed).sample(texts, k=len(texts))
        together.wait()
        batches = [mine[start : start + 5] for start in range(0, len(mine), 5)]
        return all(
            tiny_scorer.score([ScoreInput(text) for text in batch]) == [expected[text] for text in batch]
            for batch in batches
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_model_and_language_are_told(tiny_scorer: Scorer) -> None:
    english, german, short, smileys = score(
        tiny_scorer, ["The council has put off its decision until autumn.", TEXTS[5], "So true", "😂" * 30]
    )
    assert (english.language, german.language, short.language, smileys.language) == ("en", "de", "und", "und")
    assert english.model == tiny_scorer.version


# --- any text --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "", " ", " \n\t\r\n ", "\x00", "\x00\x01\x02\x1b[31m\x7f", "😂", "😂👍🏽🇩🇪#️⃣", "\u200b\u200d\ufe0f", "أجل المجلس قراره بشأن الجسر",
        "\u202eabc\u202c", "\ud83d", "\ude00\ud83d", "[CLS] [SEP] [PAD]", "a\u0301\u0316" * 50, "\U0010ffff", "\ufffe", "x" * 500,
    ],
    ids=lambda text: ascii(text[:8]),
)  # fmt: skip
def test_odd_texts_are_scored(tiny_scorer: Scorer, text: str) -> None:
    assert sound(score(tiny_scorer, [text])[0], text)


@given(st.text(st.characters(), max_size=200))
@settings(deadline=None, max_examples=150)
def test_any_text_is_scored(tiny_scorer: Scorer, text: str) -> None:
    assert sound(score(tiny_scorer, [text])[0], text)


# --- evidence --------------------------------------------------------------------------------------------------------------------------


def strongest(scorer: Scorer, label: str) -> str:
    return max(WORDS, key=lambda word: score(scorer, [word])[0].probabilities[label])


def weakest(scorer: Scorer, label: str) -> str:
    return min(WORDS, key=lambda word: score(scorer, [word])[0].probabilities[label])


@pytest.mark.parametrize("label", HARMFUL)
def test_evidence_is_given_from_the_hold_threshold_on(tiny_scorer: Scorer, label: str) -> None:
    """The probability decides whether a label has evidence at all, however strong its tokens."""
    letters = " ".join([strongest(tiny_scorer, label)] * 5)
    [scores] = score(tiny_scorer, [letters])
    at = scores.probabilities[label]
    given_at = {bound: evidence_labels(tiny_scorer, letters, label, bound) for bound in (at, at + 1e-9)}
    assert given_at == {at: {label}, at + 1e-9: set()}


def evidence_labels(scorer: Scorer, text: str, label: str, hold: float) -> set[str]:
    """Labels with evidence where only ``label`` has a threshold and every token counts."""
    silent = {name: bounds.model_copy(update={"hold": None}) for name, bounds in scorer.thresholds.items()}
    silent[label] = silent[label].model_copy(update={"hold": min(hold, 1.0)})
    config = scorer.config.model_copy(update={"thresholds": silent, "evidence_floor": 0.0})
    other = Scorer(config, scorer._session, scorer.tokenizer, threads=1)
    return {evidence.label for evidence in other.score([ScoreInput(text)])[0].evidence}


def test_neighbouring_tokens_are_one_stretch_and_a_gap_parts_them(tiny_scorer: Scorer) -> None:
    every = tiny_scorer.config.model_copy(
        update={
            "evidence_floor": 0.0,
            "thresholds": {
                label: bounds.model_copy(update={"hold": 0.0 if label == "spam" else None})
                for label, bounds in tiny_scorer.thresholds.items()
            },
        }
    )
    scorer = Scorer(every, tiny_scorer._session, tiny_scorer.tokenizer, threads=1)
    [scores] = scorer.score([ScoreInput("ab cd    ef")])
    assert [(e.start, e.end) for e in sorted(scores.evidence, key=lambda e: e.start)] == [(0, 5), (9, 11)]


@given(
    st.lists(st.sampled_from(("ho-u-r", "👎", "z\u200bw", "https://a.example/x", "you", "ＦＲ")), max_size=30)
)
@settings(deadline=None, max_examples=60)
def test_evidence_never_overlaps_and_comes_strongest_first(tiny_scorer: Scorer, words: list[str]) -> None:
    text = " ".join(words)
    [scores] = score(tiny_scorer, [text])
    strengths = [evidence.strength for evidence in scores.evidence]
    assert strengths == sorted(strengths, reverse=True)
    for label in HARMFUL:
        spans = sorted((e.start, e.end) for e in scores.evidence if e.label == label)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))


# --- long texts ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label", HARMFUL)
@pytest.mark.parametrize("length", [200, 10_000])
def test_the_last_words_of_a_long_text_count(tiny_scorer: Scorer, label: str, length: int) -> None:
    mild, strong = weakest(tiny_scorer, label), strongest(tiny_scorer, label)
    without, with_end, with_start = score(
        tiny_scorer,
        [
            " ".join([mild] * length),
            " ".join([mild] * (length - 25) + [strong] * 25),
            " ".join([strong] * 25 + [mild] * (length - 25)),
        ],
    )
    assert with_end.probabilities[label] > without.probabilities[label]
    assert with_start.probabilities[label] > without.probabilities[label]


def test_the_mean_label_is_read_from_the_whole(tiny_scorer: Scorer) -> None:
    high, low = strongest(tiny_scorer, "on_topic"), weakest(tiny_scorer, "on_topic")
    [all_high, half, all_low] = [
        scores.probabilities["on_topic"]
        for scores in score(
            tiny_scorer,
            [" ".join([high] * 400), " ".join([high] * 200 + [low] * 200), " ".join([low] * 400)],
        )
    ]
    assert all_low < half < all_high


@pytest.mark.parametrize(
    "text",
    [
        " ".join(WORDS[number % len(WORDS)] for number in range(10_000)),
        "abcdefghij" * 1_000,
        "a1" * 5_000 + " é",
        "The bridge is late again. " * 40_000,
    ],
    ids=["10,000 words", "10,000 letters", "10,000 letters and an accent", "1 MB"],
)
def test_long_texts_are_scored(tiny_scorer: Scorer, text: str) -> None:
    assert sound(score(tiny_scorer, [text])[0], text)


def test_evidence_in_a_late_window_has_offsets_in_the_whole_text(tiny_scorer: Scorer) -> None:
    every = tiny_scorer.config.model_copy(update={"evidence_floor": 0.0})
    scorer = Scorer(every, tiny_scorer._session, tiny_scorer.tokenizer, threads=1)
    label, text = "spam", " ".join([strongest(tiny_scorer, "spam")] * 500)
    [scores] = scorer.score([ScoreInput(text)])
    assert scores.probabilities[label] >= 0.7
    assert [(e.start, e.end) for e in scores.evidence if e.label == label] == [(0, len(text))]


# --- windows ---------------------------------------------------------------------------------------------------------------------------


def windows(words: int, tokens: int, overlap: int) -> Windows:
    text = " ".join(WORDS[number % len(WORDS)] for number in range(words))
    return windows_of(TOKENIZER, text, Window(tokens=tokens, overlap=overlap, aggregate={}))


@given(st.integers(0, 400), st.integers(8, 80), st.data())
@settings(deadline=None)
def test_windows_cover_every_token_and_overlap_as_asked(words: int, tokens: int, data: st.DataObject) -> None:
    asked = data.draw(st.integers(0, tokens + 5))
    overlap = min(asked, tokens - 3)  # two special tokens, and one that is new
    found = windows(words, tokens, asked)
    whole = TOKENIZER.encode(" ".join(WORDS[number % len(WORDS)] for number in range(words)))
    covered = {span for offsets in found.offsets for span in offsets} - {(0, 0)}
    assert covered == set(whole.offsets) - {(0, 0)}
    assert all(
        len(ids) == len(offsets) <= tokens for ids, offsets in zip(found.ids, found.offsets, strict=True)
    )
    assert all((ids[0], ids[-1]) == (2, 3) and not {2, 3} & set(ids[1:-1]) for ids in found.ids)
    for before, after in pairwise(found.offsets):
        assert before[len(before) - 1 - overlap : -1] == after[1 : 1 + overlap]
        assert after[-2] > before[-2]  # each window reads on


def test_a_text_that_fits_is_one_window() -> None:
    assert len(windows(62, 64, 16).ids) == 1
    assert len(windows(63, 64, 16).ids) == 2
    assert windows(0, 64, 16).ids == [[2, 3]]


def test_a_token_in_two_windows_keeps_the_higher_strength() -> None:
    found = Windows(
        [[2, 5, 6, 3], [2, 6, 7, 3]], [[(0, 0), (0, 1), (2, 3), (0, 0)], [(0, 0), (2, 3), (4, 5), (0, 0)]]
    )
    values = [np.array([9, 0.1, 0.2, 9], np.float32), np.array([9, 0.6, 0.3, 9], np.float32)]
    strengths = found.strengths(values)
    assert {span: round(value, 3) for span, value in strengths.items()} == {
        (0, 1): 0.1,
        (2, 3): 0.6,
        (4, 5): 0.3,
    }
