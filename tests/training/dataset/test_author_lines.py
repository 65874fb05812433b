"""Author lines: spammers as the corpus has them, ordinary names of every origin alike."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from belowline.training.dataset.author_lines import (
    AUTHOR_LINES,
    ORDINARY,
    author_lines,
    ordinary_lines,
    origins,
)
from belowline.training.dataset.mix import split_of

COLUMNS = ("id", "source", "post", "date", "label", "near", "text", "spam_author", "spam_url")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [
        ("h-1", "herald", "p", "", "spam", "n1", "Nice post", "cheap lamps", "https://lamps.example/buy"),
        ("h-2", "herald", "p", "", "spam", "n2", "Nice page", "", ""),
        ("h-3", "herald", "p", "", "ham", "n3", "I disagree", "", ""),
        ("m-1", "mademistakes", "p", "", "spam", "n4", "Thanks", "best lamps", ""),
        ("m-2", "mademistakes", "p", "", "spam", "n4", "Thank you", "lamps", "lamps.example"),
        ("m-3", "mademistakes", "p", "", "spam", "n4", "Thx", "more lamps", "lamps.example"),
    ]
    (tmp_path / "blog-spam").mkdir()
    with (tmp_path / "blog-spam" / "comments.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return tmp_path


def test_spammers_and_half_as_many_ordinary_authors(root: Path) -> None:
    lines = list(author_lines(root))
    spam = [line for line in lines if line.labels == {"spam": 1.0}]
    assert [line.text for line in spam[:2]] == ["by cheap lamps, site lamps example buy", "by best lamps"]
    assert [(line.row, line.split_key, line.split) for line in spam[:2]] == [
        ("h-1", "n1", None),
        ("m-1", "n4", "test"),
    ]
    assert Counter(line.slice for line in lines) == {"herald": 1, "mademistakes": 3, ORDINARY: 2}
    assert {line.source for line in lines} == {AUTHOR_LINES}
    assert lines == list(author_lines(root))


def test_every_origin_has_as_many_names_and_lines() -> None:
    assert {(len(names["first"]), len(names["last"])) for names in origins().values()} == {(10, 10)}
    lines = list(ordinary_lines(9999))
    assert set(Counter(line.row.split()[0] for line in lines).values()) == {100}
    assert all(line.labels == {"spam": 0.0} and line.text.startswith("by ") for line in lines)


def test_a_last_name_is_in_one_split_and_some_authors_have_a_website() -> None:
    lines = list(ordinary_lines(800))
    assert len(lines) == 800
    splits = {(line.split_key, split_of(line)) for line in lines}
    assert len(splits) == len({line.split_key for line in lines})
    assert 0.3 < sum(", site " in line.text for line in lines) / len(lines) < 0.5
