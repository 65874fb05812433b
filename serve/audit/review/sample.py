"""A sample of an audit to review: half of it random, half where the model is unsure or finds harm.

The policy's action, and the distance of the probabilities to the hold thresholds, assign every comment to a cell.
A simple random sample of the whole archive comes first. Then simple random draws from the rest of each cell fill it up;
their number depends only on the sizes of the cells and of the first draws. So a comment in a cell with N comments,
n of them drawn, has the inclusion probability n/N and the weight N/n. No cell is left out; the weights add up.
"""

import hashlib
import heapq
import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel

from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.finished import FinishedAudit, Row
from belowline.serve.audit.review.spreadsheet import read_sheet, write_sheet
from belowline.serve.batch.atomic import replacing

SAMPLE, SAMPLE_NOTE = "sample.csv", "sample.json"
Cell = Literal[
    "publish far", "publish middle", "publish near", "hold near", "hold far", "hold other", "reject"
]
CELLS: tuple[Cell, ...] = get_args(Cell)
_MIDDLE, _NEAR, _JUST_HELD = 0.1, 0.5, 0.25
_SHARES: Mapping[Cell, float] = {
    "publish far": 1e-9,  # comes with the random half
    "publish middle": 0.2,
    "publish near": 0.3,
    "hold near": 0.2,
    "hold far": 0.15,
    "hold other": 0.05,
    "reject": 0.1,
}
"""Share of each cell in the picked half."""
_LEAST = 2
SMALLEST = 2 * _LEAST * len(CELLS)
"""Fewest comments of a sample: the picked half must be able to reach every cell."""
_BEFORE = ("number", "sample", "id", "source", "thread", "author", "time", "text", "parent_text", "decision")
_AFTER = ("note", "stratum", "weight")
_ON_TOPIC = "on_topic"


class SampledComment(BaseModel):
    """The number of a comment in comments.jsonl, its cell, and the half of the sample that it was drawn for."""

    number: int
    cell: Cell
    stratum: Literal["random", "picked"]


class SampledCell(BaseModel):
    """Number of comments of the archive in a cell, of those drawn in each half, and their weight.

    The weight is 1 over the inclusion probability.
    """

    comments: int
    random: int
    picked: int
    weight: float


class Sample(BaseModel):
    """A sample as sample.json has it.

    Attributes:
        name: Is in every row of sample.csv, to recognise a file of another sample.
        made_with: As in the audit's summary.
        seed: Seed of the draws.
        size: Requested size.
        labels: The label columns.
        cells: The cells that have comments.
        rows: In the order of sample.csv.
    """

    name: str
    made_with: dict[str, str]
    seed: int
    size: int
    labels: tuple[str, ...]
    cells: dict[Cell, SampledCell]
    rows: list[SampledComment]

    @cached_property
    def by_number(self) -> Mapping[int, SampledComment]:
        """The rows by the number of the comment."""
        return {one.number: one for one in self.rows}


def write_sample(out: Path, size: int, *, seed: int = 0) -> Path:
    """Draw up to ``size`` comments of the audit in ``out``; write sample.csv and sample.json, return the former.

    The same audit, size and seed give the same sample. It has no scores, which would influence the reviewer. Raises
    AuditError for an incomplete or redacted audit, too small a size and a filled in sample.csv.
    """
    audit = FinishedAudit.open(out)
    file = out / SAMPLE
    labels = (*(label for label in audit.thresholds if label != _ON_TOPIC), _ON_TOPIC)
    check_sample(out, size, audit.summary["comments"], labels)
    sample = draw_sample(audit, size, seed, labels)
    with replacing(out / SAMPLE_NOTE) as note:
        note.write(json.dumps(sample.model_dump(), indent=1).encode() + b"\n")
    write_sheet(file, [*_BEFORE, *labels, *_AFTER], _sheet_rows(audit, sample))
    return file


def check_sample(out: Path, size: int, comments: int, labels: Iterable[str]) -> None:
    """Raise AuditError if no sample of ``size`` can be drawn from ``comments`` comments and written to ``out``."""
    if size < min(SMALLEST, comments):
        raise AuditError(f"a sample of {size} is too small for estimates; take {SMALLEST} or more")
    file = out / SAMPLE
    if file.exists() and _is_filled_in(file, labels):
        raise AuditError(f"{file}: already filled in; import it or move it away first")


