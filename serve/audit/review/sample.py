"""A sample of an audit for people to review: half of it random, half where the model is unsure or sees harm.

How it is drawn. The comments (rows; each copy counts) fall into the cells of ``CELLS``, by the policy's action and by how near their
probabilities are to the hold thresholds. A simple random sample of the whole archive comes first. Then cells are filled up: from the
comments of a cell that are not drawn yet, a simple random sample of a size that depends on the sizes of the cells and on how many the first
sample drew in each, on nothing else. Given those counts, what is drawn of a cell is a simple random sample of it, whatever half it came by.
So a comment of a cell with N comments, n of them drawn, was drawn with the probability n/N, and weighs N/n. No cell that has comments is
left without draws; the weights of the sample add up to the archive.

Estimator: stratified (post-stratified Horvitz-Thompson), the sum over the cells of N times the share found among those drawn, over the
archive's comments. Given the counts it is unbiased, hence also without.
"""

import hashlib
import heapq
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from belowline.model import BelowlineError
from belowline.serve.audit.finished import FinishedAudit, Row
from belowline.serve.audit.review.spreadsheet import SheetError, read_sheet, write_sheet
from belowline.serve.batch.atomic import replacing

SAMPLE, SAMPLE_NOTE = "sample.csv", "sample.json"
Cell = Literal[
    "publish far", "publish middle", "publish near", "hold near", "hold far", "hold other", "reject"
]
CELLS: tuple[Cell, ...] = get_args(Cell)
_MIDDLE, _NEAR, _JUST_HELD = 0.1, 0.5, 0.25
_SHARES: Mapping[Cell, float] = {
    "publish middle": 0.2,
    "publish near": 0.3,
    "hold near": 0.2,
    "hold far": 0.15,
    "hold other": 0.05,
    "reject": 0.1,
}
"""How the picked half is shared out; what the model is sure to publish comes by the random half."""
_LEAST = 2
SMALLEST = 2 * _LEAST * len(CELLS)
"""Fewest comments of a sample: the picked half must be able to reach every cell."""
BEFORE, AFTER = (
    ("number", "sample", "id", "source", "thread", "author", "time", "text", "parent_text", "decision"),
    ("note", "stratum", "weight"),
)
ON_TOPIC = "on_topic"


class SampleError(BelowlineError):
    """A sample cannot be drawn or read; the message is one line."""


