"""Reads archives with one comment a row: JSONL, CSV and Parquet.

Rows of one thread must stand together: a thread is yielded as soon as a row of another one comes, so memory
is bounded by the largest thread. A thread that comes back later is yielded as a further thread.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, get_args

from belowline.data.comment import Comment, ReadError, Thread, Verdict, whole

FIELDS: Mapping[str, tuple[str, ...]] = {
    "text": ("text", "comment_text", "comment", "body", "content", "message"),
    "id": ("id", "comment_id"),
    "author": ("author", "user", "username"),
    "time": ("time", "timestamp", "created_at", "created", "published", "date"),
    "parent": ("parent", "parent_id", "reply_to", "in_reply_to"),
    "thread": ("thread", "thread_id", "article_id"),
    "title": ("title", "article_title", "thread_title"),
    "url": ("url", "article_url", "thread_url", "link"),
    "article": ("article", "article_text"),
    "verdict": ("verdict",),
}
"""Each field and the names under which a file may give it, the preferred one first; case does not matter."""

_LOOSE_ROWS = 1000
_VERDICTS: Mapping[str, Verdict] = {one: one for one in get_args(Verdict)}
_MAX_FIELD = 2**31 - 1
_SHOWN_NAMES = 20


@dataclass(frozen=True, slots=True)
class _Row:
    """A comment with what its row says of the thread."""

    line: int
    key: str
    title: str | None
    url: str | None
    article: str
    comment: Comment


def read_jsonl(path: Path) -> Iterator[Thread]:
    """The threads of a file with one JSON object a line; raises ReadError."""
    with path.open("rb") as file:
        yield from _threads(_jsonl_rows(path, file), path)


def read_csv(path: Path) -> Iterator[Thread]:
    """The threads of a CSV file with a header, parted by commas, semicolons or tabs; raises ReadError."""
    with path.open("rb") as file:
        yield from _threads(_csv_rows(path, file), path)


def read_parquet(path: Path) -> Iterator[Thread]:
    """The threads of a Parquet file, of which only the columns that are known are read; raises ReadError."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            yield from _threads(_parquet_rows(path, file), path)
    except (
        pa.ArrowException,
        OSError,
        UnicodeDecodeError,
    ) as error:  # which of them depends on where the damage is
        raise ReadError(
            f"{path}: damaged, or not Parquet ({type(error).__name__}); export it again"
        ) from None


def decode(line: bytes, where: str, offset: int = 0) -> str:
    """UTF-8 to text; raises ReadError with the position of the first wrong byte, counted from ``offset``."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"{where}: byte {offset + error.start + 1} is not valid UTF-8; convert the file to UTF-8"
        ) from None


def csv_columns(header: str) -> tuple[str, list[str]]:
    """Delimiter and names of a CSV header: the delimiter that gives a text column, else the most columns."""
    options = [(delimiter, _split(header, delimiter)) for delimiter in ",;\t"]
    return max(options, key=lambda option: (has_text_column(option[1]), len(option[1])))


def has_text_column(columns: Iterable[str]) -> bool:
    """Whether one of the columns holds the comment's text."""
    return "text" in _columns(tuple(columns))


