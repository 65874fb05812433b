"""Rows of delimited corpus files."""

import csv
import sys
from collections.abc import Iterator
from pathlib import Path


def rows(path: Path, *, delimiter: str = ",", quoted: bool = True) -> Iterator[dict[str, str]]:
    """The rows of a file with a header, as mappings; raises ValueError for a row with another number of fields."""
    csv.field_size_limit(sys.maxsize)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(
            file, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        )
        for row in reader:
            if None in row or None in row.values():
                raise ValueError(
                    f"{path.name} line {reader.line_num}: {len(row)} fields where the header names another number"
                )
            yield row
