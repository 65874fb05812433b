"""Evidence against what annotators marked: character F1, and the floor from which a token of each channel counts.

Character F1 of a post as in SemEval-2021 task 5: of the sets of marked characters, 1 where both are empty and 0 where one is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from rich.console import Console
from rich.progress import track

from belowline.data.attack_corpora import toxic_spans_workers
from belowline.data.corpora import CorpusError
from belowline.model import Scorer
from belowline.model.evidence import Strengths
from belowline.training.measure.bootstrap import Figure, bootstrapped, missing
from belowline.training.measure.metrics import Bools, Floats

FLOORS: tuple[float, ...] = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))
"""Floors that are tried: 0.1 to 0.9."""
_CORPUS = "toxic-spans"
_WIDEST = "toxicity"
_NOT_ASKED = "spam"
_HALF = 0.5 - 1e-6  # shares are sums of fractions
Marks = Sequence[Sequence[tuple[int, int]]]
"""For each worker of a post the (start, end) that he marked, of whatever type."""


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


# --- what is marked --------------------------------------------------------------------------------------------------------------------


def worker_marks(folder: Path) -> dict[str, Marks]:
    """Comment id to the marks of each of its workers, from the files of ``toxic-spans``.

    The examples of the corpus only have the share of workers for each exact span of a type, and one worker often marks a word and,
    as another type, the phrase around it: sums of shares would count him twice.
    """
    return {
        comment: [[(int(span["start"]), int(span["end"])) for span in spans] for _, spans in votes]
        for comment, votes in toxic_spans_workers(folder).items()
    }


def marked_by_half(marks: Marks, length: int) -> Bools:
    """Which of ``length`` characters at least half of the workers marked, each counted once."""
    workers = np.zeros(length)
    for spans in marks:
        own = np.zeros(length, dtype=bool)
        for start, end in spans:
            own[start:end] = True
        workers += own
    return np.asarray(workers >= len(marks) * _HALF)


def marked_for(channel: str, spans: Sequence[Mapping[str, Any]], length: int) -> Bools:
    """Which of ``length`` characters a channel should speak for, by the spans of a dataset's row: those whose shares of annotators sum
    up to one half. ``toxicity`` should speak for every mark but those of spam, as in training.

    A worker who marked a character twice for one channel counts twice, which moves a border in 1 % of the posts.
    """
    share = np.zeros(length)
    for span in spans:
        if span["label"] == channel or (channel == _WIDEST and span["label"] != _NOT_ASKED):
            share[span["start"] : span["end"]] += span["strength"]
    return np.asarray(share >= _HALF)


# --- floors ----------------------------------------------------------------------------------------------------------------------------


def evidence_floors(
    scorer: Scorer, validation: Dataset, channels: Collection[str], console: Console
) -> dict[str, float]:
    """Channel to the floor with the best mean character F1 on the validation posts in which annotators were asked to mark words.

    A channel for which no floor does better than no evidence at all is left out: validation has too few marks to choose by.
    """
    asked = [row for row in _rows(validation, ("text", "spans", "spans_known")) if row["spans_known"]]
    strengths = _strengths(scorer, [row["text"] for row in asked], console)
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
    means = [float(np.mean(_scores(posts, {channel: floor}))) if posts else 0.0 for floor in FLOORS]
    best = int(np.argmax(means))
    return FLOORS[best] if means[best] > silent else None


def _scores(posts: Sequence[Post], floors: Mapping[str, float]) -> Floats:
    """Character F1 [n] of the characters at or above the floor of any channel."""
    return np.array([character_f1(predicted(post.strengths, floors), post.marked) for post in posts])


def predicted(strengths: Mapping[str, Floats], floors: Mapping[str, float]) -> Bools:
    """Which characters [T] are at or above the floor of any channel of ``floors``."""
    above = [strengths[channel] >= floor for channel, floor in floors.items()]
    return np.asarray(np.any(above, axis=0))


def _strengths(scorer: Scorer, texts: Sequence[str], console: Console) -> list[dict[str, Floats]]:
    found = []
    for text in track(texts, description="evidence", console=console):
        channels = scorer.token_strengths(text)
        found.append({channel: characters(tokens, len(text)) for channel, tokens in channels.items()})
    return found


def _rows(data: Dataset, columns: Sequence[str]) -> list[dict[str, Any]]:
    return [dict(row) for row in data.select_columns(list(columns))]


# --- the figure ------------------------------------------------------------------------------------------------------------------------


def evidence_figure(
    scorer: Scorer, data: DatasetDict, corpora: Path, limit: int | None, console: Console
) -> Figure:
    """Mean character F1 on the test posts of ``toxic-spans`` against what at least half of the workers marked.

    Evidence is what the token heads say at the model's floors, whether or not a label is held. Two ways of reading them, all channels
    but that of spam together and ``toxicity`` alone, are compared on validation; the better one is measured.
    """
    readings = _readings(scorer)
    folder = corpora / _CORPUS
    if not readings or not folder.is_dir():
        return missing(f"{folder} is not there" if readings else "the model gives no evidence")
    marks = worker_marks(folder)
    posts = {split: _posts(scorer, data[split], marks, limit, console) for split in ("validation", "test")}
    if not posts["test"] or not posts["validation"]:
        return missing(f"no posts of {_CORPUS} in the run's validation and test splits")
    on_validation = {
        name: float(_scores(posts["validation"], floors).mean()) for name, floors in readings.items()
    }
    best = max(on_validation, key=on_validation.__getitem__)
    silent = np.mean([not post.marked.any() for post in posts["test"]])
    tried = ", ".join(f"{name} {value:.3f}" for name, value in on_validation.items())
    floors = ", ".join(f"{channel} {floor:g}" for channel, floor in readings[best].items())
    note = f"read: {best} (validation: {tried}); floors: {floors}; marking nothing gives {silent:.3f}"
    return bootstrapped(np.mean, _scores(posts["test"], readings[best]), note=note)


def _readings(scorer: Scorer) -> dict[str, dict[str, float]]:
    """Name of a way to read the heads to the floors of its channels; of a channel that two labels read, the lower."""
    floors: dict[str, float] = {}
    for evidence in scorer.config.evidence.values():
        if evidence.channel != _NOT_ASKED:
            floors[evidence.channel] = min(evidence.floor, floors.get(evidence.channel, 1.0))
    readings = {"all channels": floors, f"{_WIDEST} alone": {_WIDEST: floors.get(_WIDEST, 0.0)}}
    return {name: given for name, given in readings.items() if given and given.keys() <= floors.keys()}


def _posts(
    scorer: Scorer, split: Dataset, marks: Mapping[str, Marks], limit: int | None, console: Console
) -> list[Post]:
    found = [row for row in _rows(split, ("text", "source", "row")) if row["source"] == _CORPUS][:limit]
    strange = [row["row"] for row in found if row["row"] not in marks]
    if strange:
        raise CorpusError(f"{_CORPUS}: post {strange[0]} of the run is not in it; fetch the pinned version")
    strengths = _strengths(scorer, [row["text"] for row in found], console)
    return [
        Post(given, marked_by_half(marks[row["row"]], len(row["text"])))
        for given, row in zip(strengths, found, strict=True)
    ]
