"""Reads tables with one comment a row: JSONL, CSV and Parquet.

A thread ends at the first row of another thread, so memory is bounded by the largest thread. Later rows of the same
thread become a further thread. An unreadable row is reported and skipped.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from belowline.data.archives.columns import (
    FIELDS,
    Mapped,
    check_columns,
    columns_of,
    csv_columns,
    distinct,
    shown,
)
from belowline.data.archives.lines import CsvRows, lines_of
from belowline.data.comment import Comment, PriorStatus, ReadError, Report, Thread, whole

_LOOSE_ROWS = 1000
_VERDICTS: Mapping[str, PriorStatus] = {one: one for one in get_args(PriorStatus)}
_NUMBERS = frozenset({"id", "author", "parent", "thread"})
"""Fields that may be numbers."""
_MAX_FIELD = 2**31 - 1

TableFormat = Literal["jsonl", "csv", "parquet"]

Records = Iterator[tuple[int | None, Mapping[str, object] | ReadError]]
"""Line or row number, and its record or error; the number is None if the rest of the file is unreadable."""

EVERY_COLUMN: Mapped = (("", ""),)
"""Optional columns for ``read_records`` with which every column is read."""


Values = Mapping[str, str | None]
"""Each of ``FIELDS`` as text, or None."""


def read_table(path: Path, format: TableFormat, mapped: Mapped, report: Report) -> Iterator[Thread]:
    """The threads of a JSONL, CSV or Parquet file; raises ReadError for a file without rows or without its columns."""

    def part(numbered: tuple[int, tuple[int, Values, Comment]]) -> tuple[str, int]:
        # Rows without a thread are cut into parts, so that memory stays bounded.
        number, (_, values, _) = numbered
        key = values["thread"] or values["url"] or values["title"] or ""
        return key, 0 if key else number // _LOOSE_ROWS

    for _, run in groupby(enumerate(_rows(path, format, mapped, report)), key=part):
        lines, fields, comments = zip(*(row for _, row in run), strict=True)
        first = fields[0]
        article = next((values["article"] for values in fields if values["article"]), "")
        title = first["title"] or first["thread"]
        yield Thread(f"{path}:{lines[0]}", title, first["url"], article, comments)


def _rows(
    path: Path, format: TableFormat, mapped: Mapped, report: Report
) -> Iterator[tuple[int, Values, Comment]]:
    empty = True
    for number, record in read_records(path, format, mapped):
        empty = False
        try:
            if isinstance(record, ReadError):
                raise record
            values = values_of(record, mapped)
            comment = _comment(number or 0, values, record, columns_of(tuple(record), mapped), mapped)
        except ReadError as error:
            report(error.at(path, number, unit_of(format)))
        else:
            yield number or 0, values, comment
    if empty:
        raise ReadError("no rows", path)


def read_records(path: Path, format: TableFormat, mapped: Mapped, optional: Mapped = ()) -> Records:
    """The records of a file or their errors, without any check of the values.

    Raises ReadError if a CSV or Parquet file lacks a ``mapped`` column. A row of JSONL may lack one; a column that
    every row lacks is an error after the last row. A column of ``optional`` may be missing.
    """
    if format == "parquet":
        yield from _parquet_records(path, mapped, optional)
    else:
        with path.open("rb") as file:
            yield from _jsonl_records(file, mapped) if format == "jsonl" else _csv_records(path, file, mapped)


def unit_of(format: TableFormat) -> Literal["line", "row"]:
    """The unit in which positions of a format are counted."""
    return "row" if format == "parquet" else "line"


def values_of(
    record: Mapping[str, object], mapped: Mapped, fields: Iterable[str] = FIELDS
) -> dict[str, str | None]:
    """Fields of a record as text, None where missing or blank; raises ReadError for values that are no text.

    Ids, authors, parents and threads may be whole numbers.
    """
    columns = columns_of(tuple(record), mapped)
    return {field: _text(record, columns.get(field), number=field in _NUMBERS) for field in fields}


def _text(record: Mapping[str, object], column: str | None, *, number: bool) -> str | None:
    value = record.get(column) if column is not None else None
    if number and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise _wrong(column, f"a JSON {type(value).__name__}, not a string; write it as a string")
    return whole(value)


def _jsonl_records(file: BinaryIO, mapped: Mapped) -> Records:
    missing = dict(mapped)
    missing.pop("text", None)
    some = False
    for line in lines_of(file):
        if line.problem or line.text.strip():
            record = line.problem or _object(line.text)
            yield line.number, record
            if missing and not isinstance(record, ReadError):
                some = True
                for field in columns_of(tuple(record), mapped):
                    missing.pop(field, None)
    for field, column in missing.items() if some else ():
        yield None, ReadError(f"no row has the column {column!r} for the field {field!r}; check its name")


def _object(line: str) -> Mapping[str, object] | ReadError:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        detail = f"{error.msg}, column {error.colno}"
        return ReadError(f"not valid JSON ({detail}); write one object on each line")
    except (ValueError, RecursionError):
        return ReadError("JSON with a number that is too long or with too many levels; shorten it")
    if not isinstance(record, dict):
        return ReadError(f"a JSON {type(record).__name__}, not an object; write one object on each line")
    return record


def _csv_records(path: Path, file: BinaryIO, mapped: Mapped) -> Records:
    csv.field_size_limit(_MAX_FIELD)
    lines = lines_of(file)
    header = next((line for line in lines if line.problem or line.text.strip()), None)
    delimiter, columns = csv_columns(header.text if header else "", mapped)
    try:
        if header and header.problem:
            raise header.problem
        check_columns(columns, mapped)
    except ReadError as error:
        raise error.at(path, header.number if header else 1) from None
    names = distinct(columns)
    for line, cells in CsvRows(lines, delimiter, len(columns)):
        yield line, cells if isinstance(cells, ReadError) else dict(zip(names, cells, strict=False))


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
        times = {name: value.isoformat() for name, value in record.items() if isinstance(value, date)}
        yield record | times


def _comment(
    line: int, values: Values, record: Mapping[str, object], columns: Mapping[str, str], mapped: Mapped
) -> Comment:
    text, time, verdict = values["text"], values["time"], values["verdict"]
    if text is None:
        raise _without_text(columns.get("text"), record, mapped)
    if verdict is not None and verdict not in _VERDICTS:
        raise _wrong(columns["verdict"], f"not one of {', '.join(_VERDICTS)}")
    return Comment(
        id=values["id"] or f"line-{line}",
        text=text,
        author=values["author"],
        time=_time(columns["time"], time) if time else None,
        parent=values["parent"],
        verdict=_VERDICTS[verdict] if verdict else None,
        author_url=values["author_url"],
        permalink=values["permalink"],
        line=line or None,
    )


def _without_text(column: str | None, record: Mapping[str, object], mapped: Mapped) -> ReadError:
    if column is not None:
        return _wrong(column, "empty; remove the row or fill it")
    wanted = dict(mapped).get("text")
    if wanted is not None:
        return ReadError(f"no field {wanted!r} with the text; {shown(record)}; name the one that has it")
    return ReadError(f"no field with the text; {shown(record)}; name one of them 'text'")


def _wrong(column: str | None, reason: str) -> ReadError:
    return ReadError(reason, part=f"field {column!r}")


def _time(column: str, value: str) -> datetime:
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        raise _wrong(column, "not an ISO 8601 time; write it like 2018-01-14T09:30:00Z") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
