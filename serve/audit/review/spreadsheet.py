"""CSV files that people fill in and save with Excel or LibreOffice."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from belowline.data import ReadError
from belowline.data.archives.records import read_records
from belowline.serve.audit.errors import AuditError
from belowline.serve.batch.atomic import replacing
from belowline.serve.scoring.safe_text import cell


def write_sheet(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``rows``, empty where a column is missing."""
    with sheet_writer(path, columns) as write:
        write(rows)


@contextmanager
def sheet_writer(
    path: Path, columns: Sequence[str]
) -> Iterator[Callable[[Iterable[Mapping[str, Any]]], None]]:
    """A function that appends rows, as ``write_sheet``, to a file that replaces ``path`` at the end of the block."""
    with replacing(path) as file:
        # Excel recognises UTF-8 by the byte order mark.
        text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        writer = csv.writer(text)
        writer.writerow(columns)
        yield lambda rows: writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
        text.detach()  # flushes, and leaves the file open for `replacing`


def read_sheet(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows by their number, of which the header is 1; cells are stripped.

    Columns are separated by commas, semicolons, tabs or bars; the encoding is UTF-8, UTF-16 or Windows-1252. Raises
    AuditError if a ``needed`` column is missing, and for a row with more cells than the header.
    """
    rows = []
    try:
        for number, (line, record) in enumerate(
            read_records(path, "csv", tuple((name, name) for name in needed), with_text=False), 2
        ):
            if isinstance(record, ReadError):
                raise record.at(path, line)
            cells = {name.strip().casefold(): str(value).strip() for name, value in record.items()}
            rows.append((number, dict.fromkeys(needed, "") | cells))
    except ReadError as error:
        raise AuditError(f"{error}; keep the columns of sample.csv, and save it as CSV") from None
    return rows
