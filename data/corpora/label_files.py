"""Files of the project's own labels, which name rows of corpora without their text, and the rows that they name."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import TypeVar

from belowline.data.corpora import CorpusError, read_corpus
from belowline.data.example import Example

Label = TypeVar("Label")


def label_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of the CSV file ``name`` of ``data/labels``."""
    text = resources.files("belowline.data").joinpath("labels", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def labelled(
    labels: Mapping[tuple[str, str], Label], root: Path, kind: str
) -> Iterator[tuple[str, Example, Label]]:
    """Yield corpus, example and label of each (corpus, row) of ``labels``, from the corpora below ``root``.

    Raises CorpusError if a row is missing; ``kind`` names the rows in its message.
    """
    wanted: dict[str, dict[str, Label]] = defaultdict(dict)
    for (corpus, row), label in labels.items():
        wanted[corpus][row] = label
    for corpus, rows in wanted.items():
        found = [example for example in read_corpus(corpus, root) if example.row in rows]
        if len(found) != len(rows):
            raise CorpusError(
                f"corpus {corpus}: {len(rows) - len(found)} {kind} are missing; fetch the pinned version"
            )
        yield from ((corpus, example, rows[example.row]) for example in found)
