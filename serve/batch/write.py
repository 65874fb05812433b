"""Writes results as JSONL, CSV or Parquet; a file is complete or not there."""

import csv
import io
import os
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from belowline.data import ReadError
from belowline.data.files import rejects_path, would_replace
from belowline.model import BelowlineError
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.inventory import MOST_COLUMNS, Inventory
from belowline.serve.batch.merge import OF_REASON, Layout
from belowline.serve.batch.read import Row
from belowline.serve.batch.terminal import print_result
from belowline.serve.batch.values import json_bytes, text_or_json
from belowline.serve.scoring.results import Result
from belowline.serve.scoring.safe_text import cell

FORMATS: Mapping[str, str] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?")
Scored = Sequence[tuple[Row, Result]]
Write = Callable[[Scored], None]


class WriteError(BelowlineError):
    """A file cannot be written."""


def format_of(path: Path) -> str:
    """The format that a file's suffix names; raises ReadError for an unknown suffix."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        suffix = path.suffix or "without suffix"
        raise ReadError(f"format {suffix} is unknown; use one of {', '.join(FORMATS)}", path) from None


def check_target(path: Path, source: Path | None) -> None:
    """Raise ReadError or WriteError if results cannot be written to ``path``; ``source`` is the input file."""
    format_of(path)
    if not path.parent.is_dir():
        raise WriteError(f"{path}: there is no folder {path.parent}; create it first")
    if path.exists() and not path.is_file():
        raise WriteError(f"{path}: is not a file; name another one")
    if source is not None and would_replace((path, rejects_path(path)), source):
        raise WriteError(f"{source}: is the input, which --out {path} would replace; name another file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise WriteError(f"{path}: the folder {path.parent} is read-only; name a file in another folder")


def check_columns(path: Path, inventory: Inventory) -> None:
    """Raise WriteError if the input has more columns than a table can hold."""
    if format_of(path) != "jsonl" and len(inventory.columns) > MOST_COLUMNS:
        raise WriteError(f"{path}: the input has over {MOST_COLUMNS} different columns; name a .jsonl file")


@contextmanager
def result_writer(path: Path, layout: Layout) -> Iterator[Write]:
    """A function that appends results to a file, which replaces ``path`` at the end of the block.

    Raises ReadError for an unknown suffix, WriteError if the file cannot be written.
    """
    writers = {"jsonl": _write_jsonl, "csv": _write_csv, "parquet": _write_parquet}
    writer = writers[format_of(path)]
    with told(path), replacing(path) as file, writer(file, layout) as write:
        yield write


@contextmanager
def told(target: object) -> Iterator[None]:
    """Raise WriteError with the name of the ``target`` for an OSError of the block."""
    try:
        yield
    except OSError as error:
        raise WriteError(
            f"{target}: cannot be written ({error.strerror or error}); nothing was replaced"
        ) from None


@contextmanager
def output_writer(layout: Layout) -> Iterator[Write]:
    """A function that writes results to standard output: tables on a terminal, else JSON lines."""
    tables = sys.stdout.isatty()

    def write(scored: Scored) -> None:
        for row, result in scored:
            if tables:
                print_result(result)
            else:
                sys.stdout.write(_json_line(layout, row, result).decode())

    try:
        yield write
        sys.stdout.flush()
    except OSError as error:
        # Python would report the same error again when it flushes standard output at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise WriteError(f"standard output: cannot be written ({error.strerror or error})") from None


def _json_line(layout: Layout, row: Row, result: Result) -> bytes:
    if not row.record:
        return result.model_dump_json().encode() + b"\n"
    return json_bytes(layout.merged(row, result.model_dump())) + b"\n"


@contextmanager
def _write_jsonl(file: BinaryIO, layout: Layout) -> Iterator[Write]:
    yield lambda scored: file.writelines(_json_line(layout, row, result) for row, result in scored)


@contextmanager
def _write_csv(file: BinaryIO, layout: Layout) -> Iterator[Write]:
    """Write a table without formulas, because people open it with spreadsheets."""
    inputs = [layout.name(column) for column in layout.columns]
    scores = [f"score_{label}" for label in layout.labels]
    names = ["id", *inputs, "action", *OF_REASON, *scores, "relevance", "evidence", "language", "model"]

    def add(rows: Iterable[Iterable[object]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
        file.write(text.getvalue().encode("utf-8", "replace"))

    def write(scored: Scored) -> None:
        rows = (layout.merged(row, _flat(result)) for row, result in scored)
        add([row.get(name) for name in names] for row in rows)

    file.write(BOM_UTF8 if layout.byte_order_mark else b"")
    add([names])
    yield write


@contextmanager
def _write_parquet(file: BinaryIO, layout: Layout) -> Iterator[Write]:
    import pyarrow as pa

    string, number = pa.string(), pa.float64()
    types = {"boolean": pa.bool_(), "integer": pa.int64(), "number": number}
    inputs = {layout.name(column): types.get(kind, string) for column, kind in layout.columns.items()}
    texts = [name for name, type_ in inputs.items() if type_ == string]
    span = pa.struct({"label": string, "start": pa.int64(), "end": pa.int64(), "strength": number})
    schema = pa.schema(
        {
            "id": string,
            **inputs,
            "scores": pa.struct(dict.fromkeys(layout.labels, number)),
            "relevance": number,
            "action": string,
            "reason": pa.struct({"code": string, "rule": string, "label": string}),
            "evidence": pa.list_(span),
            "language": string,
            "model": string,
        }
    )
    with parquet_writer(file, schema) as write:

        def add(scored: Scored) -> None:
            rows = [layout.merged(row, result.model_dump()) for row, result in scored]
            write([row | {name: text_or_json(row.get(name)) for name in texts} for row in rows])

        yield add


@contextmanager
def parquet_writer(
    file: BinaryIO, schema: Any, compression: str = "snappy"
) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """A function that appends a group of rows to a Parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetWriter(file, schema, compression=compression) as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist(rows, schema))


def _cell(value: object) -> object:
    text = text_or_json(value)
    return text if text is None or _NUMBER.fullmatch(text) else cell(text, None)


def _flat(result: Result) -> dict[str, Any]:
    fields = result.model_dump()
    fields |= fields.pop("reason")
    return fields | {f"score_{label}": probability for label, probability in fields.pop("scores").items()}
