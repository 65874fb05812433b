"""CSV that people open, fill in and save with Excel or LibreOffice."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from belowline.model import BelowlineError
from belowline.serve.batch.atomic import replacing

CELL_CHARS = 32_000
"""Excel takes 32,767 characters a cell and spills the rest of a longer one into further rows."""
_CUT = " […]"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_DELIMITERS = ",;\t"


class SheetError(BelowlineError):
    """A spreadsheet's file cannot be read; the message is one line and quotes no cell."""


def cell(value: object) -> object:
    """What is written for ``value``: a text that a spreadsheet would take for a formula gets an apostrophe, a too long one is cut."""
    if not isinstance(value, str):
        return value
    text = value.replace("\x00", "\ufffd")
    if text.lstrip(" ").startswith(_FORMULA):
        text = "'" + text
    return text if len(text) <= CELL_CHARS else text[: CELL_CHARS - len(_CUT)] + _CUT


def write_sheet(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Writes ``rows`` in UTF-8 with a byte order mark, by which Excel knows it; missing columns are empty."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="")
        writer = csv.writer(text)
        writer.writerow(columns)
        writer.writerows([cell(row.get(name)) for name in columns] for row in rows)
        text.detach()  # flushes, and leaves the closing to `replacing`


def read_sheet(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The rows that are not empty, each with the number that a spreadsheet shows beside it (the header is 1), cells without outer blanks.

    Commas, semicolons or tabs part the columns; UTF-8, UTF-16 and the Windows code page are read. Raises SheetError where a ``needed``
    column is missing or a row has more cells than the header.
    """
    text = _decoded(path)
    header = io.StringIO(text, newline="").readline()
    delimiter = max(_DELIMITERS, key=lambda one: len(set(needed) & set(_names(header, one))))
    csv.field_size_limit(1 << 30)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise SheetError(f"{path}: is not valid CSV ({error}); save it as CSV again") from None
    names = [name.strip().casefold() for name in lines[0]] if lines else []
    for name in needed:
        if names.count(name) != 1:
            wrong = "appears twice" if name in names else "is missing"
            raise SheetError(f"{path}, row 1: column {name} {wrong}; keep the columns of sample.csv")
    return [
        (number, _row(f"{path}, row {number}", names, cells))
        for number, cells in enumerate(lines[1:], 2)
        if any(map(str.strip, cells))
    ]


def _row(where: str, names: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    if any(map(str.strip, cells[len(names) :])):
        raise SheetError(
            f"{where}: has {len(cells)} cells under {len(names)} columns; quote what holds the delimiter"
        )
    padded = [*cells, *[""] * (len(names) - len(cells))]
    return {name: value.strip() for name, value in zip(names, padded, strict=False)}


def _names(header: str, delimiter: str) -> list[str]:
    try:
        return [name.strip().casefold() for name in next(csv.reader([header], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    marked = next((name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        return content.decode(marked)
    except UnicodeDecodeError:
        if marked != "utf-8":
            raise SheetError(f"{path}: is damaged {marked}; save it as CSV in UTF-8") from None
    # What Excel on Windows saves as plain "CSV": numbers and labels are read all the same.
    return content.decode("cp1252", "replace")
