"""The scorer: any text, in order, complete, and independent of other texts in the batch."""

import pickle
import random
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.model import ScoreInput, Scorer, Scores, normalise
from belowline.model.directory import EvidenceChannel, Window
from belowline.model.evidence import by_words
from belowline.model.windows import Windows, windows_of
from tests.support.tiny_model import HARMFUL, LABELS, tiny_tokenizer
from tests.support.waiting import until

WORDS = ("the", "you", "link", *"0123456789")
"""Words of one token each; no step of normalisation changes a row of them."""

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
EVERY_TOKEN = {label: EvidenceChannel(channel=label, floor=0.0) for label in HARMFUL}

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
    """Return scores computed without the cache."""
    scorer.forget()
    return scorer.score([ScoreInput(text) for text in texts])


def sound(scores: Scores, text: str) -> bool:
    """Return True if each label has a probability, and evidence is inside the text and for labels that hold."""
    probabilities = scores.probabilities
    return (
        tuple(probabilities) == LABELS
        and all(0 <= value <= 1 for value in probabilities.values())
        and all(0 <= e.start < e.end <= len(text) and 0 <= e.strength <= 1 for e in scores.evidence)
        and all(e.label in HARMFUL and probabilities[e.label] >= 0.7 for e in scores.evidence)
    )


# --- order, repeats, batches ---


def test_order_is_kept(tiny_scorer: Scorer) -> None:
    alone = [score(tiny_scorer, [text])[0] for text in TEXTS]
    assert len({tuple(scores.probabilities.values()) for scores in alone}) == len(
        TEXTS
    )  # all are distinguishable
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


class Counting:
    """A session that counts the windows that the network reads."""

    def __init__(self, scorer: Scorer) -> None:
        self.session, self.runs = scorer._session, 0

    def get_inputs(self) -> object:
        return self.session.get_inputs()

    def run(self, outputs: list[str], inputs: dict[str, object]) -> object:
        self.runs += 1
        return self.session.run(outputs, inputs)


def counting(scorer: Scorer, cache_size: int = 4096) -> tuple[Scorer, Counting]:
    session = Counting(scorer)
    return Scorer(scorer.config, session, scorer.tokenizer, threads=1, cache_size=cache_size), session


def test_the_cache_spares_the_model_and_stays_small(tiny_scorer: Scorer) -> None:
    scorer, session = counting(tiny_scorer, cache_size=2)
    for text, expected in (("a", 1), ("b", 2), ("a", 2), ("c", 3), ("a", 3), ("b", 4)):
        scorer.score([ScoreInput(text)])
        assert session.runs == expected, text  # the least recently used text is dropped first
    scorer.forget()
    scorer.score([ScoreInput("b")])
    assert session.runs == 5


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


# --- any text ---


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


# --- evidence ---


def strongest(scorer: Scorer, label: str) -> str:
    return max(WORDS, key=lambda word: score(scorer, [word])[0].probabilities[label])


def weakest(scorer: Scorer, label: str) -> str:
    return min(WORDS, key=lambda word: score(scorer, [word])[0].probabilities[label])


@pytest.mark.parametrize("label", HARMFUL)
def test_evidence_is_given_from_the_hold_threshold_on(tiny_scorer: Scorer, label: str) -> None:
    """The probability decides whether a label has evidence at all, however strong its tokens are."""
    letters = " ".join([strongest(tiny_scorer, label)] * 5)
    [scores] = score(tiny_scorer, [letters])
    at = scores.probabilities[label]
    given_at = {bound: evidence_labels(tiny_scorer, letters, label, bound) for bound in (at, at + 1e-9)}
    assert given_at == {at: {label}, at + 1e-9: set()}


def evidence_labels(scorer: Scorer, text: str, label: str, hold: float) -> set[str]:
    """Return the labels with evidence where only ``label`` has a threshold and every token counts."""
    silent = {name: bounds.model_copy(update={"hold": None}) for name, bounds in scorer.thresholds.items()}
    silent[label] = silent[label].model_copy(update={"hold": min(hold, 1.0)})
    config = scorer.config.model_copy(update={"thresholds": silent, "evidence": EVERY_TOKEN})
    other = Scorer(config, scorer._session, scorer.tokenizer, threads=1)
    return {evidence.label for evidence in other.score([ScoreInput(text)])[0].evidence}


