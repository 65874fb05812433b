"""Labels that the project wrote itself for rows of corpora, kept as (corpus, row, grade) without any text."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from belowline.data.corpora.label_files import label_rows, labelled
from belowline.data.example import Example, known

GRADES = 3
"""Grades of ``labels/on_topic.csv`` go from 0 (none) to this (analysis)."""


def on_topic_grades() -> dict[tuple[str, str], int]:
    """(corpus, row) to the first rater's grade, of the rows that training may use."""
    return {
        (row["corpus"], row["row"]): int(row["grade"])
        for row in label_rows("on_topic.csv")
        if row["pass"] == "1"
    }


def on_topic_test_grades() -> dict[tuple[str, str], int]:
    """(corpus, row) to the grade, of the rows that are for measuring only."""
    return {(row["corpus"], row["row"]): int(row["grade"]) for row in label_rows("on_topic_test.csv")}


def on_topic(root: Path) -> Iterator[Example]:
    """The graded rows of the corpora below ``root`` with ``on_topic`` added to their labels; source is ``on-topic``.

    Rows for measuring only are in the split test, whatever their corpus says. Raises CorpusError if a graded row is
    missing.
    """
    measured = on_topic_test_grades()
    for corpus, example, grade in labelled(on_topic_grades() | measured, root, "graded rows"):
        labels = known(**example.labels, on_topic=grade / GRADES)
        split = "test" if (corpus, example.row) in measured else example.split
        yield replace(example, labels=labels, source="on-topic", slice=corpus, split=split)
