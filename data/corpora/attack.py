"""The corpora on toxicity and attacks between people. ``corpora.toml`` describes the column mappings."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from belowline.data.corpora.tables import Labelling, Row, rows
from belowline.data.example import Example, Span, known

_SPAN_LABELS = {
    "Insult": "personal_attack",
    "Identity based Attack": "hate",
    "Profane/Obscene": "profanity",
    "Threat": "threat",
}
Vote = tuple[Row, list[Row]]
"""One worker's annotation of a comment and the typed spans that the worker marked."""


def toxic_spans(folder: Path) -> Iterator[Example]:
    """Civil Comments with typed spans; label strengths are shares of the workers."""
    workers = toxic_spans_workers(folder)
    for comment in rows(folder / "comments.csv"):
        votes = workers.get(comment["comment_id"])
        if votes:
            yield _toxic_spans_example(comment, votes)


def toxic_spans_workers(folder: Path) -> Mapping[str, list[Vote]]:
    """Comment id to the votes of its workers: a row of ``annotations.csv`` each, with its rows of ``spans.csv``."""
    marks: dict[str, list[Row]] = defaultdict(list)
    for span in rows(folder / "spans.csv"):
        marks[span["annotation"]].append(span)
    workers: dict[str, list[Vote]] = defaultdict(list)
    for annotation in rows(folder / "annotations.csv"):
        workers[annotation["comment_id"]].append((annotation, marks[annotation["annotation"]]))
    return dict(workers)


def _toxic_spans_example(comment: Row, votes: list[Vote]) -> Example:
    share = 1 / len(votes)
    strengths: dict[str, float] = dict.fromkeys(_SPAN_LABELS.values(), 0.0)
    spans: dict[tuple[str, int, int], float] = defaultdict(float)
    for _, marks in votes:
        typed = [(_SPAN_LABELS.get(mark["type"]), mark) for mark in marks]
        for label in {label for label, _ in typed if label}:
            strengths[label] = min(1.0, strengths[label] + share)
        for named, mark in typed:
            spans[named or "toxicity", int(mark["start"]), int(mark["end"])] += share
    toxicity = 1 - sum(annotation["not toxic"] == "True" for annotation, _ in votes) * share
    labels = known(**strengths, toxicity=max(0.0, toxicity), spam=0.0)
    if strengths["hate"] == 0:
        labels = known(**labels, antisemitism=0.0)
    return Example(
        comment["comment_text"],
        labels,
        "toxic-spans",
        comment["comment_id"],
        comment["comment_id"],
        spans=tuple(Span(label, start, end, min(1.0, s)) for (label, start, end), s in spans.items()),
    )


def _jigsaw(row: Row) -> Mapping[str, float]:
    names = {"personal_attack": "insult", "hate": "identity_hate", "profanity": "obscene", "threat": "threat"}
    labels = {label: float(row[column]) for label, column in names.items()}
    if not labels["hate"]:
        labels["antisemitism"] = 0.0
    return known(**labels, toxicity=float(row["toxic"]), spam=0.0)


def _cad(row: Row) -> Mapping[str, float]:
    kinds = set(row["labels"].split(","))
    hate = bool(kinds & {"IdentityDirectedAbuse", "Slur"})
    person = "PersonDirectedAbuse" in kinds
    abuse = hate or person or "AffiliationDirectedAbuse" in kinds
    labels = known(hate=float(hate), personal_attack=float(person), toxicity=float(abuse), spam=0.0)
    return labels if abuse else known(**labels, threat=0.0, antisemitism=0.0)


LABELLINGS: Mapping[str, Labelling] = {"jigsaw/train.csv": _jigsaw, "cad": _cad}
