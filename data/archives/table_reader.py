"""Reads tables with one comment a row: JSONL, JSON, CSV and Parquet, and exports of known hosts in them.

A thread ends at the first row of another thread, so memory is bounded by the largest thread. Later rows of the same
thread become a further thread; the threads of known hosts are gathered instead. An unreadable row is reported and
skipped.
"""

import builtins
import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from datetime import time as clock
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from belowline.data.archives.columns import (
    FIELDS,
    NAME_THE_TEXT,
    Mapped,
    check_columns,
    columns_of,
    csv_columns,
    distinct,
    excel_delimiter,
    filled_columns,
    names_of,
    shown,
)
from belowline.data.archives.encodings import open_utf8
from belowline.data.archives.hosts import read_host
from belowline.data.archives.json_values import json_values, parse
from belowline.data.archives.lines import CsvRows, Line, lines_of
from belowline.data.archives.shapes import Found, shape_of, thread_of, walk, walk_named
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.values import as_text, plain_text, scalar
from belowline.data.comment import Comment, PriorStatus, ReadError, Report, Thread

_LOOSE_ROWS = 1000
_SNIFFED = 200
_REMEMBERED = 100_000
_APART = "rows of one thread stand apart, so it counts as several threads; sort the file by thread and read it again"
_MAX_FIELD = 2**31 - 1
_SIDE_FIELDS = frozenset({"time", "date", "verdict"})
_NO_VALUES: Mapping[str, str | None] = dict.fromkeys(field for field in FIELDS if field not in _SIDE_FIELDS)
_MACHINE_WRITTEN = frozenset(
    ("pingback", "trackback", "webmention", "order_note", "action_log", "note", "like", "repost", "bookmark")
)
_KIND_NAMES = ("comment_type", "type")

TableFormat = Literal["jsonl", "json", "csv", "parquet"]

Records = Iterator[tuple[int | None, Mapping[str, object] | ReadError]]
"""Line or row number, and its record or error; the number is None if the rest of the file is unreadable."""

EVERY_COLUMN: Mapped = (("", ""),)
"""Optional columns for ``read_records`` with which every column is read."""


Values = Mapping[str, str | None]
"""Fields as text, or None."""


class Damaged(dict[str, Any]):
    """A record with broken bytes, which are lone surrogates; ``problem`` is their error."""

    def __init__(self, record: Any, problem: ReadError) -> None:
        super().__init__(record)
        self.problem = problem


def check_bytes(record: Mapping[str, object], text: str) -> None:
    """Raises ReadError if at least half of a text of the record is broken bytes."""
    if isinstance(record, Damaged) and 2 * text.count("\ufffd") >= len(text.strip()):
        raise record.problem


def read_table(
    path: Path,
    format: TableFormat,
    mapped: Mapped,
    report: Report,
    side: SideFields | None = None,
    host: str | None = None,
) -> Iterator[Thread]:
    """The threads of a JSONL, JSON, CSV or Parquet file; raises ReadError for a file without rows or its columns.

    Records of ``host``, or of a known host that the first records show, are read by their shapes (``shapes.toml``).
    """
    side = side or SideFields()
    records = read_records(path, format, mapped, side=side, every_row=False)
    first = list(islice(records, _SNIFFED))
    if not first:
        raise ReadError("no rows", path)
    records = chain(first, records)
    if host or (not mapped and any(_is_of_host(record) for _, record in first)):
        yield from read_host(path, unit_of(format), records, host, report, side)
    else:
        yield from _grouped(path, _rows(path, format, records, mapped, report, side), side)


def _is_of_host(record: object) -> bool:
    return any(found.shape and found.shape.kind == "comment" for found in walk(record))


def _grouped(path: Path, rows: Iterator[tuple[int, Values, Comment]], side: SideFields) -> Iterator[Thread]:
    def part(numbered: tuple[int, tuple[int, Values, Comment]]) -> tuple[str, int]:
        # Rows without a thread are cut into parts, so that memory stays bounded.
        number, (_, values, _) = numbered
        key = values["thread"] or (values["url"] or "").partition("#")[0] or values["title"] or ""
        return key, 0 if key else number // _LOOSE_ROWS

    seen = set[str]()
    for (name, _), run in groupby(enumerate(rows), key=part):
        if name in seen:
            side.remark(_APART)
        elif name and len(seen) < _REMEMBERED:
            seen.add(name)
        lines, fields, comments = zip(*(row for _, row in run), strict=True)
        first = fields[0]
        article = next((values["article"] for values in fields if values["article"]), "")
        title = first["title"] or first["thread"]
        yield Thread(f"{path}:{lines[0]}", title, first["url"], article, comments)


