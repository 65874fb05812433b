"""Reads a table of comments with a person's own labels as decisions, for training and measuring."""

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from belowline.data.archives.columns import (
    Mapped,
    columns_of,
    filled_columns,
    is_blank,
    plain_name,
    shown,
    with_option,
)
from belowline.data.archives.records import Unmet, check_bytes
from belowline.data.archives.rows import Rows, read_rows
from belowline.data.archives.side_fields import without_fraction
from belowline.data.archives.table_reader import values_of
from belowline.data.archives.values import plain_text, scalar
from belowline.data.comment import ReadError, Reject
from belowline.data.decision_labels import implied
from belowline.data.decisions import Action, Decided
from belowline.model.labels import DEFINITIONS, HARMFUL

IMPORTED = "import"
"""Origin of decisions from a table of labels."""
SAYS_NOTHING = "?"
"""The meaning of a word that says nothing about any label."""
_WORD_COLUMNS = ("label", "labels", "class", "category", "categories")
_FIELDS = ("id", "thread", "article", "parent")
_PEEKED = 100
_SHOWN_WORDS = 20
_YES, _NO = frozenset({"true", "yes", "y", "t"}), frozenset({"false", "no", "n", "f"})

Meanings = Mapping[str, tuple[str, ...] | None]
"""Word of a cell to the labels that apply: an empty tuple if none applies, None if the word says nothing."""


@dataclass(frozen=True, slots=True)
class LabelledTable:
    """A table and its columns; unnamed ones are found by their usual names.

    Attributes:
        path: CSV, JSON, JSONL or Parquet, alone or packed.
        columns: Fields (text, id, thread, article, parent) and their columns. ``parent`` is the parent's text.
        labels: Each column of labels, and the label that its numbers give; None for a column whose cells name labels.
        meanings: The meaning of words that are no names of labels.
        site: The site that the examples belong to.
    """

    path: Path
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str | None] = field(default_factory=dict)
    meanings: Meanings = field(default_factory=dict)
    site: str = ""

    @property
    def mapped(self) -> Mapped:
        """The fields with a column, each column of labels as a field of its own."""
        return (*self.columns.items(), *((_field(column), column) for column in self.labels))


def label_columns(given: Iterable[str]) -> dict[str, str | None]:
    """Read ``COLUMN`` or ``COLUMN=LABEL`` as a column and its label; raises ReadError for an unknown label."""
    columns: dict[str, str | None] = {}
    for text in given:
        column, equals, label = text.rpartition("=")
        columns[column if equals else label] = _known([label])[0] if equals else None
    return columns


def meanings(given: Iterable[str]) -> dict[str, tuple[str, ...] | None]:
    """Read ``WORD=LABEL``, ``WORD=LABEL+LABEL``, ``WORD=`` (none applies) and ``WORD=?``, separated by commas.

    Raises ReadError for an unknown label.
    """
    found: dict[str, tuple[str, ...] | None] = {}
    for pair in filter(str.strip, ",".join(given).split(",")):
        word, equals, labels = pair.rpartition("=")
        if not equals:
            raise ReadError(
                f"--map {pair!r}: write WORD=LABEL, WORD= if no label applies, or WORD=? to ignore it"
            )
        names = [name for name in labels.split("+") if name.strip()]
        found[_plain(word)] = None if labels.strip() == SAYS_NOTHING else _known(names)
    return found


def read_labelled(table: LabelledTable, on_reject: Callable[[Reject], None]) -> Iterator[Decided | None]:
    """The rows of a table with the labels that they know, None for a row without any.

    A label that a row does not settle stays unknown. ``on_reject`` is called for each row that cannot be read, has no
    text, or has a number that is no share. Raises ReadError, before the first row, for missing columns and for words
    without a meaning, all of them at once.
    """
    table = _with_columns(table)
    words = _words(table)
    reader = _Reader(table, words, datetime.now(UTC))
    for (source, number, _), record in _records(table):
        try:
            if isinstance(record, ReadError):
                raise record
            row = reader.row(record, number)
        except ReadError as error:
            on_reject(Reject(source, number, str(error.at("", None))))
        else:
            yield row


def _with_columns(table: LabelledTable) -> LabelledTable:
    """The table with its columns of labels: the named ones, else those named like a label or ``label``."""
    if table.labels:
        return table
    peeked = islice(_records(table), _PEEKED)
    names = list(
        dict.fromkeys(name for _, record in peeked if not isinstance(record, ReadError) for name in record)
    )
    of_label = {plain_name(label): label for label in DEFINITIONS}
    labels: dict[str, str | None] = {
        name: of_label[plain_name(name)] for name in names if plain_name(name) in of_label
    }
    labels |= {name: None for name in names if plain_name(name) in _WORD_COLUMNS}
    if not labels:
        raise ReadError(f"no column of labels; name one with --label; {shown(names)}", table.path)
    return replace(table, labels=labels)


def _field(column: str) -> str:
    """The field of a column of labels, which no other field's name can be."""
    return f"label {column}"


def _records(table: LabelledTable) -> Rows:
    try:
        yield from read_rows(table.path, table.mapped)
    except ReadError as error:
        reason = with_option(error.reason, "--text")
        raise ReadError(reason, error.source, error.position, error.unit, error.part) from None
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror}); check the path", table.path) from None


