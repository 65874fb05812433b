"""A reviewed sample comes back: decisions for training, and what the archive holds by estimate."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from belowline.model import BelowlineError
from belowline.serve.audit.finished import FinishedAudit, article_of
from belowline.serve.audit.review.estimate import LEVEL, Estimate, Judged, recall, share
from belowline.serve.audit.review.sample import CELLS, Sample, read_sample
from belowline.serve.audit.review.spreadsheet import read_sheet
from belowline.serve.batch.atomic import replacing

DECISIONS, ESTIMATE = "decisions.jsonl", "estimate.json"
_FLAGGED = tuple(cell for cell in CELLS if not cell.startswith("publish"))
_WHOLE = re.compile(r"([0-9]{1,12})(?:[.,]0+)?")
METHOD = (
    "Stratified estimator over cells of known size; exact (Clopper-Pearson) interval of each cell, combined by MOVER with the finite "
    "population correction; it does not shrink to nothing where no positive was found. Ratios by MOVER for ratios."
)
ASSUMPTION = (
    "Comments of the sample that were not judged are taken to be like those judged in the same cell. What reviewers decided is taken to be "
    "right: their errors and disagreements are not in the interval."
)


class ReviewError(BelowlineError):
    """A reviewed file cannot be taken; the message is one line: file, row, field and what to do, and no cell's content."""


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """What a reviewer said of one comment; labels that they left empty are missing."""

    decision: str
    labels: Mapping[str, int]
    note: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What a kind of action of the policy is worth, over the whole archive.

    Attributes:
        comments: How many comments it was taken on.
        precision: Share of them that should not be published; None where none of them was judged.
        recall: Share of all that should not be published that it was taken on; None where none such was found.
    """

    comments: int
    precision: Estimate | None
    recall: Estimate | None


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewed sample says of its archive.

    Attributes:
        comments: Of the archive.
        sampled: Comments of the sample.
        judged: Those with a decision; the others are ``unfinished``.
        not_published: Share of the archive that should not be published; None where nothing was judged.
        labels: Share of the archive that has each label; None where it was not judged, or only ever as 1.
        policy: Of ``hold or reject``, and of ``reject`` where the policy rejected.
        notes: What keeps a figure from being given, a sentence each.
    """

    comments: int
    sampled: int
    judged: int
    unfinished: int
    not_published: Estimate | None
    labels: Mapping[str, Estimate | None]
    policy: Mapping[str, Measured]
    notes: tuple[str, ...]


def import_review(file: Path, out: Path, *, reviewer: str | None = None) -> Review:
    """Reads the reviewed ``file`` of the audit in ``out``, and writes ``decisions.jsonl`` and ``estimate.json`` there.

    Importing again replaces both. Raises AuditFolderError, SampleError or SheetError for an audit, a sample or a file that cannot be read,
    ReviewError for a file of another sample and for what nobody can have meant; then nothing is written.
    """
    audit = FinishedAudit.open(out, why="was reviewed")
    sample = read_sample(audit)
    verdicts = _read_verdicts(file, sample)
    if not verdicts:
        raise ReviewError(f"{file}: no row has a decision; fill in the column decision")
    review = review_of(sample, verdicts)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"reviewer": reviewer, "policy": audit.policy_version, "reviewed_at": moment}
    _write_decisions(audit, sample, verdicts, about)
    whole = {"made_with": audit.made_with, "sample": sample.name, "level": LEVEL, **asdict(review)}
    with replacing(out / ESTIMATE) as target:
        text = json.dumps(
            {**whole, "method": METHOD, "assumption": ASSUMPTION, "reviewed_at": moment}, indent=1
        )
        target.write(text.encode() + b"\n")
    return review


def review_lines(review: Review) -> list[str]:
    """The review on one screen."""
    of = f"{review.judged:,} of {review.sampled:,} comments judged"
    left = f"; {review.unfinished:,} are not, and are taken to be like the others of their kind"
    rows: list[tuple[str, Estimate | None]] = [("should not be published", review.not_published)]
    rows += [(label.replace("_", " "), one) for label, one in review.labels.items()]
    width = max(len(name) for name, _ in rows)
    lines = [
        of + (left if review.unfinished else ""),
        f"of all {review.comments:,} comments (95 % interval):",
    ]
    lines += [f"  {name:{width}}  {_with_count(one, review.comments)}" for name, one in rows]
    for name, one in review.policy.items():
        lines.append(f"policy, {name}: {one.comments:,} comments")
        lines.append(f"  precision  {_shown(one.precision)}")
        lines.append(f"  recall     {_shown(one.recall)}")
    return [*lines, *review.notes]


def _shown(one: Estimate | None) -> str:
    return f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})" if one else "not known"


def _with_count(one: Estimate | None, comments: int) -> str:
    if one is None:
        return _shown(one)
    return (
        f"{_shown(one)}, about {one.value * comments:,.0f} comments ({one.positive} of {one.judged} judged)"
    )