def _rows(
    path: Path, format: TableFormat, records: Records, mapped: Mapped, report: Report, side: SideFields
) -> Iterator[tuple[int, Values, Comment]]:
    unmet, empty = _Unmet(mapped) if format in ("jsonl", "json") else None, True
    for number, record in records:
        if isinstance(record, ReadError):
            empty = False
            report(record.at(path, number, unit_of(format)))
            continue
        ids: dict[int, str] = {}
        alone = True
        for found in _found(record, mapped):
            alone = empty = False
            try:
                row = _row(number or 0, ids, found, mapped, side)
            except ReadError as error:
                report(error.at(path, number, unit_of(format)))
            else:
                if row:
                    yield number or 0, *row
            if unmet:
                unmet.see(found.record)
        if alone:
            side.count("articles left out that have no comments")
    if empty:
        side.remark("the file holds no comments")
    if unmet and (missing := unmet.error()):
        report(missing.at(path))


def _found(record: Mapping[str, Any], mapped: Mapped) -> Iterable[Found]:
    """The comments of a record: itself, and those in it."""
    for value in record.values():
        if value is None or isinstance(value, dict | list):
            return walk_named(record, mapped)
    return (Found(record, None, None, {}),)


def _row(
    number: int, ids: dict[int, str], found: Found, mapped: Mapped, side: SideFields
) -> tuple[Values, Comment] | None:
    """The values and the comment of a record, None if no reader wrote it; raises ReadError for one without a text.

    ``ids`` holds the ids of the comments that stand in the same record of the file.
    """
    record = found.record
    columns = filled_columns(record, mapped)
    for name in filter(record.__contains__, _KIND_NAMES):
        kind = str(record.get(name)).strip()
        # ActivityPub calls every comment a "Note"; WordPress writes "note".
        if (kind := kind.casefold()) in _MACHINE_WRITTEN and record.get(name) != "Note":
            side.count(f"left out, not written by readers, {kind}")
            return None
    values = {
        **_NO_VALUES,
        **{
            field: as_text(record[name], field)
            for field, name in columns.items()
            if field not in _SIDE_FIELDS
        },
    }
    values["text"] = text = _text(values["text"], record, columns, mapped)
    for field, value in {**thread_of(record, columns), **found.around}.items():
        values[field] = values.get(field) or value
    id = values["id"] or found.key or (f"line-{number}-{len(ids) + 1}" if ids else f"line-{number}")
    ids[builtins.id(record)] = id
    return values, Comment(
        id=id,
        text=text,
        author=values["author"],
        time=side.time(_scalar(record, columns, "time"), _scalar(record, columns, "date")),
        parent=values["parent"] or ids.get(builtins.id(found.parent)),
        verdict=_verdict(record, columns, side),
        author_url=values["author_url"],
        permalink=values["permalink"],
        line=number or None,
    )


def _text(text: str | None, record: Mapping[str, object], columns: Mapping[str, str], mapped: Mapped) -> str:
    if text is None:
        raise _without_text(columns.get("text"), record, mapped)
    text = plain_text(text)
    if not text.strip():
        raise _wrong(columns["text"], "holds no text beside its HTML; remove the row")
    check_bytes(record, text)
    return text


def _scalar(record: Mapping[str, object], columns: Mapping[str, str], field: str) -> object:
    column = columns.get(field)
    value = record.get(column) if column is not None else None
    inner = scalar(value, field)
    # A value that cannot be read is counted as such.
    return (value or None) if inner is None else inner


def _verdict(
    record: Mapping[str, object], columns: Mapping[str, str], side: SideFields
) -> PriorStatus | None:
    """The prior status of a row; a flag such as ``is_spam`` counts more than a status word."""
    status = side.status(_scalar(record, columns, "verdict"))
    flag = side.flags(record, without=columns.get("verdict"))
    return flag if status is None or flag not in (None, "publish") else status


