"""Comments for measurements: ``c3`` where it is available, otherwise the invented sample."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from belowline.data import SAMPLE_DIR, read_threads
from belowline.data.corpora import read_corpus

CORPORA = Path("../shared/corpora")


def texts_for(count: int, corpora: Path = CORPORA) -> tuple[list[str], str]:
    """Return ``count`` random comments (always the same) and their source.

    Comments of the sample are repeated with a number added. The order is random because ``c3`` has its long comments
    together, so one stretch would not represent the next.
    """
    if (corpora / "c3").is_dir():
        whole = list(dict.fromkeys(example.text for example in read_corpus("c3", corpora)))
        random.Random(0).shuffle(whole)
        return list(itertools.islice(endless(whole), count)), "c3"
    sample = [comment.text for thread in read_threads(SAMPLE_DIR) for comment in thread.comments]
    return list(itertools.islice(endless(sample), count)), "sample"


def endless(texts: Sequence[str]) -> Iterator[str]:
    """Yield ``texts``, then repeat them with a number, because repeated texts are answered from a cache."""
    for turn in itertools.count():
        yield from (f"{text} {turn}" if turn else text for text in texts)


def short(number: int) -> str:
    """Return a text of about forty characters that is unique to ``number``."""
    return f"The bridge needs more light, says no. {number}"


def of_length(characters: int, texts: Iterable[str], number: int) -> str:
    """Return running text of an exact length in characters, unique to ``number``."""
    joined = f"{number} "
    for text in texts:
        if len(joined) >= characters:
            break
        joined += " ".join(text.split()) + " "
    return joined[:characters]
