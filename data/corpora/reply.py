"""Adapters of the corpora of replies and threads. ``corpora.toml`` describes the column mappings."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from belowline.data.corpora.tables import rows
from belowline.data.example import HARMLESS, Example, digest, known, without

_HEATED = known(**without(HARMLESS, "toxicity", "profanity"), spam=0.0)
_ISSUE_LABELS: Mapping[str, Mapping[str, float]] = {
    "none": known(**HARMLESS, spam=0.0),
    "Insulting": known(personal_attack=1.0, toxicity=1.0, spam=0.0),
    "Vulgarity": known(profanity=1.0, spam=0.0),
    "Bitter frustration": _HEATED,
    "Impatience": _HEATED,
    "Entitlement": _HEATED,
}
_ATTACKS = {"insult": 1.0, "claim": 0.0, "request": 0.0, "justification": 0.0, "affiliation/sympathy": 0.0}


def threatgram(folder: Path) -> Iterator[Example]:
    """Replies in political channels: threats and death wishes, calls for a trial, and other (not harmless) texts."""
    for number, row in enumerate(rows(folder / "labeled.csv")):
        key = f"{row['channel']} {row['date']}"
        labels = known(threat=float(row["label"] == "2"))
        yield Example(row["text"], labels, "threatgram", str(number), key, slice=row["label"])


def github_incivility(folder: Path) -> Iterator[Example]:
    """Issue threads. Kinds without certain harm ("Threat" is mostly a threatened ban) only rule out spam."""
    for row in rows(folder / "comments.csv"):
        labels = _ISSUE_LABELS.get(row["label"], known(spam=0.0))
        yield Example(
            row["text"], labels, "github-incivility", row["id"], row["issue_id"], slice=row["label"]
        )


def counterspeech(folder: Path) -> Iterator[Example]:
    """Replies to hateful comments: insults and reasoned disagreement. The labels of a second file need the parent."""
    for number, row in enumerate(rows(folder / "replies.csv")):
        kind = row["Gold_label"]
        labels = known(personal_attack=_ATTACKS[kind]) if kind in _ATTACKS else known()
        yield Example(
            row["reply"],
            labels,
            "counterspeech",
            str(number),
            row["thread"],
            parent=row["parent"],
            slice=kind,
        )
    for number, row in enumerate(rows(folder / "in_context.csv")):
        parent = row["parent"]
        yield Example(
            row["reply"], known(), "counterspeech", f"context:{number}", digest(parent), parent=parent
        )


def twitcivility(folder: Path) -> Iterator[Example]:
    """Political tweets, name-calling told from harsh but civil ones; for measuring only."""
    for number, row in enumerate(rows(folder / "tweets.csv")):
        rude, intolerant = float(row["impoliteness"]), float(row["intolerance"])
        labels = known(personal_attack=rude, toxicity=max(rude, intolerant))
        text = row["text"]
        kind = "intolerant" if intolerant else ""
        yield Example(text, labels, "twitcivility", str(number), digest(text), split="test", slice=kind)


def conflict_talk(folder: Path) -> Iterator[Example]:
    """Comments on a war by the side that they take; nothing else is known of them. For measuring only."""
    for number, row in enumerate(rows(folder / "comments.csv")):
        text = row["text"]
        yield Example(
            text, known(), "conflict-talk", str(number), digest(text), split="test", slice=row["side"]
        )
