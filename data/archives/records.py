"""Reads the records of tables (JSONL, JSON, CSV and Parquet), one for each comment, without a check of their values."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from datetime import time as clock
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from belowline.data.archives.columns import (
    Mapped,
    check_columns,
    columns_for,
    columns_of,
    csv_columns,
    distinct,
    excel_delimiter,
    names_of,
)
from belowline.data.archives.encodings import open_utf8
from belowline.data.archives.json_values import json_values, parse
from belowline.data.archives.lines import CsvRows, Line, lines_of
from belowline.data.archives.shapes import shape_of
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.values import kind_of
from belowline.data.comment import ReadError

_IN_BATCH = 1000
_SNIFFED = 200
_MAX_FIELD = 2**31 - 1

TableFormat = Literal["jsonl", "json", "csv", "parquet"]

Records = Iterator[tuple[int | None, Mapping[str, object] | ReadError]]
"""Line or row number, and its record or error; the number is None if the rest of the file is unreadable."""


class Garbled(dict[str, Any]):
    """A record with broken bytes, which are lone surrogates; ``problem`` is their error."""

    def __init__(self, record: Any, problem: ReadError) -> None:
        super().__init__(record)
        self.problem = problem


def check_bytes(record: Mapping[str, object], text: str) -> None:
    """Raises ReadError if at least half of a text of the record is broken bytes."""
    if isinstance(record, Garbled) and is_mostly_broken(text):
        raise record.problem


def is_mostly_broken(text: str) -> bool:
    """True if at least half of a text is U+FFFD, which stands for broken bytes."""
    return 2 * text.count("\ufffd") >= len(text.strip())


def read_records(
    path: Path,
    format: TableFormat,
    mapped: Mapped,
    *,
    side: SideFields | None = None,
    every_row: bool = True,
    with_text: bool = True,
) -> Records:
    """The records of a file or their errors, without any check of the values.

    Raises ReadError if a CSV or Parquet file lacks a ``mapped`` column. A row of JSONL may lack one; a column that
    every row lacks is an error after the last row, if ``every_row`` is a comment. Bytes that are not UTF-8 are replaced
    and counted in ``side``. A row of CSV that ends before the text is an error, unless rows may be without text.
    """
    side = side or SideFields()
    if format == "parquet":
        yield from _parquet_records(path, mapped)
        return
    with open_utf8(path, side) as file:
        if format == "csv":
            yield from _csv_records(path, file, mapped, side, with_text=with_text)
            return
        unmet = Unmet(mapped if every_row else ())
        for number, record in (_jsonl_records if format == "jsonl" else _json_records)(file, side):
            yield number, record
            if not isinstance(record, ReadError):
                unmet.see(record)
        if error := unmet.error():
            yield None, error


def unit_of(format: TableFormat) -> Literal["line", "row"]:
    """The unit in which positions of a format are counted."""
    return "row" if format in ("parquet", "json") else "line"


class Unmet:
    """The mapped columns that no record of a JSONL or JSON file has had yet; that of the text only ``with_text``."""

    def __init__(self, mapped: Mapped, *, with_text: bool = False) -> None:
        self._mapped, self._missing, self._some = mapped, dict(mapped), False
        if not with_text:
            self._missing.pop("text", None)

    def see(self, record: Mapping[str, object]) -> None:
        """Note the columns of a record."""
        self._some = True
        if self._missing:
            for field in columns_of(tuple(record), self._mapped):
                self._missing.pop(field, None)

    def error(self) -> ReadError | None:
        """The error of the columns that every record lacks."""
        if not (self._some and self._missing):
            return None
        return ReadError(f"no row has the {columns_for(self._missing)}; check the name")


def _lines(file: BinaryIO, side: SideFields) -> Iterator[Line]:
    for line in lines_of(file):
        if line.problem and not line.lost:
            side.count("lines with bytes that are not UTF-8, replaced by \ufffd")
        yield line


def _jsonl_records(file: BinaryIO, side: SideFields) -> Records:
    for line in _lines(file, side):
        if line.lost or line.text.strip():
            yield line.number, cast(ReadError, line.problem) if line.lost else _object(line)


def _json_records(file: BinaryIO, side: SideFields) -> Records:
    for number, value in json_values(file):
        # An array of pages holds an array, or an object, for each.
        yield number, _checked({"comments": value} if _is_page(value) else value)


def _is_page(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict | list) for one in value)


def _object(line: Line) -> Mapping[str, object] | ReadError:
    try:
        record = _checked(parse(line.text))
    except ReadError as error:
        return error
    return Garbled(record, line.problem) if line.problem and isinstance(record, dict) else record


def _checked(value: object) -> Mapping[str, object] | ReadError:
    if isinstance(value, dict | ReadError):
        return value
    return ReadError(f"{kind_of(value)} in place of a record; write each comment as an object")


def _csv_records(path: Path, file: BinaryIO, mapped: Mapped, side: SideFields, *, with_text: bool) -> Records:
    csv.field_size_limit(_MAX_FIELD)
    lines = _lines(file, side)
    header = _next_line(lines)
    declared = excel_delimiter(header.text) if header else None
    header = _next_line(lines) if declared else header
    text = header.text if header else ""
    delimiter, columns = (declared, names_of(text, declared)) if declared else csv_columns(text, mapped)
    try:
        if header and header.problem:
            raise header.problem
        if mapped or shape_of(dict.fromkeys(columns)) is None:
            check_columns(columns, mapped)
    except ReadError as error:
        raise error.at(path, header.number if header else 1) from None
    names, some = distinct(columns), list(islice(lines, _SNIFFED))
    escape = _escape(some, delimiter)
    for line, cells in CsvRows(chain(some, lines), delimiter, len(columns), escape):
        if isinstance(cells, ReadError):
            yield line, cells
            continue
        record = dict(zip(names, cells, strict=False))
        if with_text and len(cells) < len(names) and "text" not in columns_of(tuple(record), mapped):
            yield (
                line,
                ReadError(f"row has {len(cells)} of {len(names)} fields and no text; complete or remove it"),
            )
        else:
            yield line, Garbled(record, cells.problem) if cells.problem else record


def _next_line(lines: Iterator[Line]) -> Line | None:
    return next((line for line in lines if line.problem or line.text.strip()), None)


def _escape(lines: Iterable[Line], delimiter: str) -> str | None:
    """A backslash if it stands before quotes within fields, as MySQL writes them; else quotes are doubled."""
    text = "".join(line.text for line in lines)
    escaped = re.findall(rf'\\"(?!"|\s*(?:{re.escape(delimiter)}|["\r\n]|$))', text)
    doubled = re.findall(r'[^,;\t|\s"]""[^"]', text)
    return "\\" if len(escaped) > len(doubled) else None


def _parquet_records(path: Path, mapped: Mapped) -> Records:
    import pyarrow as pa
    from pyarrow import parquet

    # The type of the error depends on the place of the damage.
    broken = (pa.ArrowException, OSError, ValueError, LookupError, OverflowError)
    number = 0
    try:
        # pyarrow itself opens only files whose names are UTF-8.
        with path.open("rb") as content, parquet.ParquetFile(content) as file:
            check_columns(file.schema_arrow.names, mapped)
            for batch in file.iter_batches(_IN_BATCH):
                for record in _batch_records(_in_microseconds(batch), broken):
                    number += 1
                    yield number, record
    except ReadError as error:
        raise error.at(path) from None
    except broken as error:
        after = f" after row {number}" if number else ""
        yield None, ReadError(f"damaged, or not Parquet ({type(error).__name__}){after}; export it again")


def _in_microseconds(batch: Any) -> Any:
    """The batch with times in microseconds: pandas writes nanoseconds, which Python's datetime cannot hold."""
    import pyarrow as pa

    fields = [
        field.with_type(pa.timestamp("us", field.type.tz))
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns"
        else field
        for field in batch.schema
    ]
    return batch.cast(pa.schema(fields), safe=False)


def _batch_records(
    batch: Any, broken: tuple[type[Exception], ...]
) -> Iterator[Mapping[str, object] | ReadError]:
    """The rows of a batch, read one by one if the whole batch is unreadable."""
    if batch.num_rows == 0:
        return
    try:
        records = batch.to_pylist()
    except broken as error:
        if batch.num_rows == 1:
            yield ReadError(f"an unreadable value ({type(error).__name__}); write it as text")
            return
        for start in range(batch.num_rows):
            yield from _batch_records(batch.slice(start, 1), broken)
        return
    for record in records:
        times = {name: value.isoformat() for name, value in record.items() if isinstance(value, date | clock)}
        yield record | times
