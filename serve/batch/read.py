"""Files and lines to score: every row is one comment, read as a stream."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from belowline.data import ReadError
from belowline.model import ScoreInput
from belowline.serve.json_body import repaired
from belowline.serve.scoring.fault_isolation import article_context

FORMATS: Mapping[str, str] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column holds what; a file must have ``text``, and ``article`` and ``parent`` where named."""

    text: str = "text"
    id: str = "id"
    article: str | None = None
    parent: str | None = None

    @property
    def needed(self) -> list[str]:
        """The columns that a file must have."""
        return [name for name in (self.text, self.article, self.parent) if name]


@dataclass(frozen=True, slots=True)
class Row:
    """A comment to score; its id is that of its row, or the row's number from 1."""

    id: str
    comment: ScoreInput


def format_of(path: Path) -> str:
    """The format that a file's suffix names; raises ReadError for another suffix."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        known = ", ".join(FORMATS)
        raise ReadError(
            f"{path}: format {path.suffix or 'without suffix'} is unknown; name it {known}"
        ) from None


def read_rows(path: Path, columns: Columns, longest: int) -> Iterator[Row]:
    """The rows of a JSONL, CSV or Parquet file; raises ReadError that names file, row and field.

    Args:
        path: File to read; its suffix says what it is.
        columns: Where in a row to look.
        longest: Most characters a comment may have.
    """
    readers = {"jsonl": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}
    reader = readers[format_of(path)]
    try:
        for number, fields in reader(path, columns):
            yield _row(f"{path}, row {number}", number, fields, columns, longest)
    except OSError as error:
        raise ReadError(f"{path}: cannot be read ({error.strerror or error}); check the path") from None


def read_texts(texts: Sequence[str], article: str | None, longest: int) -> Iterator[Row]:
    """Arguments of a command, all under the same article; raises ReadError that names the argument."""
    for number, text in enumerate(texts, 1):
        yield Row(str(number), ScoreInput(checked_text(text, f"TEXT {number}", longest), article))


def read_lines(lines: BinaryIO, article: str | None, longest: int) -> Iterator[Row]:
    """One comment a line of standard input, under the same article; raises ReadError that names the line."""
    for number, line in enumerate(lines, 1):
        where = f"standard input, line {number}"
        text = checked_text(_decoded(line, where).rstrip("\r\n"), where, longest)
        yield Row(str(number), ScoreInput(text, article))


def checked_text(text: object, where: str, longest: int) -> str:
    """The text if it can be scored; raises ReadError that begins with ``where`` and never quotes it."""
    if not isinstance(text, str):
        raise ReadError(f"{where}: is {_json_type(text)}, not a text; give a string")
    if not text.strip():
        raise ReadError(f"{where}: is blank; give the comment's text or leave the row out")
    if len(text) > longest:
        raise ReadError(f"{where}: has {len(text)} characters; BELOWLINE_MAX_COMMENT_CHARS allows {longest}")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise ReadError(
            f"{where}: is not valid Unicode (a lone surrogate or bytes that are not UTF-8); repair the text"
        )
    return text


def in_chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of up to ``size`` items, in order."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _row(where: str, number: int, fields: Mapping[str, Any], columns: Columns, longest: int) -> Row:
    for name in columns.needed:
        if name not in fields:
            raise ReadError(f"{where}: there is no field {name!r}; there are: {_names(fields)}")
    text = checked_text(fields[columns.text], f"{where}, field {columns.text}", longest)
    article = _context(fields, columns.article, where)
    identity = fields.get(columns.id)
    if identity is not None and (isinstance(identity, bool) or not isinstance(identity, str | int)):
        raise ReadError(
            f"{where}, field {columns.id}: is {_json_type(identity)}; give a string or a whole number"
        )
    context = ScoreInput(text, article_context(article, None), _context(fields, columns.parent, where))
    return Row(str(number if identity is None else identity), context)


def _context(fields: Mapping[str, Any], column: str | None, where: str) -> str | None:
    value = fields[column] if column else None
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ReadError(
            f"{where}, field {column}: is {_json_type(value)}, not a text; give a string or leave it empty"
        )
    return value


def _read_jsonl(path: Path, columns: Columns) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path}, row {number}"
            try:
                fields = json.loads(_decoded(repaired(line), where))
            except (json.JSONDecodeError, RecursionError):
                raise ReadError(f"{where}: is not valid JSON; give one JSON object a line") from None
            if not isinstance(fields, dict):
                raise ReadError(f"{where}: is {_json_type(fields)}; give one JSON object a line")
            yield number, fields


def _read_csv(path: Path, columns: Columns) -> Iterator[tuple[int, Mapping[str, Any]]]:
    csv.field_size_limit(1 << 30)
    with path.open("rb") as lines:
        decoded = (_decoded(line, f"{path}, line {number}") for number, line in enumerate(lines, 1))
        reader = csv.reader(decoded, strict=True)
        try:
            header = next(reader, [])
            header[:1] = [name.removeprefix("\ufeff") for name in header[:1]]
            _check_columns(path, columns, header)
            for number, values in enumerate(reader, 1):
                if len(values) != len(header):
                    raise ReadError(
                        f"{path}, row {number}: has {len(values)} fields, not {len(header)}; quote its commas"
                    )
                yield number, dict(zip(header, values, strict=True))
        except csv.Error as error:
            raise ReadError(
                f"{path}, line {reader.line_num}: is not valid CSV ({error}); repair it"
            ) from None


def _read_parquet(path: Path, columns: Columns) -> Iterator[tuple[int, Mapping[str, Any]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _check_columns(path, columns, names)
            wanted = [*columns.needed, *([columns.id] if columns.id in names else [])]
            number = 0
            for batch in file.iter_batches(batch_size=1024, columns=wanted):
                for fields in batch.to_pylist():
                    number += 1
                    yield number, fields
    except pa.ArrowException as error:
        raise ReadError(
            f"{path}: is not valid Parquet ({str(error).splitlines()[0]}); write it again"
        ) from None


def _check_columns(path: Path, columns: Columns, names: Sequence[str]) -> None:
    for name in columns.needed:
        if name not in names:
            raise ReadError(
                f"{path}: there is no column {name!r}; there are: {_names(names)}; see --text-column"
            )


def _names(names: Iterable[str]) -> str:
    return ", ".join(name if name.isprintable() else ascii(name) for name in names) or "none"


def _decoded(line: bytes, where: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadError(f"{where}: byte {error.start + 1} is not UTF-8; save it in UTF-8") from None


def _json_type(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", dict: "an object", list: "a list", bytes: "binary"}
    return names.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
