"""Evidence against the marks of annotators: character F1, and the floor from which a token of each channel counts.

Character F1 as in SemEval-2021 task 5: of the sets of marked characters of a post, 1 if both are empty, 0 if one is.
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
from belowline.training.measure.intervals import Bools, Floats

FLOORS: tuple[float, ...] = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))
"""Floors that are tried: 0.1 to 0.9."""
WIDEST = "toxicity"
NOT_ASKED = "spam"
HALF = 0.5 - 1e-6  # shares are sums of fractions


@dataclass(frozen=True, slots=True)
class Post:
    """A post of T characters: strength of each channel [T], and marked characters [T]."""

    strengths: Mapping[str, Floats]
    marked: Bools


def character_f1(predicted: Bools, marked: Bools) -> float:
    """Return F1 of two sets of characters, given as masks [T]."""
    if not predicted.any() or not marked.any():
        return float(predicted.any() == marked.any())
    return float(2 * (predicted & marked).sum() / (predicted.sum() + marked.sum()))


def characters(tokens: Strengths, length: int) -> Floats:
    """Return the strength of each of ``length`` characters: that of the strongest token over it.

    A single character between two tokens has the strength of the weaker one, because evidence shown to moderators
    joins neighbours.
    """
    strength = np.zeros(length)
    last_end, last_value = -2, 0.0
    for (start, end), value in sorted(tokens.items()):
        first = last_end if start == last_end + 1 else start
        strength[first:start] = min(last_value, value)
        strength[start:end] = np.maximum(strength[start:end], value)
        last_end, last_value = end, value
    return strength


def marked_for(channel: str, spans: Sequence[Mapping[str, Any]], length: int) -> Bools:
    """Return the characters [length] that ``channel`` should mark: those whose shares of annotators sum up to one
    half.

    ``toxicity`` covers all marks but those of spam, as in training. A worker who marked a character twice for one
    channel counts twice,
    which moves a border in 1 % of the posts.
    """
    share = np.zeros(length)
    for span in spans:
        if span["label"] == channel or (channel == WIDEST and span["label"] != NOT_ASKED):
            share[span["start"] : span["end"]] += span["strength"]
    return np.asarray(share >= HALF)


def evidence_floors(
    scorer: Scorer, validation: Dataset, channels: Collection[str], console: Console
) -> dict[str, float]:
    """Return channel to the floor with the best mean character F1 on validation posts in which annotators marked
    words.

    A channel whose best floor is no better than no evidence is left out.
    """
    rows = rows_of_columns(validation, ("text", "spans", "spans_known"))
    asked = [row for row in rows if row["spans_known"]]
    strengths = strengths_of(scorer, [row["text"] for row in asked], console)
    floors: dict[str, float] = {}
    for channel in channels:
        marks = [marked_for(channel, row["spans"], len(row["text"])) for row in asked]
        floor = best_floor([Post(*post) for post in zip(strengths, marks, strict=True)], channel)
        if floor is not None:
            floors[channel] = floor
    return floors


def best_floor(posts: Sequence[Post], channel: str) -> float | None:
    """Return the lowest of the best floors of ``channel``; None if marking nothing is as good."""
    silent = np.mean([not post.marked.any() for post in posts]) if posts else 1.0
    means = [float(np.mean(f1_scores(posts, {channel: floor}))) if posts else 0.0 for floor in FLOORS]
    best = int(np.argmax(means))
    return FLOORS[best] if means[best] > silent else None


def f1_scores(posts: Sequence[Post], floors: Mapping[str, float]) -> Floats:
    """Return character F1 [n] of the characters at or above the floor of any channel."""
    return np.array([character_f1(predicted(post.strengths, floors), post.marked) for post in posts])


def predicted(strengths: Mapping[str, Floats], floors: Mapping[str, float]) -> Bools:
    """Return the characters [T] at or above the floor of any channel."""
    above = [strengths[channel] >= floor for channel, floor in floors.items()]
    return np.asarray(np.any(above, axis=0))


def strengths_of(scorer: Scorer, texts: Sequence[str], console: Console) -> list[dict[str, Floats]]:
    """Return, for each text, channel to the strength of each character."""
    strengths = []
    for text in track(texts, description="evidence", console=console):
        channels = scorer.token_strengths(text)
        strengths.append({channel: characters(tokens, len(text)) for channel, tokens in channels.items()})
    return strengths


def rows_of_columns(data: Dataset, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of ``data`` with these columns."""
    return [dict(row) for row in data.select_columns(list(columns))]
