"""Evidence against what annotators marked: character F1, and the floor from which a token of each channel counts.

Character F1 of a post as in SemEval-2021 task 5: of the sets of marked characters, 1 where both are empty and 0 where one is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from rich.console import Console
from rich.progress import track

from belowline.model import Scorer
from belowline.model.evidence import Strengths
from belowline.training.measure.bootstrap import Bools, Floats

FLOORS: tuple[float, ...] = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))
"""Floors that are tried: 0.1 to 0.9."""
WIDEST = "toxicity"
NOT_ASKED = "spam"
HALF = 0.5 - 1e-6  # shares are sums of fractions


@dataclass(frozen=True, slots=True)
class Post:
    """A post of T characters: how strongly each channel speaks for each character [T], and which are marked [T]."""

    strengths: Mapping[str, Floats]
    marked: Bools


def character_f1(predicted: Bools, marked: Bools) -> float:
    """F1 of two sets of characters, both given as masks [T]."""
    if not predicted.any() or not marked.any():
        return float(predicted.any() == marked.any())
    return float(2 * (predicted & marked).sum() / (predicted.sum() + marked.sum()))


def characters(tokens: Strengths, length: int) -> Floats:
    """The strength of each of ``length`` characters: that of the strongest token over it. A single character between two tokens has
    that of the weaker one, as evidence shown to moderators joins neighbours."""
    strength = np.zeros(length)
    last_end, last_value = -2, 0.0
    for (start, end), value in sorted(tokens.items()):
        first = last_end if start == last_end + 1 else start
        strength[first:start] = min(last_value, value)
        strength[start:end] = np.maximum(strength[start:end], value)
        last_end, last_value = end, value
    return strength


def marked_for(channel: str, spans: Sequence[Mapping[str, Any]], length: int) -> Bools:
    """Which of ``length`` characters a channel should speak for, by the spans of a dataset's row: those whose shares of annotators sum
    up to one half. ``toxicity`` should speak for every mark but those of spam, as in training.

    A worker who marked a character twice for one channel counts twice, which moves a border in 1 % of the posts.
    """
    share = np.zeros(length)
    for span in spans:
        if span["label"] == channel or (channel == WIDEST and span["label"] != NOT_ASKED):
            share[span["start"] : span["end"]] += span["strength"]
    return np.asarray(share >= HALF)


def evidence_floors(
    scorer: Scorer, validation: Dataset, channels: Collection[str], console: Console
) -> dict[str, float]:
    """Channel to the floor with the best mean character F1 on the validation posts in which annotators were asked to mark words.

    A channel for which no floor does better than no evidence at all is left out: validation has too few marks to choose by.
    """
    asked = [
        row for row in rows_of_columns(validation, ("text", "spans", "spans_known")) if row["spans_known"]
    ]
    strengths = strengths_of(scorer, [row["text"] for row in asked], console)
    found: dict[str, float] = {}
    for channel in channels:
        posts = [
            Post(given, marked_for(channel, row["spans"], len(row["text"])))
            for given, row in zip(strengths, asked, strict=True)
        ]
        floor = best_floor(posts, channel)
        if floor is not None:
            found[channel] = floor
    return found


def best_floor(posts: Sequence[Post], channel: str) -> float | None:
    """The floor of ``channel`` with the best mean character F1, the lowest of equals; None where marking nothing is as good."""
    silent = np.mean([not post.marked.any() for post in posts]) if posts else 1.0
    means = [float(np.mean(f1_scores(posts, {channel: floor}))) if posts else 0.0 for floor in FLOORS]
    best = int(np.argmax(means))
    return FLOORS[best] if means[best] > silent else None


def f1_scores(posts: Sequence[Post], floors: Mapping[str, float]) -> Floats:
    """Character F1 [n] of the characters at or above the floor of any channel."""
    return np.array([character_f1(predicted(post.strengths, floors), post.marked) for post in posts])


def predicted(strengths: Mapping[str, Floats], floors: Mapping[str, float]) -> Bools:
    """Which characters [T] are at or above the floor of any channel of ``floors``."""
    above = [strengths[channel] >= floor for channel, floor in floors.items()]
    return np.asarray(np.any(above, axis=0))


def strengths_of(scorer: Scorer, texts: Sequence[str], console: Console) -> list[dict[str, Floats]]:
    """Return, for each text, channel to the strength of each character."""
    found = []
    for text in track(texts, description="evidence", console=console):
        channels = scorer.token_strengths(text)
        found.append({channel: characters(tokens, len(text)) for channel, tokens in channels.items()})
    return found


def rows_of_columns(data: Dataset, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of ``data`` with these columns."""
    return [dict(row) for row in data.select_columns(list(columns))]