class _Unmet:
    """The mapped columns that no record of a JSONL or JSON file has had yet."""

    def __init__(self, mapped: Mapped) -> None:
        self._mapped, self._missing, self._some = mapped, dict(mapped), False
        self._missing.pop("text", None)

    def see(self, record: Mapping[str, object]) -> None:
        """Note the columns of a record."""
        self._some = True
        if self._missing:
            for field in columns_of(tuple(record), self._mapped):
                self._missing.pop(field, None)

    def error(self) -> ReadError | None:
        """The error of the first column that every record lacks."""
        for field, column in self._missing.items() if self._some else ():
            return ReadError(f"no row has the column {column!r} for the field {field!r}; check its name")
        return None


def read_records(
    path: Path,
    format: TableFormat,
    mapped: Mapped,
    optional: Mapped = (),
    *,
    side: SideFields | None = None,
    every_row: bool = True,
) -> Records:
    """The records of a file or their errors, without any check of the values.

    Raises ReadError if a CSV or Parquet file lacks a ``mapped`` column. A row of JSONL may lack one; a column that
    every row lacks is an error after the last row, if ``every_row`` is a comment. A column of ``optional`` may be
    missing. Bytes that are not UTF-8 are replaced and counted in ``side``.
    """
    side = side or SideFields()
    if format == "parquet":
        yield from _parquet_records(path, mapped, optional)
        return
    with open_utf8(path, side) as file:
        if format == "csv":
            yield from _csv_records(path, file, mapped, side)
            return
        unmet = _Unmet(mapped if every_row else ())
        for number, record in (_jsonl_records if format == "jsonl" else _json_records)(file, side):
            yield number, record
            if not isinstance(record, ReadError):
                unmet.see(record)
        if error := unmet.error():
            yield None, error


def unit_of(format: TableFormat) -> Literal["line", "row"]:
    """The unit in which positions of a format are counted."""
    return "row" if format in ("parquet", "json") else "line"


def values_of(
    record: Mapping[str, object], mapped: Mapped, fields: Iterable[str] = FIELDS
) -> dict[str, str | None]:
    """Fields of a record as text, None where missing, blank, or no text. Numbers are text, objects give their name."""
    columns = filled_columns(record, mapped)
    return {
        field: as_text(record[columns[field]], field) if columns.get(field) in record else None
        for field in fields
    }


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
    return Damaged(record, line.problem) if line.problem and isinstance(record, dict) else record


def _checked(value: object) -> Mapping[str, object] | ReadError:
    if isinstance(value, dict | ReadError):
        return value
    return ReadError(f"a JSON {type(value).__name__}, not an object; write one object on each line")


def _csv_records(path: Path, file: BinaryIO, mapped: Mapped, side: SideFields) -> Records:
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
        else:
            record = dict(zip(names, cells, strict=False))
            yield line, Damaged(record, cells.problem) if cells.problem else record


def _next_line(lines: Iterator[Line]) -> Line | None:
    return next((line for line in lines if line.problem or line.text.strip()), None)


def _escape(lines: Iterable[Line], delimiter: str) -> str | None:
    """A backslash if it stands before quotes within fields, as MySQL writes them; else quotes are doubled."""
    text = "".join(line.text for line in lines)
    escaped = re.findall(rf'\\"(?!"|\s*(?:{re.escape(delimiter)}|["\r\n]|$))', text)
    doubled = re.findall(r'[^,;\t|\s"]""[^"]', text)
    return "\\" if len(escaped) > len(doubled) else None


def _parquet_records(path: Path, mapped: Mapped, optional: Mapped = ()) -> Records:
    import pyarrow as pa
    from pyarrow import parquet

    # The type of the error depends on the place of the damage.
    broken = (pa.ArrowException, OSError, ValueError, LookupError, OverflowError)
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            check_columns(names, mapped)
            used = columns_of(tuple(names), (*mapped, *optional)).values()
            columns = None if optional == EVERY_COLUMN else list(dict.fromkeys(used))
            for batch in file.iter_batches(_LOOSE_ROWS, columns=columns):
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


def _without_text(column: str | None, record: Mapping[str, object], mapped: Mapped) -> ReadError:
    if column is not None:
        value = record.get(column)
        if isinstance(value, str) or value is None:
            return _wrong(column, "empty; remove the row or fill it")
        return _wrong(column, f"a JSON {type(value).__name__}, not a string; write it as a string")
    wanted = dict(mapped).get("text")
    if wanted is not None:
        return ReadError(f"no field {wanted!r} with the text; {shown(record)}; name the one that has it")
    return ReadError(f"no field with the text; {shown(record)}; {NAME_THE_TEXT}")


def _wrong(column: str | None, reason: str) -> ReadError:
    return ReadError(reason, part=f"field {column!r}")
