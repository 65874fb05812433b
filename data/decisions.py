"""Files of decisions, ``belowline-decisions/1``: what moderators decided, a header and then one example a line.

``serve/DECISIONS.md`` documents the format. ``belowline decisions export`` writes it; what was reviewed of an audit is read here too.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from belowline.data.comment import ReadError
from belowline.data.decision_labels import decision_labels, implied
from belowline.data.example import Example, digest, known

FORMAT: Final = "belowline-decisions/1"
MOST_WEIGHT = 100.0
"""No example counts for more: a few rare draws would otherwise be all that a training sees."""
FEEDBACK = "feedback"
"""Origin of what callers of the Perspective API tell of comments."""
REVIEW = "review"
"""Origin of what somebody judged of an audit's sample."""
_ENOUGH_KEYS = 60
"""Of so many, one in a hundred times none falls to validation."""
UNNAMED = "audit"
"""Site of reviews of which nobody said where they were written."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, StringConstraints(pattern=r"\S")]
Name = Annotated[str, Field(min_length=1)]
Labels = dict[Name, Share]
Action = Literal["publish", "reject"]


class _Part(BaseModel):
    """A part of a file; fields that this version does not know are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Decided(_Part):
    """One line: a comment with what was decided of it. ``serve/DECISIONS.md`` explains the fields."""

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
        """Equal for texts that differ in white space alone."""
        return digest(" ".join(self.text.split()))


class Counts(_Part):
    """How many examples a file holds, by what, and how many decisions gave none, by why.

    ``unweighted`` are random draws of which the share is not known.
    """

    examples: int = 0
    origin: Counter[str] = Counter()
    sampled: Counter[str] = Counter()
    unweighted: int = 0
    labels: dict[str, Counter[str]] = {}
    left_out: Counter[str] = Counter()

    def add(self, one: Decided) -> None:
        """Counts an example; a label's values are ``yes`` from 0.5 on, else ``no``."""
        self.examples += 1
        self.origin[one.origin] += 1
        self.sampled[one.sampled] += 1
        self.unweighted += one.weight is None
        for label, value in one.labels.items():
            self.labels.setdefault(label, Counter())["yes" if value >= 0.5 else "no"] += 1


class Header(_Part):
    """The first line."""

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


Kind = TypeVar("Kind", Decided, Header, _Reviewed)


def read_decisions(path: Path) -> list[Example]:
    """The examples of a file of decisions, or of an audit's reviewed sample; raises ReadError.

    ``source`` is ``decisions:SITE``, ``slice`` is ``random``, ``picked`` or ``feedback``, and the split comes from ``split_key``, as for
    corpora that fix none. An example of which nothing is known has no labels.
    """
    return [example_of(one) for one in read_decided(path)]


def examples_to_split(path: Path) -> list[Example]:
    """As ``read_decisions``, for training and measuring: where decisions come from fewer than 60 articles, one of the splits would likely
    stay empty, so each comment is split by itself."""
    examples = read_decisions(path)
    if len({one.split_key for one in examples}) >= _ENOUGH_KEYS:
        return examples
    return [replace(one, split_key=f"{one.source} {one.row}") for one in examples]


def example_of(one: Decided) -> Example:
    """A decision as training takes it."""
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
    """The lines of a file of decisions, or of an audit's reviewed sample, in order; raises ReadError that names line and field."""
    lines = _lines(path)
    number, first = next(lines, (0, b""))
    fields = _object(path, first)
    if "format" not in fields and "stratum" in fields:
        yield from read_reviews(path)
        return
    _check_format(path, fields)
    header, found = _parsed(Header, first, path, number), 0
    for number, line in lines:
        yield _parsed(Decided, line, path, number)
        found += 1
    if found != header.counts.examples:
        reason = f"holds {found} examples where its header tells of {header.counts.examples}"
        raise ReadError(f"{reason}; export it again", path)


def read_reviews(path: Path, site: str | None = None) -> Iterator[Decided]:
    """What was judged of an audit's sample (``decisions.jsonl`` of ``belowline audit import-review``); raises ReadError.

    ``site`` is taken for that of rows that name none, which are of the site ``UNNAMED`` otherwise.
    """
    for number, line in _lines(path):
        yield _of_review(_parsed(_Reviewed, line, path, number), site)


def review_row(site: str | None, *parts: object) -> str:
    """The name of a reviewed row: the same in every audit of the same archive."""
    return f"{site or UNNAMED}:review-{digest(json.dumps([str(part) for part in parts]))}"


def _of_review(given: _Reviewed, site: str | None) -> Decided:
    """A reviewed comment: what was judged counts, and what its decision says beside it."""
    site = given.site or site
    parts = (given.source, given.thread, given.id, given.text)
    # An archive's ids are those of its threads; they are the site's where the row says of which.
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


def _object(path: Path, line: bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        reason = "is no file of decisions; write one with `belowline decisions export`"
        raise ReadError(reason, path, 1)
    return fields


def _check_format(path: Path, fields: Mapping[str, Any]) -> None:
    named = fields.get("format")
    if not isinstance(named, str) or not named.startswith("belowline-decisions/"):
        reason = "names no format of decisions; write the file with `belowline decisions export`"
        raise ReadError(reason, path, 1, part="field 'format'")
    if named != FORMAT:
        reason = f"is not {FORMAT}, the one that this version reads; update belowline or export again"
        raise ReadError(reason, path, 1, part="field 'format'")


def _parsed(kind: type[Kind], line: bytes, path: Path, number: int) -> Kind:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    if first["type"] == "json_invalid":
        raise ReadError("is not valid JSON, or cut off; export it again", path, number)
    field = ".".join(part if part.isprintable() else ascii(part) for part in map(str, first["loc"]))
    raise ReadError(f"{first['msg']}; correct it or export again", path, number, part=f"field '{field}'")
