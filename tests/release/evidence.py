"""Character F1 of evidence on the posts of ``toxic-spans``, for the table of a release."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict
from rich.console import Console

from belowline.data.corpora import CorpusError
from belowline.data.corpora.attack import toxic_spans_workers
from belowline.model import Scorer
from belowline.training.measure.character_f1 import (
    HALF,
    NOT_ASKED,
    WIDEST,
    Post,
    f1_scores,
    rows_of_columns,
    strengths_of,
)
from belowline.training.measure.intervals import Bools
from tests.release.bootstrap import Measurement, bootstrapped, missing

_CORPUS = "toxic-spans"


Marks = Sequence[Sequence[tuple[int, int]]]
"""(start, end) of each worker's marks in a post, of any type."""


def worker_marks(folder: Path) -> dict[str, Marks]:
    """Return the marks of each worker by comment id, from the files of ``toxic-spans``.

    The examples of the corpus only have the share of workers for each exact span of a type. One worker often marks a
    word and, as another type, the phrase around it, so sums of shares would count that worker twice.
    """
    return {
        comment: [[(int(span["start"]), int(span["end"])) for span in spans] for _, spans in votes]
        for comment, votes in toxic_spans_workers(folder).items()
    }


def marked_by_half(marks: Marks, length: int) -> Bools:
    """Return a mask [length] of the characters that at least half of the workers marked."""
    workers = np.zeros(length)
    for spans in marks:
        own = np.zeros(length, dtype=bool)
        for start, end in spans:
            own[start:end] = True
        workers += own
    return np.asarray(workers >= len(marks) * HALF)


def evidence_figure(
    scorer: Scorer, data: DatasetDict, corpora: Path, limit: int | None, console: Console
) -> Measurement:
    """Return the mean character F1 on the test posts of ``toxic-spans``.

    The reference is the characters that at least half of the workers marked. Evidence is the output of the token heads
    at the model's floors, whether or not a label is held. Two combinations of heads are compared on validation: all
    channels but that of spam, and ``toxicity`` alone. The better one is measured.
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
        name: float(f1_scores(posts["validation"], floors).mean()) for name, floors in readings.items()
    }
    best = max(on_validation, key=on_validation.__getitem__)
    silent = np.mean([not post.marked.any() for post in posts["test"]])
    tried = ", ".join(f"{name} {value:.3f}" for name, value in on_validation.items())
    floors = ", ".join(f"{channel} {floor:g}" for channel, floor in readings[best].items())
    note = f"read: {best} (validation: {tried}); floors: {floors}; marking nothing gives {silent:.3f}"
    return bootstrapped(np.mean, f1_scores(posts["test"], readings[best]), note=note)


def _readings(scorer: Scorer) -> dict[str, dict[str, float]]:
    """Combinations of heads by name, with the floors of their channels.

    A channel that two labels share has the lower of their floors.
    """
    floors: dict[str, float] = {}
    for evidence in scorer.config.evidence.values():
        if evidence.channel != NOT_ASKED:
            floors[evidence.channel] = min(evidence.floor, floors.get(evidence.channel, 1.0))
    readings = {"all channels": floors, f"{WIDEST} alone": {WIDEST: floors.get(WIDEST, 0.0)}}
    return {name: given for name, given in readings.items() if given and given.keys() <= floors.keys()}


def _posts(
    scorer: Scorer, split: Dataset, marks: Mapping[str, Marks], limit: int | None, console: Console
) -> list[Post]:
    found = [row for row in rows_of_columns(split, ("text", "source", "row")) if row["source"] == _CORPUS][
        :limit
    ]
    strange = [row["row"] for row in found if row["row"] not in marks]
    if strange:
        raise CorpusError(f"{_CORPUS}: post {strange[0]} of the run is not in it; fetch the pinned version")
    strengths = strengths_of(scorer, [row["text"] for row in found], console)
    return [
        Post(given, marked_by_half(marks[row["row"]], len(row["text"])))
        for given, row in zip(strengths, found, strict=True)
    ]
