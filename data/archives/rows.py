"""Reads the rows to score of tables and exports, each with its place and all its columns, as an audit reads them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from belowline.data.archives.columns import Mapped, filled_columns
from belowline.data.archives.containers import is_container, unpack
from belowline.data.archives.formats import HEAD, TABLES, format_of
from belowline.data.archives.hosts import text_of
from belowline.data.archives.readers import READERS, How, may_be_member
from belowline.data.archives.records import Garbled, check_bytes, read_records, unit_of
from belowline.data.archives.shapes import walk, walk_named
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.table_reader import values_of
from belowline.data.archives.values import as_text
from belowline.data.archives.warc.records import looks_like_warc
from belowline.data.comment import Comment, ReadError, Thread, Unit

Place = tuple[str, int | None, Unit]
"""Source, position and its unit."""

Rows = Iterator[tuple[Place, Mapping[str, object] | ReadError]]
"""Rows or their errors, with their places."""

_EXPORTS = frozenset({"isso", "wxr", "disqus"})
"""Formats of exports whose comments are given as rows of a table."""


def read_rows(path: Path, mapped: Mapped, side: SideFields | None = None) -> Rows:
    """The rows of a JSONL, JSON, CSV or Parquet file, or of an export of isso, WordPress or Disqus; alone or packed.

    The format is detected as in ``read_threads``. Raises ReadError for other formats and without a ``mapped`` column.
    Replaced bytes are counted in ``side``.
    """
    side = side or SideFields()
    with path.open("rb") as file:
        head = file.read(HEAD)
    if is_container(head) and not looks_like_warc(head):
        for member in unpack(path, lambda name: may_be_member(name, None)):
            try:
                for (source, number, unit), row in read_rows(member.path, mapped, side):
                    yield (member.name + source.removeprefix(str(member.path)), number, unit), row
            except ReadError as error:
                raise error.at(member.name, error.position, error.unit) from error
        return
    format = format_of(path, head, mapped)
    table = TABLES.get(format)
    if format in _EXPORTS:
        yield from _exported(path, format, side)
        return
    if table is None:
        raise ReadError(
            f"not rows of JSONL, JSON, CSV or Parquet but the format {format!r}; use `belowline audit`", path
        )
    for number, row in read_records(path, table, mapped, side=side):
        for one in (row,) if isinstance(row, ReadError) else _comments_in(row, mapped, side):
            yield (str(path), number, unit_of(table)), one


def _exported(path: Path, format: str, side: SideFields) -> Rows:
    """The comments of an export as rows."""
    errors: list[ReadError] = []
    for thread in READERS[format](path, How(None, (), errors.append), side):
        yield from _placed(errors)
        for comment in thread.comments:
            yield (str(path), comment.line, "row" if format == "isso" else "line"), _row_of(thread, comment)
    yield from _placed(errors)


def _placed(errors: list[ReadError]) -> Rows:
    while errors:
        error = errors.pop(0)
        yield (error.source, error.position, error.unit), error


def _row_of(thread: Thread, comment: Comment) -> dict[str, object]:
    return {
        "thread": thread.title,
        "url": thread.url,
        "id": comment.id,
        "parent": comment.parent,
        "author": comment.author,
        "author_url": comment.author_url,
        "time": comment.time and comment.time.isoformat(),
        "status": comment.verdict,
        "text": comment.text,
    }


def _comments_in(
    record: Mapping[str, Any], mapped: Mapped, side: SideFields
) -> Iterator[Mapping[str, object] | ReadError]:
    """The comments of a record: those of known hosts with their plain text, else those known by their names."""
    known = () if "text" in dict(mapped) else [found for found in walk(record) if found.shape]
    comments = [
        (found.record, found.shape) for found in known if found.shape and found.shape.kind == "comment"
    ]
    for comment, shape in comments:
        column = filled_columns(comment, mapped).get("text", "text")
        text = text_of(comment, shape, as_text(comment.get(column), "text"))
        yield (
            {**comment, column: text} if text else ReadError("deleted, or without a text; leave the row out")
        )
    if comments:
        return
    text_column = filled_columns(record, mapped).get("text")
    if known and (text_column is None or as_text(record[text_column], "text") is None):
        side.count("records left out that are no comments")
    elif not any(value is None or isinstance(value, dict | list) for value in record.values()):
        yield _with_text(record, mapped)
    else:
        # One object may hold all comments.
        empty = True
        for found in walk_named(record, mapped):
            empty = False
            yield _with_text(found.record, mapped)
        if empty:
            side.count("articles left out that have no comments")


def _with_text(record: Mapping[str, object], mapped: Mapped) -> Mapping[str, object] | ReadError:
    """The record, or the error of a text that is mostly broken bytes."""
    try:
        if isinstance(record, Garbled):
            check_bytes(record, values_of(record, filled_columns(record, mapped), ("text",))["text"] or "")
    except ReadError as error:
        return error
    return record
