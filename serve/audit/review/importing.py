"""Imports a reviewed sample: decisions for training, and estimates for the whole archive."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.finished import FinishedAudit, article_of
from belowline.serve.audit.review.estimate import LEVEL, Estimate, Judged, recall, share
from belowline.serve.audit.review.sample import Sample, read_sample
from belowline.serve.audit.review.spreadsheet import read_sheet
from belowline.serve.batch.atomic import replacing

DECISIONS, ESTIMATE = "decisions.jsonl", "estimate.json"
_WHOLE = re.compile(r"([0-9]{1,12})(?:[.,]0+)?")
METHOD = (
    "Stratified estimator over cells of known size. Wilson interval with continuity correction, at the effective "
    "sample size after Kish with finite population correction. Recall combines the bounds of both sides."
)
ASSUMPTION = (
    "Comments of the sample that were not judged are assumed to be like those judged in the same cell. Decisions are "
    "assumed to be right: the interval does not cover errors and disagreements of reviewers."
)


@dataclass(frozen=True, slots=True)
class ReviewAnswer:
    """A reviewer's decision on one comment; ``labels`` lacks those that were left empty."""

    decision: str
    labels: Mapping[str, int]
    note: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Quality of an action of the policy over the whole archive.

    Attributes:
        comments: Number of comments with the action.
        precision: Share of them that should not be published; None if none was judged.
        recall: Share of all comments that should not be published; None if none of those is known.
    """

    comments: int
    precision: Estimate | None
    recall: Estimate | None


@dataclass(frozen=True, slots=True)
class Review:
    """Estimates from a reviewed sample.

    Attributes:
        comments: Number of comments of the archive.
        sampled: Number of comments of the sample.
        judged: Number of those with a decision.
        unfinished: Number of those without one.
        not_published: Share of the archive that should not be published.
        labels: Share of the archive with each label; None if it was not judged, or never as 0.
        policy: For ``hold or reject``, and for ``reject`` if the policy rejected comments.
        notes: Reasons for missing estimates, one sentence each.
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
    """Read the reviewed ``file`` of the audit in ``out``; writes decisions.jsonl and estimate.json there.

    Another import replaces both. Raises AuditError, and writes nothing, for another sample and for invalid cells.
    """
    audit = FinishedAudit.open(out)
    sample = read_sample(audit)
    answers = _read_answers(file, sample)
    if not answers:
        raise AuditError(f"{file}: no row has a decision; fill in the column decision")
    review = review_of(sample, answers)
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    about = {"reviewer": reviewer, "policy": audit.policy_version, "reviewed_at": moment}
    _write_decisions(audit, sample, answers, about)
    estimates = {"made_with": audit.made_with, "sample": sample.name, "level": LEVEL, **asdict(review)}
    notes = {"method": METHOD, "assumption": ASSUMPTION, "reviewed_at": moment}
    with replacing(out / ESTIMATE) as target:
        target.write(json.dumps({**estimates, **notes}, indent=1).encode() + b"\n")
    return review


def review_lines(review: Review) -> list[str]:
    """The review as lines for a terminal."""
    judged = f"{review.judged:,} of {review.sampled:,} comments judged"
    rest = f"; the other {review.unfinished:,} are assumed to be like those judged in their cell"
    rows = {"should not be published": review.not_published} | {
        label.replace("_", " "): one for label, one in review.labels.items()
    }
    width = max(map(len, rows))
    lines = [
        judged + (rest if review.unfinished else ""),
        f"of all {review.comments:,} comments (95 % interval):",
    ]
    for name, one in rows.items():
        count = one and (
            f", about {one.value * review.comments:,.0f} comments ({one.positive} of {one.judged} judged)"
        )
        lines.append(f"  {name:{width}}  {_shown(one)}{count or ''}")
    for name, measured in review.policy.items():
        lines.append(f"policy, {name}: {measured.comments:,} comments")
        lines.append(f"  precision  {_shown(measured.precision)}")
        lines.append(f"  recall     {_shown(measured.recall)}")
    return [*lines, *review.notes]


def _shown(one: Estimate | None) -> str:
    return f"{one.value:.1%} ({one.low:.1%} to {one.high:.1%})" if one else "not known"


def _read_answers(file: Path, sample: Sample) -> dict[int, ReviewAnswer]:
    """Number of the comment to the answer, in the file's order; rows without a decision are left out."""
    answers: dict[int, ReviewAnswer] = {}
    rows: dict[int, int] = {}
    for row, cells in read_sheet(file, ("number", "sample", "decision", *sample.labels)):
        where = f"{file}, row {row}"
        number = _number(where, cells, sample)
        if number in rows:
            raise AuditError(f"{where}, field number: same as in row {rows[number]}; remove one of them")
        rows[number] = row
        if answer := _answer(where, cells, sample.labels):
            answers[number] = answer
    return answers


