"""The strength from which a token is evidence, chosen for each label on the marks of a run's validation split."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from datasets import Dataset
from rich.console import Console

from belowline.model import Scorer
from belowline.model.directory import EvidenceChannel
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

_GRID = tuple(round(0.2 + step * 0.05, 2) for step in range(14))
_FEWEST = 30
_MOST = 400
"""Posts with marks that a label needs, and posts that are read."""


def fit_floors(
    scorer: Scorer, validation: Dataset, channels: Mapping[str, EvidenceChannel], console: Console
) -> dict[str, EvidenceChannel]:
    """Return ``channels`` with the floor of the best mean character F1 for each label.

    The reference is the characters that at least half of the annotators marked, in the posts that the label fits and
    whose annotators were asked for marks. A label with fewer than 30 posts with marks keeps its floor.
    """
    columns = ("text", "labels", "spans", "spans_known")
    rows = [row for row in rows_of_columns(validation, columns) if row["spans_known"]]
    marked = {label: _marked(_fitting(rows, scorer.labels.index(label)), label) for label in channels}
    needed = sorted({at for marks in marked.values() for at in marks})
    strengths = dict(
        zip(needed, strengths_of(scorer, [rows[at]["text"] for at in needed], console), strict=True)
    )
    fitted = {}
    for label, evidence in channels.items():
        posts = [Post(strengths[at], mask) for at, mask in marked[label].items()]
        enough = sum(post.marked.any() for post in posts) >= _FEWEST
        floor = _best(posts, evidence.channel) if enough else evidence.floor
        console.print(f"evidence of {label}: floor {floor:g}, {len(posts)} posts")
        fitted[label] = evidence.model_copy(update={"floor": floor})
    return fitted


def _best(posts: list[Post], channel: str) -> float:
    return max(_GRID, key=lambda floor: float(f1_scores(posts, {channel: floor}).mean()))


def _fitting(rows: list[dict[str, Any]], column: int) -> dict[int, dict[str, Any]]:
    """Return number to row of those that the label of this column fits."""
    return {at: row for at, row in enumerate(rows) if (row["labels"][column] or 0) >= HALF}


def _marked(rows: Mapping[int, dict[str, Any]], label: str) -> dict[int, Bools]:
    """Return number of a row to the characters [T] that half of its annotators marked; toxicity counts all but spam.

    Rows come in the order of their corpora. At most 400 are used, from all over them.
    """
    masks: dict[int, Bools] = {}
    for at in list(rows)[:: max(1, len(rows) // _MOST)][:_MOST]:
        strengths = np.zeros(len(rows[at]["text"]))
        for span in rows[at]["spans"]:
            if span["label"] == label or (label == WIDEST and span["label"] != NOT_ASKED):
                strengths[span["start"] : span["end"]] += span["strength"]
        masks[at] = strengths >= HALF
    return masks