@dataclass(frozen=True, slots=True)
class SampledComment:
    """A comment of a sample: its cell, and whether the random or the picked half drew it."""

    cell: Cell
    stratum: Literal["random", "picked"]


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn of an audit, as sample.json keeps it.

    Attributes:
        name: Stands in every row of sample.csv, so that a file of another sample is noticed.
        made_with: That of the audit.
        seed: Of the draws.
        size: What was asked for.
        labels: The columns for labels.
        comments: How many comments the archive has in each cell.
        rows: Number of the comment in comments.jsonl, in the order of sample.csv.
    """

    name: str
    made_with: Mapping[str, str]
    seed: int
    size: int
    labels: tuple[str, ...]
    comments: Mapping[Cell, int]
    rows: Mapping[int, SampledComment]

    @property
    def drawn(self) -> Counter[Cell]:
        """How many were drawn in each cell."""
        return Counter(one.cell for one in self.rows.values())

    @property
    def weights(self) -> Mapping[Cell, float]:
        """1 over the probability with which a comment of a cell was drawn."""
        return {cell: self.comments[cell] / drawn for cell, drawn in self.drawn.items()}


def write_sample(out: Path, size: int, *, seed: int = 0, force: bool = False) -> Path:
    """Draws up to ``size`` comments of the finished audit in ``out`` and writes ``sample.csv`` and ``sample.json``; returns the former.

    The same audit, size and seed give the same sample. The model's scores are not in it, for they would sway who reviews. Raises
    AuditFolderError for an audit that is unfinished or redacted, SampleError for too small a size, and where sample.csv was filled in
    already and not ``force``.
    """
    audit = FinishedAudit.open(out, why="can be reviewed")
    if size < min(SMALLEST, audit.summary["comments"]):
        raise SampleError(f"a sample of {size} is too small to be estimated from; take {SMALLEST} or more")
    file = out / SAMPLE
    labels = (*(label for label in audit.thresholds if label != ON_TOPIC), ON_TOPIC)
    if not force and file.exists() and _is_filled_in(file, labels):
        raise SampleError(
            f"{file}: is filled in already; import it or move it away first, or replace it by force"
        )
    sample = draw_sample(audit, size, seed, labels)
    with replacing(out / SAMPLE_NOTE) as note:
        note.write(json.dumps(_as_json(sample), indent=1).encode() + b"\n")
    write_sheet(file, [*BEFORE, *labels, *AFTER], _sheet_rows(audit, sample))
    return file


def read_sample(audit: FinishedAudit) -> Sample:
    """The sample that was drawn of ``audit``; raises SampleError where there is none, or the audit was made again with something else."""
    file = audit.folder / SAMPLE_NOTE
    try:
        found = json.loads(file.read_text("utf-8"))
        rows = {one["number"]: SampledComment(one["cell"], one["stratum"]) for one in found["rows"]}
        comments = {cell: one["comments"] for cell, one in found["cells"].items()}
        same = (found["name"], found["made_with"], found["seed"], found["size"], tuple(found["labels"]))
    except FileNotFoundError:
        raise SampleError(
            f"{audit.folder}: no sample was drawn of this audit; draw one with --sample"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise SampleError(
            f"{file}: cannot be read; draw the sample again with the same size and seed"
        ) from None
    if found["made_with"] != audit.made_with:
        raise SampleError(f"{file}: the audit was made again with something else since; draw a new sample")
    return Sample(*same, comments, rows)


def draw_sample(audit: FinishedAudit, size: int, seed: int, labels: Sequence[str]) -> Sample:
    """Draws in one pass; memory grows with ``size`` alone."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, nothing secret
    anywhere = _Smallest(size if size >= audit.summary["comments"] else size - size // 2)
    within = {cell: _Smallest(size) for cell in CELLS}
    comments: Counter[Cell] = Counter()
    thresholds = audit.thresholds
    for number, row in audit.rows():
        cell = cell_of(row, thresholds)
        comments[cell] += 1
        anywhere.add(rng.random(), (number, cell))
        within[cell].add(rng.random(), (number, cell))
    rows = {number: SampledComment(cell, "random") for number, cell in anywhere.in_order()}
    first = Counter(one.cell for one in rows.values())
    for cell, wanted in _to_pick(comments, first, min(size, comments.total()) - len(rows)).items():
        free = [number for number, _ in within[cell].in_order() if number not in rows]
        rows |= {number: SampledComment(cell, "picked") for number in free[:wanted]}
    order = sorted(rows)
    rng.shuffle(order)
    made_with = audit.made_with
    name = hashlib.sha256(json.dumps([made_with, seed, size], sort_keys=True).encode()).hexdigest()[:8]
    return Sample(
        f"s{name}", made_with, seed, size, tuple(labels), comments, {number: rows[number] for number in order}
    )


def cell_of(row: Row, thresholds: Mapping[str, float]) -> Cell:
    """Where a comment belongs: by its action, and by how near its probabilities are to the hold ``thresholds``."""
    if row["action"] == "reject":
        return "reject"
    scores: Mapping[str, float] = row["scores"]
    if row["action"] == "publish":
        near = max(
            (scores[label] / hold for label, hold in thresholds.items() if hold and label in scores),
            default=0.0,
        )
        return "publish near" if near >= _NEAR else "publish middle" if near >= _MIDDLE else "publish far"
    label = row["reason"]["label"]
    if label not in scores or label not in thresholds:
        return "hold other"
    beyond = scores[label] - thresholds[label]
    return "hold near" if beyond < _JUST_HELD * (1 - thresholds[label]) else "hold far"


class _Smallest:
    """The comments with the smallest of the keys that came, at most ``size``."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[float, tuple[int, Cell]]] = []

    def add(self, key: float, one: tuple[int, Cell]) -> None:
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, (-key, one))
        elif -key > self._heap[0][0]:
            heapq.heapreplace(self._heap, (-key, one))

    def in_order(self) -> list[tuple[int, Cell]]:
        return [one for _, one in sorted(self._heap, reverse=True)]


def _to_pick(comments: Mapping[Cell, int], drawn: Mapping[Cell, int], total: int) -> Counter[Cell]:
    """How many more of each cell: ``_LEAST`` where fewer are drawn, then by ``_SHARES`` while the cells last."""
    room = {cell: comments.get(cell, 0) - drawn.get(cell, 0) for cell in CELLS}
    picked: Counter[Cell] = Counter(
        {cell: min(max(_LEAST - drawn.get(cell, 0), 0), room[cell]) for cell in CELLS}
    )
    while picked.total() < total:
        open_cells = [cell for cell in CELLS if picked[cell] < room[cell]]
        share = {cell: _SHARES.get(cell, 1e-9) for cell in open_cells}
        picked[min(open_cells, key=lambda cell: (picked[cell] + 1) / share[cell])] += 1
    return picked


def _sheet_rows(audit: FinishedAudit, sample: Sample) -> Iterator[dict[str, Any]]:
    """The rows of sample.csv in the sample's order; the texts are held in memory, as many as were drawn."""
    found = {number: (row, parent) for number, row, parent in audit.chosen(lambda n, _: n in sample.rows)}
    weights = sample.weights
    for number, drawn in sample.rows.items():
        row, parent = found[number]
        shown = {name: row[name] for name in ("id", "source", "thread", "author", "time", "text")}
        own = {"number": number, "sample": sample.name, "parent_text": parent and parent["text"]}
        yield shown | own | {"stratum": drawn.stratum, "weight": f"{weights[drawn.cell]:.6g}"}


def _as_json(sample: Sample) -> dict[str, Any]:
    halves = Counter((one.cell, one.stratum) for one in sample.rows.values())
    cells = {
        cell: {
            "comments": sample.comments[cell],
            "random": halves[cell, "random"],
            "picked": halves[cell, "picked"],
            "weight": sample.weights[cell],
        }
        for cell in CELLS
        if sample.comments[cell]
    }
    return {
        "name": sample.name,
        "made_with": dict(sample.made_with),
        "seed": sample.seed,
        "size": sample.size,
        "labels": list(sample.labels),
        "cells": cells,
        "rows": [
            {"number": number, "cell": one.cell, "stratum": one.stratum}
            for number, one in sample.rows.items()
        ],
    }


def _is_filled_in(file: Path, labels: Sequence[str]) -> bool:
    """Whether anybody wrote into it; a file that cannot be read as ours is somebody's work too."""
    try:
        rows = read_sheet(file, ("number",))
    except SheetError:
        return True
    return any(row.get(name) for _, row in rows for name in ("decision", "note", *labels))
