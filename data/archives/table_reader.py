"""Reads tables with one comment a row: JSONL, JSON, CSV and Parquet, and exports of known hosts in them.

A thread ends at the first row of another thread, so memory is bounded by the largest thread. Later rows of the same
thread become a further thread; the threads of known hosts are gathered instead. An unreadable row is reported and
skipped.
"""

import builtins
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby, islice
from pathlib import Path
from typing import Any

from belowline.data.archives.columns import FIELDS, NAME_THE_TEXT, Mapped, filled_columns, shown
from belowline.data.archives.hosts import read_host
from belowline.data.archives.records import Records, TableFormat, Unmet, check_bytes, read_records, unit_of
from belowline.data.archives.shapes import Found, thread_of, walk, walk_named
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.values import as_text, kind_of, plain_text, scalar
from belowline.data.comment import Comment, PriorStatus, ReadError, Report, Thread

_LOOSE_ROWS = 1000
_SNIFFED = 200
_REMEMBERED = 100_000
_APART = "rows of one thread stand apart, so it counts as several threads; sort the file by thread and read it again"
_SIDE_FIELDS = frozenset({"time", "date", "verdict"})
_TEXT_FIELDS = tuple(field for field in FIELDS if field not in _SIDE_FIELDS)
_MACHINE_WRITTEN = frozenset(
    ("pingback", "trackback", "webmention", "order_note", "action_log", "note", "like", "repost", "bookmark")
)
_KIND_NAMES = ("comment_type", "type")

Values = Mapping[str, str | None]
"""Fields as text, or None."""


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
        raise ReadError("no rows; check the file", path)
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
    unmet, empty = Unmet(mapped) if format in ("jsonl", "json") else None, True
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
    values = values_of(record, columns, _TEXT_FIELDS)
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


def values_of(
    record: Mapping[str, object], columns: Mapping[str, str], fields: Iterable[str] = FIELDS
) -> dict[str, str | None]:
    """Fields of a record as text, None where missing, blank, or no text. Numbers are text, objects give their name.

    ``columns`` are those of ``filled_columns``.
    """
    return {
        field: as_text(record[columns[field]], field) if columns.get(field) in record else None
        for field in fields
    }


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


def _without_text(column: str | None, record: Mapping[str, object], mapped: Mapped) -> ReadError:
    if column is not None:
        value = record.get(column)
        if isinstance(value, str) or value is None:
            return _wrong(column, "empty; remove the row or fill it")
        return _wrong(column, f"{kind_of(value)} in place of a text; write it as a string")
    wanted = dict(mapped).get("text")
    if wanted is not None:
        return ReadError(f"no field {wanted!r} with the text; {shown(record)}; name the one that has it")
    return ReadError(f"no field with the text; {shown(record)}; {NAME_THE_TEXT}")


def _wrong(column: str | None, reason: str) -> ReadError:
    return ReadError(reason, part=f"field {column!r}")