def read_sample(audit: FinishedAudit) -> Sample:
    """The sample of ``audit``; raises AuditError without one, and if the audit was repeated with other inputs since."""
    file = audit.folder / SAMPLE_NOTE
    try:
        sample = Sample.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise AuditError(f"{audit.folder}: the audit has no sample; draw one with --sample") from None
    except (OSError, ValueError):
        raise AuditError(f"{file}: damaged; run the audit again with the same --sample") from None
    if sample.made_with != audit.made_with:
        raise AuditError(f"{file}: belongs to another audit in this folder; draw a new sample")
    return sample


def draw_sample(audit: FinishedAudit, size: int, seed: int, labels: Sequence[str]) -> Sample:
    """Draw a sample in one pass; memory grows only with ``size``."""
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
    first = dict(anywhere.in_order())
    picked: dict[int, Cell] = {}
    drawn = Counter(first.values())
    for cell, wanted in _to_pick(comments, drawn, min(size, comments.total()) - len(first)).items():
        free = [number for number, _ in within[cell].in_order() if number not in first]
        picked |= dict.fromkeys(free[:wanted], cell)
    made_with = audit.made_with
    name = hashlib.sha256(json.dumps([made_with, seed, size], sort_keys=True).encode()).hexdigest()[:8]
    rows = [SampledComment(number=number, cell=cell, stratum="random") for number, cell in first.items()]
    rows += [SampledComment(number=number, cell=cell, stratum="picked") for number, cell in picked.items()]
    rows.sort(key=lambda row: row.number)
    rng.shuffle(rows)
    return Sample(
        name=f"s{name}",
        made_with=made_with,
        seed=seed,
        size=size,
        labels=tuple(labels),
        cells={
            cell: _sampled(comments[cell], drawn[cell], Counter(picked.values())[cell])
            for cell in CELLS
            if comments[cell]
        },
        rows=rows,
    )


def _sampled(comments: int, drawn: int, picked: int) -> SampledCell:
    return SampledCell(comments=comments, random=drawn, picked=picked, weight=comments / (drawn + picked))


def cell_of(row: Row, thresholds: Mapping[str, float]) -> Cell:
    """The cell of a comment, from its action and the distance of its probabilities to the hold ``thresholds``."""
    if row["action"] == "reject":
        return "reject"
    scores: Mapping[str, float] = row["scores"]
    if row["action"] == "publish":
        ratios = (scores[label] / hold for label, hold in thresholds.items() if hold and label in scores)
        near = max(ratios, default=0.0)
        return "publish near" if near >= _NEAR else "publish middle" if near >= _MIDDLE else "publish far"
    label = row["reason"]["label"]
    if label not in scores or label not in thresholds:
        return "hold other"
    beyond = scores[label] - thresholds[label]
    return "hold near" if beyond < _JUST_HELD * (1 - thresholds[label]) else "hold far"


class _Smallest:
    """The ``size`` comments with the smallest keys."""

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
    """The number of further draws from each cell: ``_LEAST`` in all, then by ``_SHARES`` while comments last."""
    room = {cell: comments.get(cell, 0) - drawn.get(cell, 0) for cell in CELLS}
    picked = Counter({cell: min(max(_LEAST - drawn.get(cell, 0), 0), room[cell]) for cell in CELLS})
    while picked.total() < total:
        open_cells = [cell for cell in CELLS if picked[cell] < room[cell]]
        picked[min(open_cells, key=lambda cell: (picked[cell] + 1) / _SHARES[cell])] += 1
    return picked


def _sheet_rows(audit: FinishedAudit, sample: Sample) -> Iterator[dict[str, Any]]:
    """The rows of sample.csv in the sample's order."""
    wanted = sample.by_number
    chosen = {number: (row, parent) for number, row, parent in audit.chosen(lambda n, _: n in wanted)}
    for drawn in sample.rows:
        row, parent = chosen[drawn.number]
        own = {"number": drawn.number, "sample": sample.name, "parent_text": parent and parent["text"]}
        yield row | own | {"stratum": drawn.stratum, "weight": f"{sample.cells[drawn.cell].weight:.6g}"}


def _is_filled_in(file: Path, labels: Iterable[str]) -> bool:
    """True if a reviewer wrote into the file, also if it cannot be read as a sample."""
    try:
        rows = read_sheet(file, ("number",))
    except AuditError:
        return True
    return any(row.get(name) for _, row in rows for name in ("decision", "note", *labels))
