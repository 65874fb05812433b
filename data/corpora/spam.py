"""Adapters of the corpora on spam. Column mappings are described in ``corpora.toml``."""

import ast
import html
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from belowline.data.corpora.tables import rows
from belowline.data.example import Example, Split, digest, known

_VIDEOS: dict[str, Split] = {
    "Youtube01-Psy": "train",
    "Youtube02-KatyPerry": "train",
    "Youtube03-LMFAO": "validation",
    "Youtube04-Eminem": "test",
}
_VIDEOS_2014: dict[str, Split] = {
    "Psy": "train",
    "KatyPerry": "train",
    "Avengers": "validation",
    "PlayStation4": "test",
}
_BLOG_LEFT_OUT = "mademistakes"
_SPAM_KINDS = {"scam", "spam", "phishing", "recovery_scam", "affiliate", "promo"}
_TAG = re.compile(r"<(?:br|/?a|/?b|/?i|/?s)\b[^>]*>")


def youtube_spam(folder: Path) -> Iterator[Example]:
    """Comments on four videos; a video is never divided between splits, because it has many near-duplicates."""
    for video, split in _VIDEOS.items():
        for row in rows(folder / f"{video}.csv"):
            text = html.unescape(_TAG.sub(" ", row["CONTENT"])).strip("\ufeff ")
            yield Example(
                text,
                known(spam=float(row["CLASS"])),
                "youtube-spam",
                row["COMMENT_ID"],
                video,
                split=split,
                slice=video,
            )


def sms_spam(folder: Path) -> Iterator[Example]:
    """Short messages of telephones."""
    for number, row in enumerate(rows(folder / "SMSSpamCollection", delimiter="\t", quoted=False)):
        text = html.unescape(row["SMS"])
        yield Example(text, known(spam=float(row["Label"] == "spam")), "sms-spam", str(number), digest(text))


def janitr(folder: Path) -> Iterator[Example]:
    """Posts of a social network; rows that their makers marked as mock are left out."""
    for row in rows(folder / "sample.csv"):
        kinds = set(ast.literal_eval(row["labels"]))
        if "mock" not in row["source_id"] and kinds:
            spam = float(bool(kinds & _SPAM_KINDS))
            yield Example(row["text"], known(spam=spam), "janitr", row["id"], digest(row["text"]))


def spamassassin(folder: Path) -> Iterator[Example]:
    """E-mails; see the note in ``corpora.toml`` on their labels."""
    for file in ("orig_val.csv", "orig_test.csv", "dedup_val.csv", "dedup_test.csv"):
        for number, row in enumerate(rows(folder / file)):
            labels = known(spam=float(row["label"]))
            yield Example(
                row["text"], labels, "spamassassin", f"{file}:{number}", digest(row["text"]), split="test"
            )


def blog_spam(folder: Path) -> Iterator[Example]:
    """Comments of two blogs. One blog and its near-duplicates are test. Spam and ham of a blog have equal weight."""
    found = list(rows(folder / "comments.csv"))
    kinds = Counter((row["source"], row["label"]) for row in found)
    left_out = {row["near"] for row in found if row["source"] == _BLOG_LEFT_OUT}
    for row in found:
        yield Example(
            row["text"],
            known(spam=float(row["label"] == "spam")),
            "blog-spam",
            row["id"],
            row["near"],
            split="test" if row["near"] in left_out else None,
            slice=row["source"],
            weight=len(found) / len(kinds) / kinds[row["source"], row["label"]],
        )


def blog_ham(folder: Path) -> Iterator[Example]:
    """Comments that a programmers' blog kept; for measuring only."""
    for row in rows(folder / "ham_archive.csv"):
        yield Example(row["text"], known(spam=0.0), "blog-ham", row["id"], row["post"], split="test")


def youtube_spam_2014(folder: Path) -> Iterator[Example]:
    """Comments under four other videos, which are not divided between splits either."""
    for number, row in enumerate(rows(folder / "comments.csv")):
        text, video = html.unescape(_TAG.sub(" ", row["text"])).strip("\ufeff "), row["video"]
        labels = known(spam=float(row["spam"]))
        yield Example(
            text, labels, "youtube-spam-2014", str(number), video, split=_VIDEOS_2014[video], slice=video
        )
