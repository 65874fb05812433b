"""Adapters of the corpora on toxicity and attacks between people. Column mappings are described in ``corpora.toml``."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from belowline.data.corpora.tables import rows
from belowline.data.example import HARMLESS, Example, Span, Split, digest, known

_SPAN_LABELS = {
    "Insult": "personal_attack",
    "Identity based Attack": "hate",
    "Profane/Obscene": "profanity",
    "Threat": "threat",
}
_NO_SPAM = known(spam=0.0)
Vote = tuple[dict[str, str], list[dict[str, str]]]
"""One worker's annotation of a comment and the typed spans that the worker marked."""
_NATURAL_RATE: tuple[Split, ...] = ("train",) * 4 + ("validation",) * 3 + ("test",) * 3


def toxic_spans(folder: Path) -> Iterator[Example]:
    """Civil Comments with typed spans; label strengths are shares of the workers."""
    workers = toxic_spans_workers(folder)
    for comment in rows(folder / "comments.csv"):
        votes = workers.get(comment["comment_id"])
        if votes:
            yield _toxic_spans_example(comment, votes)


def toxic_spans_workers(folder: Path) -> Mapping[str, list[Vote]]:
    """Comment id to the votes of its workers: a row of ``annotations.csv`` each, with its rows of ``spans.csv``."""
    marks: dict[str, list[dict[str, str]]] = defaultdict(list)
    for span in rows(folder / "spans.csv"):
        marks[span["annotation"]].append(span)
    workers: dict[str, list[Vote]] = defaultdict(list)
    for annotation in rows(folder / "annotations.csv"):
        workers[annotation["comment_id"]].append((annotation, marks[annotation["annotation"]]))
    return dict(workers)


def _toxic_spans_example(comment: dict[str, str], votes: list[Vote]) -> Example:
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


def jigsaw(folder: Path) -> Iterator[Example]:
    """Wikipedia talk pages; a second file knows toxicity only."""
    names = {"personal_attack": "insult", "hate": "identity_hate", "profanity": "obscene", "threat": "threat"}
    for row in rows(folder / "train.csv"):
        labels = {label: float(row[column]) for label, column in names.items()}
        if not labels["hate"]:
            labels["antisemitism"] = 0.0
        text = row["comment_text"]
        yield Example(
            text, known(**labels, toxicity=float(row["toxic"]), spam=0.0), "jigsaw", row["id"], digest(text)
        )
    for number, row in enumerate(rows(folder / "binary.csv")):
        text = row["comment_text"]
        yield Example(text, _verdict(row["toxic"] == "1"), "jigsaw", f"binary:{number}", digest(text))


def _verdict(toxic: bool) -> Mapping[str, float]:
    """Labels that follow from an annotation of toxicity alone: "not toxic" rules out every harmful label."""
    return known(toxicity=1.0, spam=0.0) if toxic else known(**HARMLESS, **_NO_SPAM)


def cat(folder: Path) -> Iterator[Example]:
    """Wikipedia talk replies with the parent that each answers."""
    for row in rows(folder / "gc.csv"):
        key = row["id"].split(".")[0]
        yield Example(row["text"], _verdict(row["label"] == "1"), "cat", row["id"], key, parent=row["parent"])
    for number, row in enumerate(rows(folder / "cat_small.csv")):
        parent = row["parent_text"]
        yield Example(
            row["text"],
            _verdict(row["label_ic"] == "1"),
            "cat",
            f"small:{number}",
            digest(parent),
            parent=parent,
        )


def cad(folder: Path) -> Iterator[Example]:
    """Political Reddit, with separate classes for abuse of a person, an identity or an affiliation."""
    for part in ("train", "dev"):
        for row in rows(folder / f"cad_v1_1_{part}.tsv", delimiter="\t"):
            kinds = set(row["labels"].split(","))
            hate = bool(kinds & {"IdentityDirectedAbuse", "Slur"})
            person = "PersonDirectedAbuse" in kinds
            abuse = hate or person or "AffiliationDirectedAbuse" in kinds
            labels = {
                "hate": float(hate),
                "personal_attack": float(person),
                "toxicity": float(abuse),
                "spam": 0.0,
            }
            if not abuse:
                labels |= {"threat": 0.0, "antisemitism": 0.0}
            yield Example(
                row["text"].replace("[linebreak]", "\n"),
                known(**labels),
                "cad",
                row["id"],
                row["id"].split("-")[0],
                split="test" if part == "dev" else None,
                slice=row["labels"],
            )


def civil_sample(folder: Path) -> Iterator[Example]:
    """Civil Comments: a file of scores, and one at the natural rate, most of it kept for calibration and test."""
    names = {
        "toxicity": "toxicity",
        "threat": "threat",
        "personal_attack": "insult",
        "hate": "identity_attack",
        "profanity": "obscene",
    }
    for number, row in enumerate(rows(folder / "scores.csv")):
        labels = {label: float(row[column]) for label, column in names.items()}
        yield Example(
            row["text"], known(**labels, spam=0.0), "civil-sample", f"scores:{number}", digest(row["text"])
        )
    for number, row in enumerate(rows(folder / "binary.csv")):
        key = digest(row["example"])
        yield Example(
            row["example"],
            _verdict(row["label"] == "toxic"),
            "civil-sample",
            f"binary:{number}",
            key,
            split=_NATURAL_RATE[int(key, 16) % 10],
            slice="natural rate",
        )
