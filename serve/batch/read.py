"""Comments to score, as a stream: from a file, from arguments, from standard input."""

import shutil
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO, TypeVar

from belowline.data import ReadError
from belowline.data.archives.columns import Mapped, filled_columns, shown, with_option
from belowline.data.archives.lines import lines_of
from belowline.data.archives.records import is_mostly_broken
from belowline.data.archives.rows import Place
from belowline.data.archives.rows import read_rows as table_rows
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.table_reader import values_of
from belowline.data.archives.values import as_text, kind_of
from belowline.data.comment import whole
from belowline.model import ScoreInput
from belowline.serve.scoring.fault_isolation import article_context

STANDARD_INPUT = Path("-")
NAME_THE_TEXT = "name the one with the text with --text-column"
_NAME = "standard input"
_BLANK = "blank; give the comment's text or leave the row out"
_SIDE_FIELDS = ("article", "parent", "author", "author_url")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a file. Text and id have their usual names without one here; a named column must exist."""

    text: str | None = None
    id: str | None = None
    article: str | None = None
    parent: str | None = None
    author: str | None = None
    author_url: str | None = None

    @property
    def mapped(self) -> Mapped:
        """The fields with a named column."""
        fields = ("text", "id", *_SIDE_FIELDS)
        return tuple((name, column) for name in fields if (column := getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Row:
    """A comment to score.

    Attributes:
        id: The id, or the row's number from 1 without one in the file.
        record: The row as it was read, by column; empty for a comment that is not from a file.
        unread: Side fields with an unreadable value; the comment is scored without them.
    """

    id: str
    comment: ScoreInput
    record: Mapping[str, object] = field(default_factory=dict)
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that cannot be scored: its number from 1, its error with the place, its column and what was read of it."""

    number: int
    error: ReadError
    column: str | None = None
    record: Mapping[str, object] | None = None


Rows = Iterator[Row | RejectedRow]


@dataclass(frozen=True, slots=True)
class Source:
    """Comments to score.

    Attributes:
        repeatable: Whether ``rows`` can be called again.
        from_spreadsheet: Whether the file begins as Excel begins a CSV file.
        side: Counts what the reader replaced, such as bytes that are not UTF-8.
    """

    name: str
    rows: Callable[[], Rows]
    repeatable: bool = True
    columns: Columns = Columns()
    from_spreadsheet: bool = False
    side: SideFields = field(default_factory=SideFields)


@contextmanager
def file_source(path: Path, columns: Columns) -> Iterator[Source]:
    """The rows of a JSONL, CSV or Parquet file, or of a file on standard input for ``-``; raises ReadError."""
    name = _NAME if path == STANDARD_INPUT else str(path)
    if path.is_dir():
        raise ReadError("is a folder; name a file, or use belowline audit", path)
    with regular_file(path) as file:
        side = SideFields()
        rows = partial(read_rows, file, columns, name, side)
        yield Source(name, rows, columns=columns, from_spreadsheet=_is_from_spreadsheet(file), side=side)


def text_source(texts: Sequence[str], article: str | None) -> Source:
    """Arguments of a command, with the same article."""
    return Source("TEXT", partial(read_texts, texts, article))


def line_source(article: str | None) -> Source:
    """Standard input with one comment a line, with the same article."""
    return Source(_NAME, lambda: read_lines(sys.stdin.buffer, article), repeatable=False)


@contextmanager
def regular_file(path: Path) -> Iterator[Path]:
    """A file that can be read twice: ``path``, or for a pipe and for ``-`` a temporary copy; raises ReadError."""
    if path.is_file():
        yield path
        return
    with TemporaryDirectory(prefix="belowline-") as folder:
        copy = Path(folder, _NAME)
        try:
            with copy.open("wb") as file:
                _copy(path, file)
        except OSError as error:
            raise _unreadable(error, path) from None
        yield copy


def _copy(path: Path, target: BinaryIO) -> None:
    if path == STANDARD_INPUT:
        shutil.copyfileobj(sys.stdin.buffer, target)
    else:
        with path.open("rb") as content:
            shutil.copyfileobj(content, target)