def _words(table: LabelledTable) -> Meanings:
    """The meaning of every word of the table; raises ReadError for words without one, and for columns of no row."""
    named = {_plain(label): (label,) for label in DEFINITIONS} | dict(table.meanings)
    unknown, used, unmet = Counter[str](), Counter[str](), Unmet(table.mapped, with_text=True)
    for _, record in _records(table):
        if isinstance(record, ReadError):
            continue
        unmet.see(record)
        for cell in _word_cells(table, record, named):
            used.update(word for word in cell if word in named)
            unknown.update(word for word in cell if word not in named)
    if error := unmet.error():
        raise error.at(table.path)
    if unknown:
        listed = ", ".join(f"{word!r} ({count:,})" for word, count in unknown.most_common(_SHOWN_WORDS))
        more = ", …" if len(unknown) > _SHOWN_WORDS else ""
        raise ReadError(
            f"words that name no label: {listed}{more}; give the meaning of each, such as "
            f"--map '{next(iter(unknown))}=toxicity', with nothing after = if no label applies and ? to ignore it; "
            f"the labels are {', '.join(DEFINITIONS)}",
            table.path,
        )
    return {word: labels for word, labels in named.items() if used[word]}


def _word_cells(
    table: LabelledTable, record: Mapping[str, object], known: Container[str]
) -> Iterator[list[str]]:
    columns = columns_of(tuple(record), table.mapped)
    for column, label in table.labels.items():
        name = columns.get(_field(column))
        if label is None and name is not None:
            yield _words_in(record[name], known)


def _words_in(cell: object, known: Container[str]) -> list[str]:
    """The words of a cell: a list, or text with ``,``, ``;`` or ``|`` between words."""
    values = cell if isinstance(cell, list) else [cell]
    words: list[str] = []
    for value in values:
        whole = "" if is_blank(value) else _plain(without_fraction(str(value)))
        words += [whole] if whole in known else filter(None, map(str.strip, re.split("[,;|]", whole)))
    return words


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns records into decisions."""

    table: LabelledTable
    words: Meanings
    now: datetime

    def row(self, record: Mapping[str, object], number: int | None) -> Decided | None:
        columns = filled_columns(record, self.table.mapped)
        values = values_of(record, columns, ("text", *_FIELDS))
        if values["text"] is None or not (text := plain_text(values["text"])).strip():
            raise ReadError("no text; give the comment's text or leave the row out", part="field 'text'")
        check_bytes(record, text)
        labels = self._labels(record, columns)
        if not labels:
            return None
        site = self.table.site or self.table.path.stem
        row = f"{site}:{values['id'] or number}"
        thread = values["thread"]
        return Decided(
            row=row,
            site=site,
            text=text,
            labels=labels,
            origin=IMPORTED,
            decision=_decision(labels),
            code=None,
            overturned=False,
            blind=False,
            split_key=f"{site} thread {thread}" if thread else row,
            article=values["article"],
            # A column that is found by its name holds the parent's id.
            parent=values["parent"] if "parent" in self.table.columns else None,
            sampled="picked",
            weight=1.0,
            decided_at=self.now,
            model=None,
            scores={},
        )

    def _labels(self, record: Mapping[str, object], columns: Mapping[str, str]) -> dict[str, float]:
        found: dict[str, float] = {}
        for cell in _word_cells(self.table, record, self.words):
            named = [labels for word in cell if (labels := self.words[word]) is not None]
            applying = dict.fromkeys((label for labels in named for label in labels), 1.0)
            # A word that means "no label applies" is about the labels that the words of the table give.
            absent = dict.fromkeys(self._labels_of_words() if named and not applying else (), 0.0)
            found = absent | found | applying
        for column, label in self.table.labels.items():
            name = columns.get(_field(column))
            if label is not None and name is not None and (share := _share(record[name], name)) is not None:
                found[label] = share
        return implied(found)

    def _labels_of_words(self) -> Sequence[str]:
        return [label for labels in self.words.values() for label in labels or ()]


def _share(cell: object, column: str) -> float | None:
    """The number in 0..1 of a cell, None for a blank one; raises ReadError."""
    value = scalar(cell, column)
    text = "" if is_blank(value) else _plain(str(value))
    if text in ("", SAYS_NOTHING, "nan", "null", "none"):
        return None
    if text in _YES or text in _NO:
        return float(text in _YES)
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ReadError(
            "no number from 0 to 1, yes or no; correct it or leave it blank", part=f"field {column!r}"
        )
    return share


def _decision(labels: Mapping[str, float]) -> Action:
    return "reject" if any(labels.get(label, 0.0) >= 0.5 for label in HARMFUL) else "publish"


def _known(names: Sequence[str]) -> tuple[str, ...]:
    of_label = {_plain(label): label for label in DEFINITIONS}
    for name in names:
        if _plain(name) not in of_label:
            raise ReadError(f"unknown label {name!r}; the labels are {', '.join(DEFINITIONS)}")
    return tuple(of_label[_plain(name)] for name in names)


def _plain(word: str) -> str:
    return " ".join(word.casefold().replace("_", " ").replace("-", " ").split())
