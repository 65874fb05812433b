"""An archive of any size, made from the comments of ``c3`` with variations of copies; every run writes the same."""

import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from belowline.data.corpora import read_corpus

_BEGIN = datetime(2015, 1, 1, tzinfo=UTC)
_NAMES = ("Ana", "Ben", "Chloe", "Dan", "Eve", "Farid", "Gus", "Hana")
TAILS = 0.005
"""Share of comments with a unique ending."""


def write_archive(file: Path, comments: int, corpora: Path, tails: float = TAILS) -> None:
    """Write ``comments`` rows of JSONL: rounds over c3, article by article.

    Half of the comments are repeated, most others get another sum and link, and a share of ``tails`` gets a unique
    ending.
    """
    examples = sorted(read_corpus("c3", corpora), key=lambda one: (one.split_key, one.row))
    texts = [(one.split_key, one.text) for one in examples if one.text.strip()]
    with file.open("w", encoding="utf-8") as lines:
        for row in _rows(texts, comments, tails):
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def _rows(texts: Sequence[tuple[str, str]], comments: int, tails: float) -> Iterator[dict[str, Any]]:
    rng = random.Random(20261126)
    for number in range(comments):
        around, at = divmod(number, len(texts))
        article, text = texts[at]
        yield {
            "id": str(number),
            "thread": f"{article}-{around}",
            "title": f"Article {article}, round {around}",
            "author": f"{rng.choice(_NAMES)} {rng.randrange(5000)}",
            "time": (_BEGIN + timedelta(minutes=4 * number)).isoformat(),
            "text": _varied(text, rng, tails),
        }


def _varied(text: str, rng: random.Random, tails: float) -> str:
    drawn = rng.random()
    if drawn < tails:
        return f"{text} {rng.choice(_NAMES)} of {' '.join(rng.choices(text.split(), k=3))}"
    number = 97 if drawn < 0.5 else rng.randrange(100, 100_000)
    return f"{text} I made ${number} with it, see https://site{number}.example/"