def _read_verdicts(file: Path, sample: Sample) -> dict[int, ReviewAnswer]:
    """Number of the comment to what was decided, in the file's order; rows without a decision are left out."""
    verdicts: dict[int, ReviewAnswer] = {}
    seen: dict[int, int] = {}
    for row, cells in read_sheet(file, ("number", "sample", "decision", *sample.labels)):
        where = f"{file}, row {row}"
        number = _number(where, cells, sample)
        if number in seen:
            raise ReviewError(f"{where}, field number: is that of row {seen[number]} too; remove one of them")
        seen[number] = row
        verdict = _verdict(where, cells, sample.labels)
        if verdict is not None:
            verdicts[number] = verdict
    return verdicts


def _number(where: str, cells: Mapping[str, str], sample: Sample) -> int:
    if cells["sample"] != sample.name:
        raise ReviewError(
            f"{where}, field sample: is not {sample.name}, the sample of this audit; "
            "name the audit that it was drawn from, or draw the same sample again with its size and seed"
        )
    found = _WHOLE.fullmatch(cells["number"])
    if found is None or int(found[1]) not in sample.rows:
        raise ReviewError(f"{where}, field number: is no comment of this sample; leave the column as it was")
    return int(found[1])


def _verdict(where: str, cells: Mapping[str, str], labels: Sequence[str]) -> ReviewAnswer | None:
    decision = cells["decision"].casefold()
    given = {label: _flag(f"{where}, field {label}", cells[label]) for label in labels if cells[label]}
    if decision not in ("", "publish", "reject"):
        raise ReviewError(
            f"{where}, field decision: is not publish or reject; write one of them or leave it empty"
        )
    if not decision:
        if given:
            raise ReviewError(
                f"{where}, field decision: is empty, but labels are given; write publish or reject"
            )
        return None
    return ReviewAnswer(decision, given, cells.get("note", ""))


def _flag(where: str, value: str) -> int:
    found = _WHOLE.fullmatch(value)
    if found is None or int(found[1]) > 1:
        raise ReviewError(
            f"{where}: is not 0 or 1; write one of them, or leave it empty where it was not judged"
        )
    return int(found[1])


def review_of(sample: Sample, verdicts: Mapping[int, ReviewAnswer]) -> Review:
    """What the verdicts on comments of ``sample``, by their numbers, say of its archive."""
    rejected = _counted(sample, {number: one.decision == "reject" for number, one in verdicts.items()})
    labels: dict[str, Estimate | None] = {}
    notes = []
    for label in sample.labels:
        given = {number: bool(one.labels[label]) for number, one in verdicts.items() if label in one.labels}
        labels[label] = share(list(_counted(sample, given).values()))
        if given and len(given) < len(verdicts) and all(given.values()):
            labels[label] = None
            notes.append(
                f"{label}: never judged as 0, and empty means not judged; write 0 where it does not apply"
            )
    actions = {"hold or reject": _FLAGGED, "reject": ("reject",)}
    return Review(
        comments=sum(sample.comments.values()),
        sampled=len(sample.rows),
        judged=len(verdicts),
        unfinished=len(sample.rows) - len(verdicts),
        not_published=share(list(rejected.values())),
        labels=labels,
        policy={
            name: _measured(rejected, cells)
            for name, cells in actions.items()
            if name != "reject" or sample.comments.get("reject")
        },
        notes=tuple(notes),
    )


def _measured(cells: Mapping[str, Judged], flagged: Sequence[str]) -> Measured:
    caught = [one for cell, one in cells.items() if cell in flagged]
    missed = [one for cell, one in cells.items() if cell not in flagged]
    return Measured(sum(one.comments for one in caught), share(caught), recall(caught, missed))


def _counted(sample: Sample, positive: Mapping[int, bool]) -> dict[str, Judged]:
    """Every cell that has comments, with what was ``positive`` of those judged."""
    judged = Counter(sample.rows[number].cell for number in positive)
    found = Counter(sample.rows[number].cell for number, one in positive.items() if one)
    return {cell: Judged(size, judged[cell], found[cell]) for cell, size in sample.comments.items() if size}


def _write_decisions(
    audit: FinishedAudit, sample: Sample, verdicts: Mapping[int, ReviewAnswer], about: Mapping[str, Any]
) -> None:
    """A row for each judged comment; the weights are those of the judged, so that they add up to the cells that were judged."""
    judged = Counter(sample.rows[number].cell for number in verdicts)
    with replacing(audit.folder / DECISIONS) as file:
        for number, row, parent in audit.chosen(lambda number, _: number in verdicts):
            verdict, drawn = verdicts[number], sample.rows[number]
            decision = {
                "number": number,
                **{name: row[name] for name in ("id", "source", "thread")},
                "article": article_of(row),
                "parent": parent["text"] if parent else None,
                "text": row["text"],
                **asdict(verdict),
                "stratum": drawn.stratum,
                "weight": sample.comments[drawn.cell] / judged[drawn.cell],
                "model": row["model"],
                **about,
            }
            file.write(json.dumps(decision, ensure_ascii=False).encode() + b"\n")
