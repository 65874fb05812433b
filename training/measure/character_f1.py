"""Evidence against the marks of annotators: character F1 of the tokens at or above the floor of a channel.

Character F1 as in SemEval-2021 task 5: of the sets of marked characters of a post, 1 if both are empty, 0 if one is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from datasets import Dataset
from rich.console import Console
from rich.progress import track

from belowline.model import Scorer
from belowline.model.evidence import Strengths
from belowline.training.measure.intervals import Bools, Floats

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
