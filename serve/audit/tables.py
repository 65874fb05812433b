"""The audit's tables: ``comments.parquet`` and ``threads.parquet``, with schemas that stay as they are."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.read import in_chunks

_ROWS_AT_ONCE = 4096


@contextmanager
def comments_table(path: Path, labels: Sequence[str]) -> Iterator["CommentsTable"]:
    """A table to add rows of comments.jsonl to, which takes the place of ``path`` once the block ends."""
    from pyarrow import parquet

    schema = comments_schema(labels)
    with replacing(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        table = CommentsTable(writer, schema, labels)
        yield table
        table.flush()


class CommentsTable:
    """Writes rows in groups."""

    def __init__(self, writer: Any, schema: Any, labels: Sequence[str]) -> None:
        self._writer, self._schema, self._labels = writer, schema, labels
        self._waiting: list[dict[str, Any]] = []

    def add(self, row: Mapping[str, Any]) -> None:
        """Adds a row."""
        self._waiting.append(_flat(row, self._labels))
        if len(self._waiting) == _ROWS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        import pyarrow as pa

        if self._waiting:
            self._writer.write_table(pa.Table.from_pylist(self._waiting, self._schema))
            self._waiting = []


def comments_schema(labels: Sequence[str]) -> Any:
    """The columns of comments.parquet: those of comments.jsonl with one for each label, null where scoring failed."""
    import pyarrow as pa

    text, number = pa.string(), pa.float32()
    span = pa.struct({"label": text, "start": pa.int32(), "end": pa.int32(), "strength": number})
    return pa.schema(
        {
            **dict.fromkeys(("source", "thread"), text),
            "position": pa.int32(),
            **dict.fromkeys(("id", "parent", "author"), text),
            "time": pa.timestamp("us", "UTC"),
            "text": text,
            **dict.fromkeys(("action", "code", "rule", "label", "verdict"), text),
            "campaign": pa.int64(),
            "relevance": number,
            "language": text,
            "model": text,
            **{f"score_{label}": number for label in labels},
            "evidence": pa.list_(span),
        }
    )


def write_threads(path: Path, threads: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> None:
    """``threads.parquet``: a row for each thread of the ledger, its counts of decisions and of labels, read as a stream."""
    import pyarrow as pa
    from pyarrow import parquet

    text, number = pa.string(), pa.int64()
    actions = ("publish", "hold", "reject")
    schema = pa.schema(
        {
            **dict.fromkeys(("source", "thread", "url"), text),
            **dict.fromkeys(("comments", *actions, *labels), number),
            "notes": pa.list_(text),
        }
    )
    rows = ({**thread, **thread["actions"], **thread["labels"]} for thread in threads)
    with replacing(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for some in in_chunks(rows, _ROWS_AT_ONCE):
            writer.write_table(pa.Table.from_pylist(some, schema))


def _flat(row: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    scores = {f"score_{label}": row["scores"].get(label) for label in labels}
    time = datetime.fromisoformat(row["time"]) if row["time"] else None
    return {**row, **row["reason"], **scores, "time": time}
