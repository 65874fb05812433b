"""Labels and spans that the project wrote itself for comments of corpora, by corpus and row, without any text."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from belowline.data.corpora.label_files import label_rows, labelled
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
    passes: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in label_rows("comments.csv"):
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
    for corpus, example, own in labelled(own_labels(), root, "rows with own labels"):
        # Rows that a corpus draws or weighs by its own label have that label no longer.
        yield replace(
            example,
            labels=own.labels,
            spans=own.spans,
            source=OWN_LABELS,
            row=f"{corpus}:{example.row}",
            slice=corpus,
            weight=1.0,
        )
