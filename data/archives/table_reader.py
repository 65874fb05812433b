"""Reads tables with one comment a row: JSONL, CSV and Parquet.

A thread ends at the first row of another thread, so memory is bounded by the largest thread. Later rows of the same
thread become a further thread. An unreadable row is reported and skipped.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from belowline.data.archives.columns import FIELDS, Mapped, check_columns, columns_of, csv_columns, shown
from belowline.data.archives.lines import CsvRows, lines_of
from belowline.data.comment import Comment, PriorStatus, ReadError, Report, Thread, refuse, whole

_LOOSE_ROWS = 1000
_VERDICTS: Mapping[str, PriorStatus] = {one: one for one in get_args(PriorStatus)}
_NUMBERS = frozenset({"id", "author", "parent", "thread"})
"""Fields that may be numbers."""
_MAX_FIELD = 2**31 - 1

Records = Iterator[tuple[int | None, Mapping[str, object] | ReadError]]
"""Line or row number, and its record or error; the number is None if the rest of the file is unreadable."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A comment and the fields of its thread."""

    line: int
    key: str
    title: str | None
    url: str | None
    article: str
    comment: Comment


def read_jsonl(path: Path, mapped: Mapped = (), report: Report = refuse) -> Iterator[Thread]:
    """The threads of a file with one JSON object a line; raises ReadError.

    A row may lack a mapped column, except the text. A column that every row lacks is reported at the end of the file.
    """
    with path.open("rb") as file:
        yield from _threads(path, _rows(path, "line", _jsonl_records(file, mapped), mapped, report))


def read_csv(path: Path, mapped: Mapped = (), report: Report = refuse) -> Iterator[Thread]:
    """The threads of a CSV file with a header, separated by commas, semicolons or tabs; raises ReadError."""
    with path.open("rb") as file:
        yield from _threads(path, _rows(path, "line", _csv_records(path, file, mapped), mapped, report))


def read_parquet(path: Path, mapped: Mapped = (), report: Report = refuse) -> Iterator[Thread]:
    """The threads of a Parquet file, of which only the known columns are read; raises ReadError."""
    yield from _threads(path, _rows(path, "row", _parquet_records(path, mapped), mapped, report))


def read_records(path: Path, format: str, mapped: Mapped, optional: Mapped = ()) -> Records:
    """The records of a JSONL, CSV or Parquet file, or their errors, without any check of the fields.

    Raises ReadError if a CSV or Parquet file lacks a ``mapped`` column; a column of ``optional`` may be missing.
    """
    if format == "parquet":
        yield from _parquet_records(path, mapped, optional)
    else:
        with path.open("rb") as file:
            yield from _jsonl_records(file, ()) if format == "jsonl" else _csv_records(path, file, mapped)


def text_of(record: Mapping[str, object], column: str, *, number: bool = False) -> str | None:
    """A field as text, or None if it is missing or blank; raises ReadError for another type.

    With ``number`` a whole number is text too, as in ids.
    """
    value = record.get(column)
    if number and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise ReadError(
            f"a JSON {type(value).__name__}, not a string; write it as a string", part=_field(column)
        )
    return whole(value)


def _threads(path: Path, rows: Iterable[_Row]) -> Iterator[Thread]:
    def part(numbered: tuple[int, _Row]) -> tuple[str, int]:
        # Rows without a thread are cut into parts, so that memory stays bounded.
        number, row = numbered
        return row.key, 0 if row.key else number // _LOOSE_ROWS

    for _, run in groupby(enumerate(rows), key=part):
        group = [row for _, row in run]
        article = next((row.article for row in group if row.article), "")
        first = group[0]
        yield Thread(
            f"{path}:{first.line}", first.title, first.url, article, tuple(row.comment for row in group)
        )


def _rows(
    path: Path, unit: Literal["line", "row"], records: Records, mapped: Mapped, report: Report
) -> Iterator[_Row]:
    empty = True
    for number, record in records:
        empty = False
        try:
            row = _row(number or 0, record, mapped)
        except ReadError as error:
            report(error.at(path, number, unit))
        else:
            yield row
    if empty:
        raise ReadError("no rows", path)


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
    for line, cells in CsvRows(lines, delimiter, len(columns)):
        record = cells if isinstance(cells, ReadError) else reversed(list(zip(columns, cells, strict=False)))
        yield line, record if isinstance(record, ReadError) else dict(record)


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
            columns = list(dict.fromkeys(columns_of(tuple(names), (*mapped, *optional)).values()))
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


def _row(line: int, record: Mapping[str, object] | ReadError, mapped: Mapped) -> _Row:
    if isinstance(record, ReadError):
        raise record
    columns = columns_of(tuple(record), mapped)
    values = {
        field: text_of(record, columns[field], number=field in _NUMBERS) if field in columns else None
        for field in FIELDS
    }
    text = values["text"]
    if text is None:
        raise _without_text(columns.get("text"), record, mapped)
    comment = Comment(
        id=values["id"] or f"line-{line}",
        text=text,
        author=values["author"],
        time=_time(columns.get("time"), values["time"]),
        parent=values["parent"],
        verdict=_verdict(columns.get("verdict"), values["verdict"]),
    )
    key = values["thread"] or values["url"] or values["title"] or ""
    return _Row(
        line, key, values["title"] or values["thread"], values["url"], values["article"] or "", comment
    )


def _without_text(column: str | None, record: Mapping[str, object], mapped: Mapped) -> ReadError:
    if column is not None:
        return ReadError("empty; remove the row or fill it", part=_field(column))
    wanted = dict(mapped).get("text")
    if wanted is not None:
        return ReadError(f"no field {wanted!r} with the text; {shown(record)}; name the one that has it")
    return ReadError(f"no field with the text; {shown(record)}; name one of them 'text'")


def _field(column: str | None) -> str:
    return f"field {column!r}"


def _time(column: str | None, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ReadError(
            "not an ISO 8601 time; write it like 2018-01-14T09:30:00Z", part=_field(column)
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _verdict(column: str | None, value: str | None) -> PriorStatus | None:
    if value is not None and value not in _VERDICTS:
        raise ReadError(f"not one of {', '.join(_VERDICTS)}", part=_field(column))
    return None if value is None else _VERDICTS[value]
