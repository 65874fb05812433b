"""Labels that the project wrote itself for rows of corpora, kept as (corpus, row, grade) without any text."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path

from belowline.data.corpora import CorpusError, read_corpus
from belowline.data.example import Example, known

GRADES = 3
"""Grades of ``labels/on_topic.csv`` go from 0 (none) to this (analysis)."""


def on_topic_grades() -> dict[tuple[str, str], int]:
    """(corpus, row) to the first rater's grade, of the rows that training may use."""
    return {(row["corpus"], row["row"]): int(row["grade"]) for row in _judgements() if row["pass"] == "1"}


def on_topic_test_grades() -> dict[tuple[str, str], int]:
    """(corpus, row) to the grade, of the rows that are for measuring only."""
    return {(row["corpus"], row["row"]): int(row["grade"]) for row in _judgements("on_topic_test.csv")}


def _judgements(name: str = "on_topic.csv") -> list[dict[str, str]]:
    text = resources.files("belowline.data").joinpath("labels", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def on_topic(root: Path) -> Iterator[Example]:
    """The graded rows of the corpora below ``root`` with ``on_topic`` added to their labels; source is ``on-topic``.

    Rows for measuring only are in the split test, whatever their corpus says. Raises CorpusError if a graded row is
    missing.
    """
    measured = on_topic_test_grades()
    grades: dict[str, dict[str, int]] = defaultdict(dict)
    for (corpus, row), grade in (on_topic_grades() | measured).items():
        grades[corpus][row] = grade
    for corpus, wanted in grades.items():
        found = [example for example in read_corpus(corpus, root) if example.row in wanted]
        if len(found) != len(wanted):
            raise CorpusError(
                f"corpus {corpus}: {len(wanted) - len(found)} graded rows are missing; fetch the pinned version"
            )
        for example in found:
            labels = known(**example.labels, on_topic=wanted[example.row] / GRADES)
            split = "test" if (corpus, example.row) in measured else example.split
            yield replace(example, labels=labels, source="on-topic", slice=corpus, split=split)
