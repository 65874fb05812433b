import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.model import Evidence, Reading, Scorer, masked, normalise
from belowline.serve.audit.copies import Copies, kin_of, reading_for, text_hash, written_reading

SPAM = "Google is paying $97 per hour, start at https://one.example/a?b=c today"
COPIES = [
    SPAM,
    "Google is paying $1,285 per hour, start at https://two.example/ today",
    "Google is paying $8.50 per hour,  start at www.three.example today",
    "google is paying $97 per hour, START at https://one.example/a?b=c today",
]
OTHERS = [
    "Google is paying $97 per day, start at https://one.example/a?b=c today",
    "I give it 1",
    "I give it 10",
]


def reading(evidence: tuple[Evidence, ...] = ()) -> Reading:
    numbers = np.arange(12, dtype=np.float32) / 7
    return Reading({"spam": 0.1 + 0.2}, evidence, "en", numbers.reshape(3, 4), numbers[:4])


def test_copies_differ_in_sums_links_and_case_alone() -> None:
    assert len({kin_of(text) for text in COPIES}) == 1
    assert len({kin_of(text) for text in [SPAM, *OTHERS]}) == 4


def test_one_of_the_copies_is_read_whatever_their_order(tmp_path: Path) -> None:
    asked = set()
    for seed in range(6):
        texts = [*COPIES, *COPIES[:1], *OTHERS, "once"]
        random.Random(seed).shuffle(texts)
        with Copies.within(tmp_path) as copies:
            for text in texts:
                copies.add(text)
            copies.seal()
            assert copies.counts() == {"comments": 5, "texts": 1}
            asked.add(tuple(text for text in texts if copies.ask(text)))
            copies.keep([written_reading(*asked_once(asked), reading())])
            assert set(copies.readings_for(texts)) == {text_hash(text).hex() for text in COPIES}
    assert len(asked) == 1
    assert not list(tmp_path.iterdir())


def asked_once(asked: set[tuple[str, ...]]) -> tuple[str]:
    [texts] = asked
    assert len(texts) == 1
    return (texts[0],)


def test_without_copies_nothing_is_read_ahead(tmp_path: Path) -> None:
    with Copies.within(tmp_path) as copies:
        for text in OTHERS:
            copies.add(text)
        copies.seal()
        assert copies.counts() == {"comments": 0, "texts": 0}
        assert not any(copies.ask(text) for text in OTHERS)
        assert copies.readings_for(OTHERS) == {}


def test_a_reading_comes_back_as_it_was() -> None:
    one = reading((Evidence("spam", 17, 20, 0.987654321),))
    again = reading_for(SPAM, written_reading(SPAM, one))
    assert (again.probabilities, again.evidence, again.language) == (one.probabilities, one.evidence, "en")
    assert again.passages.tolist() == one.passages.tolist()
    assert again.embedding.tolist() == one.embedding.tolist()


def test_evidence_stands_at_the_same_words_of_a_copy() -> None:
    def words(text: str, *places: str) -> list[tuple[int, int]]:
        return [(text.index(place), text.index(place) + len(place)) for place in places]

    spans = words(SPAM, "paying $97 per", "start at https://one.example/a?b=c")
    line = written_reading(SPAM, reading(tuple(Evidence("spam", *span, 0.5) for span in spans)))
    found = [(one.start, one.end) for one in reading_for(COPIES[1], line).evidence]
    assert found == words(COPIES[1], "paying $1,285 per", "start at https://two.example/")
    found = [(one.start, one.end) for one in reading_for(COPIES[2], line).evidence]
    assert found == words(COPIES[2], "paying $8.50 per", "start at www.three.example")


@given(st.text(max_size=80), st.integers(0, 10**6), st.integers(0, 10**6))
def test_any_text_with_another_sum_is_a_copy_or_short(text: str, one: int, other: int) -> None:
    first, second = (f"{text} costs {sum} in all of these shops" for sum in (one, other))
    assert kin_of(first) == kin_of(second)
    assert masked(normalise(first)).text == masked(normalise(second)).text


@pytest.mark.parametrize("copy", [1, 2, 3])
def test_a_copys_score_is_near_its_own(copy: int) -> None:
    """That a sum or a link is another changes little: the released model on the copies above."""
    scorer = Scorer.load(threads=1)
    given, own = scorer.read([SPAM, COPIES[copy]])
    taken = reading_for(COPIES[copy], written_reading(SPAM, given))
    assert all(abs(taken.probabilities[label] - p) < 0.2 for label, p in own.probabilities.items())