def _split(header: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []


@lru_cache(maxsize=256)
def _columns(present: tuple[str, ...]) -> Mapping[str, str]:
    """Field to the column that gives it, for the fields that are present."""
    known = {column.strip().casefold(): column for column in reversed(present)}
    found = ((field, next(filter(known.__contains__, names), None)) for field, names in FIELDS.items())
    return {field: known[name] for field, name in found if name is not None}


def _lines(path: Path, file: BinaryIO) -> Iterator[str]:
    offset = 0
    for number, line in enumerate(file, start=1):
        yield decode(line, f"{path}, line {number}", offset).removeprefix("\ufeff" if number == 1 else "")
        offset += len(line)


def _jsonl_rows(path: Path, file: BinaryIO) -> Iterator[_Row]:
    for number, line in enumerate(_lines(path, file), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        yield _row(where, number, _object(where, line))


def _object(where: str, line: str) -> dict[str, object]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        detail = f"{error.msg}, column {error.colno}"
        raise ReadError(f"{where}: not valid JSON ({detail}); put one whole object on each line") from None
    except (ValueError, RecursionError):
        raise ReadError(f"{where}: JSON with too long a number or too deep; shorten it") from None
    if not isinstance(record, dict):
        raise ReadError(
            f"{where}: a JSON {type(record).__name__}, not an object; put one object on each line"
        )
    return record


def _parquet_rows(path: Path, file: Any) -> Iterator[_Row]:
    names = file.schema_arrow.names
    columns = list(_columns(tuple(names)).values())
    if not has_text_column(names):
        raise ReadError(f"{path}: no text column; {_present(names)}; name one of them 'text'")
    number = 0
    for batch in file.iter_batches(_LOOSE_ROWS, columns=columns):
        for record in batch.to_pylist():
            number += 1
            times = {name: value.isoformat() for name, value in record.items() if isinstance(value, date)}
            yield _row(f"{path}, row {number}", number, record | times)


def _csv_rows(path: Path, file: BinaryIO) -> Iterator[_Row]:
    csv.field_size_limit(_MAX_FIELD)
    lines = _lines(path, file)
    above, header = next((filled for filled in enumerate(lines, start=1) if filled[1].strip()), (1, ""))
    delimiter, columns = csv_columns(header)
    if not has_text_column(columns):
        raise ReadError(f"{path}, line {above}: no text column; {_present(columns)}; name one of them 'text'")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = above + reader.line_num + 1
        where = f"{path}, line {line}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ReadError(
                f"{where}: not valid CSV ({error}); quote fields with commas, quotes or newlines"
            ) from None
        if len(cells) > len(columns):
            raise ReadError(
                f"{where}: {len(cells)} fields under a header of {len(columns)}; quote fields with commas"
            )
        if any(map(str.strip, cells)):
            yield _row(where, line, dict(reversed(list(zip(columns, cells, strict=False)))))


def _row(where: str, line: int, record: Mapping[str, object]) -> _Row:
    columns = _columns(tuple(record))
    values = {
        field: _value(where, field, columns[field], record) if field in columns else None for field in FIELDS
    }
    text = values["text"]
    if text is None:
        if "text" in columns:
            raise ReadError(f"{where}, field {columns['text']!r}: empty; remove the row or fill it")
        raise ReadError(f"{where}: no field with the text; {_present(record)}; name one of them 'text'")
    comment = Comment(
        id=values["id"] or f"line-{line}",
        text=text,
        author=values["author"],
        time=_time(where, values["time"]),
        parent=values["parent"],
        verdict=_verdict(where, values["verdict"]),
    )
    key = values["thread"] or values["url"] or values["title"] or ""
    return _Row(
        line, key, values["title"] or values["thread"], values["url"], values["article"] or "", comment
    )


def _value(where: str, field: str, column: str, record: Mapping[str, object]) -> str | None:
    """A field as text, or None where it is missing or blank."""
    value = record.get(column)
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and field in ("id", "author", "parent", "thread")
    ):
        value = str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str):
        raise ReadError(
            f"{where}, field {column!r}: a JSON {type(value).__name__}, not a string; write it as a string"
        )
    return whole(value)


def _time(where: str, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ReadError(
            f"{where}, field 'time': not an ISO 8601 time; write it like 2018-01-14T09:30:00Z"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _verdict(where: str, value: str | None) -> Verdict | None:
    if value is not None and value not in _VERDICTS:
        raise ReadError(f"{where}, field 'verdict': is none of {', '.join(_VERDICTS)}")
    return None if value is None else _VERDICTS[value]


def _present(columns: Iterable[str]) -> str:
    names = [column if len(column) <= 30 else column[:29] + "…" for column in columns]
    shown = ", ".join(map(repr, names[:_SHOWN_NAMES])) + (", …" if len(names) > _SHOWN_NAMES else "")
    return f"the columns are {shown}" if names else "there are no columns"


def _threads(rows: Iterable[_Row], path: Path) -> Iterator[Thread]:
    def part(numbered: tuple[int, _Row]) -> tuple[str, int]:
        # Rows that name no thread are no thread: they are cut into parts so that memory stays bounded.
        number, row = numbered
        return row.key, 0 if row.key else number // _LOOSE_ROWS

    found = False
    for _, run in groupby(enumerate(rows), key=part):
        group = [row for _, row in run]
        article = next((row.article for row in group if row.article), "")
        first = group[0]
        found = True
        yield Thread(
            f"{path}:{first.line}", first.title, first.url, article, tuple(row.comment for row in group)
        )
    if not found:
        raise ReadError(f"{path}: no rows; nothing to read")
