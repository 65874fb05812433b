"""Comments to measure with: ``c3`` where it is at hand, otherwise the invented sample."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from belowline.data import SAMPLE_DIR, read_threads
from belowline.data.corpora import read_corpus

CORPORA = Path("../shared/corpora")


def texts_for(count: int, corpora: Path = CORPORA) -> tuple[list[str], str]:
    """``count`` comments at random (the same each time), and where they are from; those of the sample are repeated with a number added.

    In the order of ``c3`` the long ones come together, and what is measured on one stretch would not hold for the next.
    """
    if (corpora / "c3").is_dir():
        whole = list(dict.fromkeys(example.text for example in read_corpus("c3", corpora)))
        random.Random(0).shuffle(whole)
        return list(itertools.islice(endless(whole), count)), "c3"
    sample = [comment.text for thread in read_threads(SAMPLE_DIR) for comment in thread.comments]
    return list(itertools.islice(endless(sample), count)), "sample"


def endless(texts: Sequence[str]) -> Iterator[str]:
    """``texts``, and then again with a number, so that none is sent twice: repeats come from a cache."""
    for turn in itertools.count():
        yield from (f"{text} {turn}" if turn else text for text in texts)


def short(number: int) -> str:
    """A text of about forty characters that no other number has."""
    return f"The bridge needs more light, says no. {number}"


def of_length(characters: int, texts: Iterable[str], number: int) -> str:
    """Exactly so many characters of running text, another for each ``number``."""
    joined = f"{number} "
    for text in texts:
        if len(joined) >= characters:
            break
        joined += " ".join(text.split()) + " "
    return joined[:characters]
