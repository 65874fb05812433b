"""Labels and spans that the project wrote itself for comments of corpora, by corpus and row, without any text."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

from belowline.data.corpora import CorpusError, read_corpus
from belowline.data.example import HARMLESS, Example, Span, known

OWN_LABELS = "own-labels"
"""The name of these rows in a mix, and their source."""
_LABELS = (*HARMLESS, "spam", "on_topic")
_HALF_SURE = 0.5


@dataclass(frozen=True, slots=True)
class OwnLabels:
    """All labels of a comment, and its evidence spans. Of a comment that was read twice they are means."""

    labels: Mapping[str, float]
    spans: tuple[Span, ...]


@cache
def own_labels() -> Mapping[tuple[str, str], OwnLabels]:
    """Return (corpus, row) to the labels of ``labels/comments.csv``."""
    text = resources.files("belowline.data").joinpath("labels", "comments.csv").read_text("utf-8")
    passes: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in csv.DictReader(text.splitlines()):
        passes[row["corpus"], row["row"]].append(row)
    return {place: _mean(readings) for place, readings in passes.items()}


def _mean(readings: list[dict[str, str]]) -> OwnLabels:
    """Return the mean of the passes; a span is as strong as the share of passes that marked it, and as sure."""
    labels = dict.fromkeys(_LABELS, 0.0)
    strengths: dict[tuple[str, int, int], float] = defaultdict(float)
    for reading in readings:
        sure = {label.rstrip("?"): _HALF_SURE if "?" in label else 1.0 for label in reading["labels"].split()}
        for label, value in sure.items():
            labels[label] += value / len(readings)
        for span in reading["spans"].split():
            label, _, place = span.partition(":")
            start, end = map(int, place.split("-"))
            strengths[label, start, end] += sure[label] / len(readings)
    spans = (Span(label, start, end, strength) for (label, start, end), strength in strengths.items())
    return OwnLabels(known(**labels), tuple(spans))


def own_labelled(root: Path) -> Iterator[Example]:
    """Yield the rows of ``own_labels`` with text, split and split key of their corpora below ``root``.

    The source is ``own-labels``, the slice the corpus. Raises CorpusError if a row is missing.
    """
    wanted: dict[str, dict[str, OwnLabels]] = defaultdict(dict)
    for (corpus, row), own in own_labels().items():
        wanted[corpus][row] = own
    for corpus, rows in wanted.items():
        found = [example for example in read_corpus(corpus, root) if example.row in rows]
        if len(found) != len(rows):
            raise CorpusError(
                f"corpus {corpus}: {len(rows) - len(found)} rows with own labels are missing; fetch the pinned version"
            )
        for example in found:
            own = rows[example.row]
            name = f"{corpus}:{example.row}"
            # Rows that a corpus draws or weighs by its own label have that label no longer.
            yield replace(
                example,
                labels=own.labels,
                spans=own.spans,
                source=OWN_LABELS,
                row=name,
                slice=corpus,
                weight=1.0,
            )
