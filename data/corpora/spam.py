"""The corpora on spam. ``corpora.toml`` describes the column mappings."""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from belowline.data.corpora.tables import Labelling, Row, rows
from belowline.data.example import Example, known

_BLOG_LEFT_OUT = "mademistakes"
_SPAM_KINDS = {"scam", "spam", "phishing", "recovery_scam", "affiliate", "promo"}


def _janitr(row: Row) -> Mapping[str, float] | None:
    kinds = set(ast.literal_eval(row["labels"]))
    # Their makers marked some rows as mock.
    return known(spam=float(bool(kinds & _SPAM_KINDS))) if "mock" not in row["source_id"] and kinds else None


LABELLINGS: Mapping[str, Labelling] = {"janitr": _janitr}


def blog_spam(folder: Path) -> Iterator[Example]:
    """Comments of two blogs. One blog and its near-duplicates are test. Spam and ham of a blog have equal weight."""
    comments = list(rows(folder / "comments.csv"))
    kinds = Counter((row["source"], row["label"]) for row in comments)
    left_out = {row["near"] for row in comments if row["source"] == _BLOG_LEFT_OUT}
    for row in comments:
        yield Example(
            row["text"],
            known(spam=float(row["label"] == "spam")),
            "blog-spam",
            row["id"],
            row["near"],
            split="test" if row["near"] in left_out else None,
            slice=row["source"],
            weight=len(comments) / len(kinds) / kinds[row["source"], row["label"]],
        )


def blog_spam_authors(folder: Path) -> dict[str, tuple[str, str]]:
    """Return row to name and website of the spammers of ``blog-spam``; ham has neither."""
    return {
        row["id"]: (row["spam_author"], row["spam_url"])
        for row in rows(folder / "comments.csv")
        if row["label"] == "spam"
    }