def _number(where: str, cells: Mapping[str, str], sample: Sample) -> int:
    if cells["sample"] != sample.name:
        raise AuditError(
            f"{where}, field sample: not {sample.name}, the sample of this audit; "
            "name the audit of this file, or run its audit again with the same --sample"
        )
    match = _WHOLE.fullmatch(cells["number"])
    if match is None or int(match[1]) not in sample.by_number:
        raise AuditError(f"{where}, field number: no comment of this sample; restore the original number")
    return int(match[1])


def _answer(where: str, cells: Mapping[str, str], labels: Sequence[str]) -> ReviewAnswer | None:
    decision = cells["decision"].casefold()
    judged = {label: _flag(f"{where}, field {label}", cells[label]) for label in labels if cells[label]}
    if decision not in ("", "publish", "reject"):
        raise AuditError(
            f"{where}, field decision: not publish or reject; write one of them or leave it empty"
        )
    if judged and not decision:
        raise AuditError(f"{where}, field decision: empty, but labels are filled in; write publish or reject")
    return ReviewAnswer(decision, judged, cells.get("note", "")) if decision else None


def _flag(where: str, value: str) -> int:
    match = _WHOLE.fullmatch(value)
    if match is None or int(match[1]) > 1:
        raise AuditError(f"{where}: not 0 or 1; write one of them, or leave it empty if you did not judge it")
    return int(match[1])


def review_of(sample: Sample, answers: Mapping[int, ReviewAnswer]) -> Review:
    """The estimates from answers by comment number."""
    rejected = _judged(sample, {number: one.decision == "reject" for number, one in answers.items()})
    labels: dict[str, Estimate | None] = {}
    notes = []
    for label in sample.labels:
        flags = {number: bool(one.labels[label]) for number, one in answers.items() if label in one.labels}
        labels[label] = share(list(_judged(sample, flags).values()))
        if flags and len(flags) < len(answers) and all(flags.values()):
            labels[label] = None
            notes.append(f"{label}: never 0, and empty means not judged; write 0 for comments without it")
    actions = ("hold or reject", "reject") if "reject" in sample.cells else ("hold or reject",)
    return Review(
        comments=sum(cell.comments for cell in sample.cells.values()),
        sampled=len(sample.rows),
        judged=len(answers),
        unfinished=len(sample.rows) - len(answers),
        not_published=share(list(rejected.values())),
        labels=labels,
        policy={action: _measured(rejected, action) for action in actions},
        notes=tuple(notes),
    )


def _measured(cells: Mapping[str, Judged], action: str) -> Measured:
    prefixes = tuple(action.split(" or "))
    caught = [one for cell, one in cells.items() if cell.startswith(prefixes)]
    missed = [one for cell, one in cells.items() if not cell.startswith(prefixes)]
    return Measured(sum(one.comments for one in caught), share(caught), recall(caught, missed))


def _judged(sample: Sample, positive: Mapping[int, bool]) -> dict[str, Judged]:
    """Counts of every cell with comments; ``positive`` has the judged comments."""
    judged = Counter(sample.by_number[number].cell for number in positive)
    found = Counter(sample.by_number[number].cell for number, one in positive.items() if one)
    return {cell: Judged(one.comments, judged[cell], found[cell]) for cell, one in sample.cells.items()}


def _write_decisions(
    audit: FinishedAudit, sample: Sample, answers: Mapping[int, ReviewAnswer], about: Mapping[str, Any]
) -> None:
    """One row for each judged comment; the weights add up to the cells with judged comments."""
    judged = Counter(sample.by_number[number].cell for number in answers)
    with replacing(audit.folder / DECISIONS) as file:
        for number, row, parent in audit.chosen(lambda number, _: number in answers):
            drawn = sample.by_number[number]
            decision = {
                "number": number,
                **{name: row[name] for name in ("id", "source", "thread")},
                "article": article_of(row),
                "parent": parent["text"] if parent else None,
                "text": row["text"],
                **asdict(answers[number]),
                "stratum": drawn.stratum,
                "weight": sample.cells[drawn.cell].comments / judged[drawn.cell],
                "model": row["model"],
                **about,
            }
            file.write(json.dumps(decision, ensure_ascii=False).encode() + b"\n")
