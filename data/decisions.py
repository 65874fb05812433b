"""Files of moderator decisions, ``belowline-decisions/1``: a header line, then one decision a line.

``serve/DECISIONS.md`` documents the format; ``belowline decisions export`` writes it. This module also reads the
reviewed sample of an audit.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from belowline.data.comment import ReadError
from belowline.data.decision_labels import decision_labels, implied
from belowline.data.example import Example, digest, known
from belowline.model.errors import all_problems

FORMAT: Final = "belowline-decisions/1"
MOST_WEIGHT = 100.0
"""Largest weight of an example: without a limit, a few rare draws would dominate a training."""
FEEDBACK = "feedback"
"""Origin of decisions that callers of the Perspective API suggest."""
REVIEW = "review"
"""Origin of decisions from the reviewed sample of an audit."""
_ENOUGH_KEYS = 60
"""Split keys from which each split is almost surely not empty: with fewer, validation is empty in 1 of 100 cases."""
UNNAMED = "audit"
"""Site of reviewed comments that name no site."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, StringConstraints(pattern=r"\S")]
Name = Annotated[str, Field(min_length=1)]
Labels = dict[Name, Share]
Action = Literal["publish", "reject"]


class _Part(BaseModel):
    """Base of the records of a file; unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Decided(_Part):
    """One line: a comment and the decision on it. ``serve/DECISIONS.md`` documents the fields."""

    row: Name
    site: Name
    text: Text
    labels: Labels
    origin: Name
    decision: Action | None
    code: str | None
    overturned: bool
    blind: bool
    split_key: Name
    article: str | None
    parent: str | None
    sampled: Literal["random", "picked"]
    weight: Annotated[Weight, Field(le=MOST_WEIGHT)] | None
    decided_at: AwareDatetime
    model: str | None
    scores: Labels

    @property
    def text_key(self) -> str:
        """Hash of the text that ignores differences in white space."""
        return digest(" ".join(self.text.split()))


class Counts(_Part):
    """Counts of a file: examples by origin, draw and label; decisions without an example by reason.

    ``unweighted`` counts random draws of unknown probability.
    """

    examples: int = 0
    origin: Counter[str] = Counter()
    sampled: Counter[str] = Counter()
    unweighted: int = 0
    labels: dict[str, Counter[str]] = {}
    left_out: Counter[str] = Counter()

    def add(self, one: Decided) -> None:
        """Count one example; a label counts as ``yes`` from 0.5, else as ``no``."""
        self.examples += 1
        self.origin[one.origin] += 1
        self.sampled[one.sampled] += 1
        self.unweighted += one.weight is None
        for label, value in one.labels.items():
            self.labels.setdefault(label, Counter())["yes" if value >= 0.5 else "no"] += 1


class Header(_Part):
    """The header, the first line of a file."""

    format: Literal["belowline-decisions/1"] = FORMAT
    exported_at: AwareDatetime
    belowline: str
    site: str | None
    since: AwareDatetime | None
    until: AwareDatetime | None
    counts: Counts
    most_weight: float = MOST_WEIGHT
    guidelines: str
    erasure: str


class _Reviewed(_Part):
    """A line of an audit's ``decisions.jsonl``."""

    id: str | int
    source: str
    site: Name | None = None
    thread: str | None = None
    article: str | None = None
    parent: str | None = None
    text: Text
    decision: Action
    labels: Labels
    stratum: Literal["random", "picked"]
    weight: Weight
    model: str | None = None
    reviewed_at: AwareDatetime


class _First(_Part):
    """The first line of a file, which tells decisions from reviews."""

    format: str = ""
    stratum: str = ""


Kind = TypeVar("Kind", bound=_Part)


def read_decisions(path: Path) -> list[Example]:
    """The examples of a file of decisions, or of an audit's reviewed sample; raises ReadError.

    ``source`` is ``decisions:SITE`` and ``slice`` is ``random``, ``picked`` or ``feedback``. The split comes from
    ``split_key``. An example without a known label has no labels.
    """
    return [example_of(one) for one in read_decided(path)]


