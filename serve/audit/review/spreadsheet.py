"""CSV files that people fill in and save with Excel or LibreOffice."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from belowline.serve.audit.errors import AuditError
from belowline.serve.batch.atomic import replacing

CELL_CHARS = 32_000
"""Excel accepts 32,767 characters in a cell and moves the rest of a longer one to further rows."""
_CUT = " […]"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}


def cell(value: object) -> object:
    """The cell for ``value``: an apostrophe before anything that a spreadsheet would run, long texts cut."""
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "\ufffd")
    if text.lstrip(" ").startswith(_FORMULA):
        text = "'" + text
    return text if len(text) <= CELL_CHARS else text[: CELL_CHARS - len(_CUT)] + _CUT


def write_sheet(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``rows``, empty where a column is missing."""
    with replacing(path) as file:
        # Excel recognises UTF-8 by the byte order mark.
        text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
        text.detach()  # flushes, and leaves the file open for `replacing`


def read_sheet(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows that are not empty, by the number that a spreadsheet shows (the header is 1); cells are stripped.

    Columns are separated by commas, semicolons or tabs; the encoding is UTF-8, UTF-16 or the Windows code page. Raises
    AuditError if a ``needed`` column is missing or a row has more cells than the header.
    """
    text = _decoded(path)
    header = io.StringIO(text, newline="").readline()
    delimiter = max(",;\t", key=lambda one: len(set(needed) & set(_names(header.split(one)))))
    csv.field_size_limit(1 << 30)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise AuditError(f"{path}: not valid CSV ({error}); save it as CSV again") from None
    names = _names(lines[0] if lines else [])
    for name in needed:
        if names.count(name) != 1:
            wrong = "appears twice" if name in names else "is missing"
            raise AuditError(f"{path}, row 1: column {name} {wrong}; keep the columns of sample.csv")
    return [
        (number, _row(f"{path}, row {number}", names, cells))
        for number, cells in enumerate(lines[1:], 2)
        if any(map(str.strip, cells))
    ]


def _names(header: Iterable[str]) -> list[str]:
    return [name.strip(' "\r\n').casefold() for name in header]


def _row(where: str, names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if any(map(str.strip, cells[len(names) :])):
        raise AuditError(
            f"{where}: {len(cells)} cells under {len(names)} columns; quote cells with the delimiter"
        )
    padded = [*cells, *[""] * (len(names) - len(cells))]
    return {name: value.strip() for name, value in zip(names, padded, strict=False)}


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(marked)
    except UnicodeDecodeError:
        if marked != "utf-8":
            raise AuditError(f"{path}: damaged {marked}; save it as CSV in UTF-8") from None
    # Excel on Windows saves plain "CSV" in this code page; numbers and labels survive other ones.
    return content.decode("cp1252", "replace")