def test_neighbouring_tokens_are_one_stretch_and_a_gap_parts_them(tiny_scorer: Scorer) -> None:
    every = tiny_scorer.config.model_copy(
        update={
            "evidence": EVERY_TOKEN,
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


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ({(0, 4): 0.1, (4, 7): 0.9}, {(0, 7): 0.9}),  # zion ##ism
        ({(0, 7): 0.2, (8, 10): 0.3, (10, 11): 0.8}, {(0, 7): 0.2, (8, 10): 0.3, (10, 11): 0.8}),
        ({(8, 9): 0.5}, {(8, 10): 0.5}),
        ({}, {}),
    ],
)
def test_a_word_is_as_strong_as_its_strongest_token(
    tokens: dict[tuple[int, int], float], words: dict[tuple[int, int], float]
) -> None:
    assert by_words(tokens, "zionism is!") == words


def test_a_label_reads_the_channel_that_the_model_names_and_no_other(tiny_scorer: Scorer) -> None:
    """Antisemitism uses the evidence channel of hate, from the floor stated for it; labels not named have none."""
    text = " ".join(WORDS)
    strengths = tiny_scorer.token_strengths(text)["hate"]
    floor = sorted(strengths.values())[len(strengths) // 2]
    holding = {
        label: bounds.model_copy(update={"hold": 0.0}) for label, bounds in tiny_scorer.thresholds.items()
    }
    channels = {"antisemitism": EvidenceChannel(channel="hate", floor=floor)}
    config = tiny_scorer.config.model_copy(update={"thresholds": holding, "evidence": channels})
    [scores] = Scorer(config, tiny_scorer._session, tiny_scorer.tokenizer, threads=1).score(
        [ScoreInput(text)]
    )
    marked = {at for e in scores.evidence for at in range(e.start, e.end)}
    assert {e.label for e in scores.evidence} == {"antisemitism"}
    assert max(e.strength for e in scores.evidence) == max(strengths.values())
    for (start, _), strength in strengths.items():
        assert (start in marked) == (strength >= floor)


def test_token_strengths_have_the_offsets_of_the_text_as_given(tiny_scorer: Scorer) -> None:
    strengths = tiny_scorer.token_strengths("ho-u-r 👎 you")
    assert tuple(strengths) == HARMFUL
    assert all(0 <= value <= 1 for channel in strengths.values() for value in channel.values())
    places = set(strengths["spam"])
    assert {(7, 8), (9, 12)} <= places  # several tokens of an emoji are one span
    assert min(places)[0] == 0
    assert strengths["spam"] != strengths["hate"]


def test_token_strengths_of_a_long_text_are_those_of_all_its_windows(tiny_scorer: Scorer) -> None:
    text = " ".join(["the"] * 200)
    assert {start for start, _ in tiny_scorer.token_strengths(text)["threat"]} == set(range(0, len(text), 4))


# --- embeddings and relevance ---


def test_embeddings_are_of_unit_length_and_in_order(tiny_scorer: Scorer) -> None:
    found = tiny_scorer.embed(TEXTS)
    assert found.shape == (len(TEXTS), 8)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(tiny_scorer.embed(TEXTS[::-1]), found[::-1])
    assert tiny_scorer.embed([]).shape == (0, 8)


def test_the_embedding_of_a_long_text_is_the_mean_of_its_windows_by_their_tokens(tiny_scorer: Scorer) -> None:
    text = " ".join(["the"] * 62 + ["you"] * 20)
    windows = windows_of(TOKENIZER, text, tiny_scorer.config.window)
    each = [tiny_scorer._run(ids).embedding for ids in windows.ids]
    assert [len(ids) for ids in windows.ids] == [64, 38]
    mean = 64 * each[0] + 38 * each[1]
    np.testing.assert_allclose(tiny_scorer.embed([text])[0], mean / np.linalg.norm(mean), rtol=1e-5)


def test_one_pass_gives_labels_and_embedding(tiny_scorer: Scorer) -> None:
    scorer, session = counting(tiny_scorer)
    scorer.score([ScoreInput("you there")])
    scorer.embed(["you there"])
    assert session.runs == 1


def relevance(
    scorer: Scorer, text: str, article: str | None = None, parent: str | None = None
) -> float | None:
    return scorer.score([ScoreInput(text, article, parent)])[0].relevance


def test_relevance_is_the_calibrated_cosine_with_the_nearer_context(tiny_scorer: Scorer) -> None:
    text, article, parent = "the link", "a bridge is late", "you there"
    comment, *contexts = tiny_scorer.embed([text, article, parent])
    expected = [1 / (1 + np.exp(-(4.0 * float(context @ comment) - 1.0))) for context in contexts]
    assert relevance(tiny_scorer, text, article) == pytest.approx(expected[0])
    assert relevance(tiny_scorer, text, parent=parent) == pytest.approx(expected[1])
    assert relevance(tiny_scorer, text, article, parent) == pytest.approx(max(expected))
    assert relevance(tiny_scorer, text, text) == pytest.approx(1 / (1 + np.exp(-3.0)))


@pytest.mark.parametrize("nothing", [None, "", " \n"])
def test_without_context_nothing_is_known_of_relevance(tiny_scorer: Scorer, nothing: str | None) -> None:
    assert relevance(tiny_scorer, "the link", nothing, nothing) is None


def test_the_best_passage_of_a_long_article_counts(tiny_scorer: Scorer) -> None:
    passage = " ".join(["you"] * 30)
    elsewhere = " ".join(["7"] * 300)
    alone = relevance(tiny_scorer, "you", passage)
    within = relevance(tiny_scorer, "you", f"{elsewhere} {' '.join(['you'] * 120)} {elsewhere}")
    assert within == pytest.approx(alone, abs=0.02)
    assert relevance(tiny_scorer, "you", elsewhere) < within - 0.05  # type: ignore[operator]


class Gated(Counting):
    """A session that reads once ``free`` is set, and whose first run ends with ``first``."""

    def __init__(self, scorer: Scorer, first: BaseException | None = None) -> None:
        super().__init__(scorer)
        self.free, self.first = threading.Event(), first

    def run(self, outputs: list[str], inputs: dict[str, object]) -> object:
        self.runs += 1
        assert self.free.wait(10)
        error, self.first = self.first, None
        if error:
            raise error
        return self.session.run(outputs, inputs)


def both_ask(scorer: Scorer, session: Gated, texts: Sequence[str]) -> list[Future[list[Scores]]]:
    """Two calls with the same texts; the second starts while the network reads for the first."""
    recall, recalled = scorer._readings.recall, []
    scorer._readings.recall = lambda keys: recalled.append(keys) or recall(keys)
    with ThreadPoolExecutor(2) as callers:
        asked = []
        for number in (1, 2):
            asked.append(callers.submit(scorer.score, [ScoreInput(text) for text in texts]))
            until(lambda number=number: session.runs and len(recalled) == number)
        session.free.set()
    return asked


@pytest.mark.parametrize("texts", [["the link"], ["the link", "you", "7 7"]])
def test_what_another_call_reads_is_waited_for(tiny_scorer: Scorer, texts: list[str]) -> None:
    session = Gated(tiny_scorer)
    scorer = Scorer(tiny_scorer.config, session, tiny_scorer.tokenizer, threads=1)
    first, second = both_ask(scorer, session, texts)
    assert first.result() == second.result() == score(tiny_scorer, texts)
    assert session.runs == len(texts)


@pytest.mark.parametrize("texts", [["the link"], ["the link", "you", "7 7"]])
@pytest.mark.parametrize("error", [RuntimeError("no memory"), KeyboardInterrupt()])
def test_a_call_that_fails_leaves_nobody_waiting(
    tiny_scorer: Scorer, error: BaseException, texts: list[str]
) -> None:
    session = Gated(tiny_scorer, first=error)
    scorer = Scorer(tiny_scorer.config, session, tiny_scorer.tokenizer, threads=1)
    first, second = both_ask(scorer, session, texts)
    assert type(first.exception(10)) is type(error)
    assert isinstance(second.exception(10), RuntimeError | CancelledError)
    assert scorer.score([ScoreInput(text) for text in texts]) == score(tiny_scorer, texts)


def test_on_topic_is_substance_times_relevance_and_nothing_else_changes(tiny_scorer: Scorer) -> None:
    [plain, under] = tiny_scorer.score([ScoreInput("you there"), ScoreInput("you there", "A bridge", "No.")])
    assert under.relevance is not None
    assert under.probabilities["on_topic"] == plain.probabilities["on_topic"] * under.relevance
    assert all(under.probabilities[label] == plain.probabilities[label] for label in HARMFUL)
    assert (under.evidence, under.language) == (plain.evidence, plain.language)


def test_a_model_without_relevance_leaves_context_aside(tiny_scorer: Scorer) -> None:
    config = tiny_scorer.config.model_copy(update={"relevance": None})
    session = Counting(tiny_scorer)
    scorer = Scorer(config, session, tiny_scorer.tokenizer, threads=1)
    [plain, under] = scorer.score([ScoreInput("you there"), ScoreInput("you there", "A bridge", "No.")])
    assert plain == under
    assert session.runs == 1


def test_the_cache_tells_contexts_apart_and_reads_each_text_once(tiny_scorer: Scorer) -> None:
    scorer, session = counting(tiny_scorer)
    inputs = [
        ScoreInput("the link"),
        ScoreInput("the link", "you"),
        ScoreInput("the link", "7 7"),
        ScoreInput("you", "7 7"),
    ]
    found = [scorer.score([one])[0] for one in inputs]
    assert session.runs == 3  # the link, you, 7 7
    assert len({scores.relevance for scores in found}) == 4
    tiny_scorer.forget()
    assert tiny_scorer.score(inputs) == found == scorer.score(inputs)
    assert session.runs == 3


def test_no_text_stays_in_memory(tiny_scorer: Scorer) -> None:
    scorer, _ = counting(tiny_scorer)
    scorer.score([ScoreInput("a comment to forget", "an article to forget", "a parent to forget")])
    kept = scorer._readings._values
    assert len(kept) == 3
    assert b"forget" not in pickle.dumps(kept)


# --- long texts ---


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
        pytest.param("The bridge is late again. " * 40_000, marks=pytest.mark.slow),
    ],
    ids=["10,000 words", "10,000 letters", "10,000 letters and an accent", "1 MB"],
)
def test_long_texts_are_scored(tiny_scorer: Scorer, text: str) -> None:
    assert sound(score(tiny_scorer, [text])[0], text)


def test_evidence_in_a_late_window_has_offsets_in_the_whole_text(tiny_scorer: Scorer) -> None:
    every = tiny_scorer.config.model_copy(update={"evidence": EVERY_TOKEN})
    scorer = Scorer(every, tiny_scorer._session, tiny_scorer.tokenizer, threads=1)
    label, text = "spam", " ".join([strongest(tiny_scorer, "spam")] * 500)
    [scores] = scorer.score([ScoreInput(text)])
    assert scores.probabilities[label] >= 0.7
    assert [(e.start, e.end) for e in scores.evidence if e.label == label] == [(0, len(text))]


# --- windows ---


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
        assert after[-2] > before[-2]  # each window advances


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


def test_scores_carry_the_normalised_text_unless_it_came_from_the_cache(tiny_model_dir) -> None:
    scorer = Scorer.load(tiny_model_dir)
    text = "y\u200bou id1ot"
    first, again = (scorer.score([ScoreInput(text)])[0] for _ in range(2))
    assert first.plain == {text: normalise(text)}
    assert not again.plain, "the cache keeps no text"
    assert first == again
    assert text not in repr(first)