def examples_to_split(path: Path) -> list[Example]:
    """The examples of ``read_decisions`` with split keys for training and measuring.

    Decisions on fewer than 60 articles would likely leave a split empty, so each comment is then its own split key."""
    examples = read_decisions(path)
    if len({one.split_key for one in examples}) >= _ENOUGH_KEYS:
        return examples
    return [replace(one, split_key=f"{one.source} {one.row}") for one in examples]


def example_of(one: Decided) -> Example:
    """The training example of a decision."""
    return Example(
        one.text,
        known(**one.labels),
        f"decisions:{one.site}",
        one.row,
        one.split_key,
        parent=one.parent,
        article=one.article,
        slice=FEEDBACK if one.origin == FEEDBACK else one.sampled,
        weight=1.0 if one.weight is None else one.weight,
    )


def read_decided(path: Path) -> Iterator[Decided]:
    """The decisions of a file, or of an audit's reviewed sample, in order; raises ReadError with line and field."""
    lines = _lines(path)
    number, line = next(lines, (1, b""))
    first = _parsed(_First, line, path, number)
    if first.stratum and not first.format:
        yield from read_reviews(path)
        return
    if first.format != FORMAT:
        reason = (
            f"not {FORMAT}, which this version reads; write the file with its `belowline decisions export`"
        )
        raise ReadError(reason, path, number, part="field 'format'")
    header, found = _parsed(Header, line, path, number), 0
    for number, line in lines:
        yield _parsed(Decided, line, path, number)
        found += 1
    if found != header.counts.examples:
        reason = f"holds {found} examples but its header states {header.counts.examples}"
        raise ReadError(f"{reason}; export it again", path)


def read_reviews(path: Path, site: str | None = None) -> Iterator[Decided]:
    """The decisions of an audit's reviewed sample (``decisions.jsonl`` of ``belowline audit import-review``).

    ``site`` is the site of rows that name none; its default is ``UNNAMED``. Raises ReadError.
    """
    for number, line in _lines(path):
        yield _of_review(_parsed(_Reviewed, line, path, number), site)


def review_row(site: str | None, *parts: object) -> str:
    """The name of a reviewed row: the same in every audit of the same archive."""
    return f"{site or UNNAMED}:review-{digest(json.dumps([str(part) for part in parts]))}"


def _of_review(given: _Reviewed, site: str | None) -> Decided:
    """The decision on a reviewed comment: its reviewed labels, then those that follow from the action."""
    site = given.site or site
    parts = (given.source, given.thread, given.id, given.text)
    # An id is unique on its site if the row names the site, else only in its thread.
    row = f"{given.site}:{given.id}" if given.site else review_row(site, *parts)
    labels = implied(decision_labels(given.decision, None) | given.labels)
    return Decided(
        row=row,
        site=site or UNNAMED,
        text=given.text,
        labels=labels,
        origin=REVIEW,
        decision=given.decision,
        code=None,
        overturned=False,
        blind=False,
        split_key=f"{site or given.source} thread {given.thread}" if given.thread else row,
        article=given.article or None,
        parent=given.parent or None,
        sampled=given.stratum,
        weight=min(given.weight, MOST_WEIGHT),
        decided_at=given.reviewed_at,
        model=given.model,
        scores={},
    )


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            yield from enumerate(file, 1)
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror}); check the path", path) from None


def _parsed(kind: type[Kind], line: bytes, path: Path, number: int) -> Kind:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        problems = all_problems(error)
    if problems[0].kind == "json_invalid":
        raise ReadError(
            "not a file of decisions, or truncated; write it with `belowline decisions export`, or from a table of "
            "your own labels with `belowline-train import`",
            path,
            number,
        )
    names = ", ".join(f"'{problem.field}'" for problem in problems)
    reason = "; ".join(dict.fromkeys(problem.message for problem in problems))
    part = f"field{'s' if len(problems) > 1 else ''} {names}"
    raise ReadError(f"{reason}; correct the line or export the file again", path, number, part=part)
