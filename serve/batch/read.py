"""Comments to score, as a stream: from a file, from arguments, from standard input."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from belowline.data import ReadError
from belowline.data.archives.columns import Mapped, columns_of, shown
from belowline.data.archives.lines import lines_of
from belowline.data.archives.readers import read_rows as table_rows
from belowline.data.archives.table_reader import values_of
from belowline.model import ScoreInput
from belowline.serve.scoring.fault_isolation import article_context

FORMATS: Mapping[str, str] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a file; named ones must exist, except that ``id`` may be missing."""

    text: str = "text"
    id: str = "id"
    article: str | None = None
    parent: str | None = None
    author: str | None = None
    author_url: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A comment to score; without an id in the file, ``id`` is the row's number from 1."""

    id: str
    comment: ScoreInput


def format_of(path: Path) -> str:
    """The format that a file's suffix names; raises ReadError for an unknown suffix."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        suffix = path.suffix or "without suffix"
        raise ReadError(f"format {suffix} is unknown; use one of {', '.join(FORMATS)}", path) from None


def read_rows(path: Path, columns: Columns, longest: int) -> Iterator[Row]:
    """The rows of a JSONL, CSV or Parquet file with at most ``longest`` characters of text.

    Raises ReadError at the first row that cannot be scored, because the results of a file are complete or not there.
    """
    fields = asdict(columns)
    del fields["id"]
    needed = tuple((field, column) for field, column in fields.items() if column)
    optional = (("id", columns.id),)
    try:
        for row, (place, record) in enumerate(table_rows(path, needed, optional), 1):
            try:
                if isinstance(record, ReadError):
                    raise record
                yield _row(str(row), record, (*needed, *optional), longest)
            except ReadError as error:
                raise error.at(*place) from None
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror or error}); check the path", path) from None


def read_texts(texts: Sequence[str], article: str | None, longest: int) -> Iterator[Row]:
    """Arguments of a command, with the same article; raises ReadError."""
    for number, text in enumerate(texts, 1):
        try:
            yield Row(str(number), ScoreInput(checked_text(text, longest), article))
        except ReadError as error:
            raise error.at(f"TEXT {number}") from None


def read_lines(lines: BinaryIO, article: str | None, longest: int) -> Iterator[Row]:
    """Standard input with one comment a line, with the same article; raises ReadError."""
    for line in lines_of(lines):
        try:
            if line.problem:
                raise line.problem
            yield Row(str(line.number), ScoreInput(checked_text(line.text.rstrip("\r\n"), longest), article))
        except ReadError as error:
            raise error.at("standard input", line.number) from None


def checked_text(text: str | None, longest: int) -> str:
    """The text; raises ReadError, which never quotes it, if it cannot be scored."""
    if text is None or not text.strip():
        raise ReadError("blank; give the comment's text or leave the row out")
    if len(text) > longest:
        raise ReadError(f"{len(text)} characters; BELOWLINE_MAX_COMMENT_CHARS allows {longest}")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ReadError("not valid Unicode (a lone surrogate, or bytes that are not UTF-8); repair the text")
    return text


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of up to ``size``, in order."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _row(number: str, record: Mapping[str, object], wanted: Mapped, longest: int) -> Row:
    fields = dict(wanted)
    missing = fields.keys() - columns_of(tuple(record), wanted).keys() - {"id"}
    if missing:
        raise ReadError(f"no field {fields[min(missing)]!r}; {shown(record)}")
    values = values_of(record, wanted, fields)
    article = article_context(values.get("article"), None)
    text = checked_text(values["text"], longest)
    around = values.get("parent"), values.get("author"), values.get("author_url")
    return Row(values["id"] or number, ScoreInput(text, article, *around))
