"""The project's own labels of comments: every row is readable, and every span is inside its text.

Spans are checked where the corpora are available.
"""

import csv
from collections import defaultdict
from importlib import resources
from pathlib import Path

import pytest

from belowline.data.corpora import CORPORA, read_corpus
from belowline.model.labels import DEFINITIONS, HARMFUL


def rows() -> list[dict[str, str]]:
    file = resources.files("belowline.data").joinpath("labels", "comments.csv")
    return list(csv.DictReader(file.read_text("utf-8").splitlines()))


def spans(row: dict[str, str]) -> list[tuple[str, int, int]]:
    found = (one.partition(":") for one in row["spans"].split())
    return [(label, *map(int, place.split("-"))) for label, _, place in found]  # type: ignore[misc]


def test_every_row_has_known_labels_and_is_of_a_corpus_for_training() -> None:
    assert len({(row["corpus"], row["row"]) for row in rows() if row["pass"] == "1"}) == 6000
    for row in rows():
        assert CORPORA[row["corpus"]].use == "train"
        labels = {label.rstrip("?") for label in row["labels"].split()}
        assert labels <= set(DEFINITIONS)
        assert {label for label, _, _ in spans(row)} <= labels & set(HARMFUL)


def test_the_second_pass_repeats_rows_of_the_first() -> None:
    first, second = ({(row["corpus"], row["row"]) for row in rows() if row["pass"] == part} for part in "12")
    assert len(second) == 600
    assert second < first


@pytest.mark.slow
def test_every_row_and_span_is_in_its_corpus(corpora: Path) -> None:
    wanted = defaultdict(list)
    for row in rows():
        wanted[row["corpus"]].append(row)
    for corpus, labelled in wanted.items():
        texts = {example.row: example.text for example in read_corpus(corpus, corpora)}
        for row in labelled:
            for _, start, end in spans(row):
                assert 0 <= start < end <= len(texts[row["row"]])
