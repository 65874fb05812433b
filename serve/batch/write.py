"""Writes results as JSONL, CSV or Parquet; a file is complete or not there."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from belowline.model import BelowlineError
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.read import format_of
from belowline.serve.scoring.results import Result

Write = Callable[[Sequence[Result]], None]


class WriteError(BelowlineError):
    """A file cannot be written."""


def result_writer(path: Path, labels: Sequence[str]) -> AbstractContextManager[Write]:
    """A function that appends results to a file, which replaces ``path`` at the end of the block.

    Raises ReadError for an unknown suffix, WriteError for a target that cannot be written.
    """
    writers = {"jsonl": _write_jsonl, "csv": _write_csv, "parquet": _write_parquet}
    writer = writers[format_of(path)]
    if not path.parent.is_dir():
        raise WriteError(f"{path}: there is no folder {path.parent}; create it first")
    if path.exists() and not path.is_file():
        raise WriteError(f"{path}: is not a file; name another one")
    return writer(path, labels)


@contextmanager
def parquet_writer(
    path: Path, schema: Any, compression: str = "snappy"
) -> Iterator[Callable[[Sequence[Mapping[str, Any]]], None]]:
    """A function that appends a group of rows to a Parquet file, which replaces ``path`` at the end of the block."""
    import pyarrow as pa
    from pyarrow import parquet

    with replacing(path) as file, parquet.ParquetWriter(file, schema, compression=compression) as writer:
        yield lambda rows: writer.write_table(pa.Table.from_pylist(rows, schema))


def json_line(result: Result) -> str:
    """A result as one line of JSON."""
    return result.model_dump_json() + "\n"


@contextmanager
def _write_jsonl(path: Path, labels: Sequence[str]) -> Iterator[Write]:
    with replacing(path) as file:
        yield lambda results: file.writelines(json_line(result).encode() for result in results)


@contextmanager
def _write_csv(path: Path, labels: Sequence[str]) -> Iterator[Write]:
    names = ["id", "action", "code", "rule", "label", *(f"score_{label}" for label in labels), "relevance"]
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8", newline="")
        writer = csv.DictWriter(text, [*names, "evidence", "language", "model"])
        writer.writeheader()
        yield lambda results: writer.writerows(_flat(result) for result in results)
        text.detach()  # flushes, and leaves the file open for `replacing`


@contextmanager
def _write_parquet(path: Path, labels: Sequence[str]) -> Iterator[Write]:
    import pyarrow as pa

    string, number = pa.string(), pa.float64()
    span = pa.struct({"label": string, "start": pa.int64(), "end": pa.int64(), "strength": number})
    schema = pa.schema(
        {
            "id": string,
            "scores": pa.struct(dict.fromkeys(labels, number)),
            "relevance": number,
            "action": string,
            "reason": pa.struct({"code": string, "rule": string, "label": string}),
            "evidence": pa.list_(span),
            "language": string,
            "model": string,
        }
    )
    with parquet_writer(path, schema) as write:
        yield lambda results: write([result.model_dump() for result in results])


def _flat(result: Result) -> dict[str, Any]:
    fields = result.model_dump()
    fields |= fields.pop("reason")
    fields |= {f"score_{label}": probability for label, probability in fields.pop("scores").items()}
    return fields | {"evidence": json.dumps(fields["evidence"])}