def _is_from_spreadsheet(file: Path) -> bool:
    try:
        with file.open("rb") as content:
            return content.read(8).startswith((BOM_UTF8, BOM_UTF16_LE, BOM_UTF16_BE, b"sep="))
    except OSError as error:
        raise _unreadable(error, file) from None


def _unreadable(error: OSError, source: object) -> ReadError:
    return ReadError(f"cannot be read ({error.strerror or error}); check the path", source)


def read_rows(path: Path, columns: Columns, name: str, side: SideFields) -> Rows:
    """The rows of a JSONL, CSV or Parquet file; ``name`` replaces ``path`` in errors.

    Raises ReadError for another format, without a text column, and if the file cannot be opened.
    """
    mapped = columns.mapped
    try:
        for number, (place, record) in enumerate(table_rows(path, mapped, side), 1):
            source, position, unit = place
            yield _row(number, record, mapped, (name + source.removeprefix(str(path)), position, unit))
    except ReadError as error:
        where = name + error.source.removeprefix(str(path))
        reason = with_option(error.reason, "--text-column")
        raise ReadError(reason, where, error.position, error.unit, error.part) from None
    except OSError as error:
        raise _unreadable(error, name) from None


def read_texts(texts: Sequence[str], article: str | None) -> Rows:
    """Arguments of a command, with the same article."""
    for number, text in enumerate(texts, 1):
        yield _plain_row(number, text, article, f"TEXT {number}")


def read_lines(lines: BinaryIO, article: str | None) -> Rows:
    """Standard input with one comment a line, with the same article; wrong bytes become U+FFFD if few are wrong."""
    for line in lines_of(lines):
        text = line.text.rstrip("\r\n").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if line.problem and is_mostly_broken(text):
            yield RejectedRow(line.number, line.problem.at(_NAME, line.number))
        else:
            yield _plain_row(line.number, text, article, _NAME, line.number)


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of up to ``size``, in order."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _plain_row(
    number: int, text: str, article: str | None, source: str, position: int | None = None
) -> Row | RejectedRow:
    if not text.strip():
        reason = _BLANK
    elif any("\ud800" <= char <= "\udfff" for char in text):
        reason = "not valid Unicode (a lone surrogate, or bytes that are not UTF-8); repair the text"
    else:
        return Row(str(number), ScoreInput(text, article))
    return RejectedRow(number, ReadError(reason, source, position))


def _row(
    number: int,
    record: Mapping[str, object] | ReadError,
    mapped: Mapped,
    place: Place,
) -> Row | RejectedRow:
    if isinstance(record, ReadError):
        return RejectedRow(number, record.at(*place))
    present = filled_columns(record, mapped)
    column = present.get("text")
    try:
        text = _text(record, mapped, column)
    except ReadError as error:
        return RejectedRow(number, error.at(*place), column, record)
    values, unread = _side_values(record, mapped, present)
    id_column = present.get("id")
    row_id = as_text(record[id_column], "id") if id_column else None
    around = (values.get(name) for name in _SIDE_FIELDS[1:])
    comment = ScoreInput(text, article_context(values.get("article"), None), *around)
    return Row(row_id or str(number), comment, record, unread)


def _side_values(
    record: Mapping[str, object], mapped: Mapped, present: Mapping[str, str]
) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The values of the side fields with a named column, and the fields whose value is unreadable."""
    named = {name for name, _ in mapped if name in _SIDE_FIELDS}
    values = values_of(record, present, named)
    unread = tuple(
        name
        for name, value in values.items()
        if value is None and _is_sent(record.get(present.get(name, "")))
    )
    return values, unread


def _is_sent(value: object) -> bool:
    return value is not None and bool(str(value).strip())


def _text(record: Mapping[str, object], columns: Mapped, column: str | None) -> str:
    """The comment's text; raises ReadError, which never quotes it."""
    if column is None:
        named = dict(columns).get("text")
        missing = f"no field {named!r}" if named else "no field with the text"
        raise ReadError(f"{missing}; {shown(record)}")
    value = record[column]
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, dict | list):
        value = as_text(value, "text") or value
    part = f"field {column!r}"
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ReadError(_BLANK, part=part)
    if not isinstance(value, str):
        raise ReadError(f"{kind_of(value)} in place of a text; write it as a string", part=part)
    return whole(value)
