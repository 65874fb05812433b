"""Numbered, decoded and bounded lines of a text file, and CSV rows from them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

from belowline.data.comment import ReadError

LONGEST_LINE = 2**26
"""Limit in bytes of one line and of one CSV row; a row counts 100 bytes more for each of its lines."""

_CHUNK = 2**20
_LINE_COST = 100
_QUOTE = "quote fields with commas, quotes or line ends"


@dataclass(frozen=True, slots=True)
class Line:
    """A line: ``size`` in bytes; ``problem`` is the error of an unreadable line, without a position.

    The ``text`` of an unreadable line keeps its quotes and delimiters; that of a line over the limit is empty.
    """

    number: int
    text: str
    size: int
    problem: ReadError | None = None


def lines_of(file: BinaryIO) -> Iterator[Line]:
    """Every line of a file in UTF-8, without a byte order mark; memory is bounded by ``LONGEST_LINE``."""
    offset = 0
    for number in count(1):
        raw, size = _next_line(file)
        if not size:
            return
        yield _line(number, raw, size, offset)
        offset += size


def decode(content: bytes, source: object = "", offset: int = 0) -> str:
    """UTF-8 to text; raises ReadError with the position of the first wrong byte, counted from ``offset``."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"byte {offset + error.start + 1} is not valid UTF-8; convert the file to UTF-8", source
        ) from None


def _next_line(file: BinaryIO) -> tuple[bytes, int]:
    """The next line and its size; an empty line if it is over the limit."""
    raw = file.readline(LONGEST_LINE + 1)
    size = len(raw)
    if size <= LONGEST_LINE:
        return raw, size
    while raw and not raw.endswith(b"\n"):
        raw = file.readline(_CHUNK)
        size += len(raw)
    return b"", size


def _line(number: int, raw: bytes, size: int, offset: int) -> Line:
    if size > LONGEST_LINE:
        return Line(
            number,
            "",
            size,
            ReadError(f"{size} bytes long, over the limit of {LONGEST_LINE}; split the line"),
        )
    try:
        text, problem = decode(raw, offset=offset), None
    except ReadError as error:
        text, problem = raw.decode("utf-8", "surrogateescape"), error
    return Line(number, text.removeprefix("\ufeff") if number == 1 else text, size, problem)


def csv_rows(
    lines: Iterator[Line], delimiter: str, width: int
) -> Iterator[tuple[int, list[str] | ReadError]]:
    """Number of each CSV row's first line, and the row's cells or its error; blank rows are skipped.

    A row with a lost quote contains the rows below it, up to the next quote: the error names the lines that are
    skipped.
    """
    row: list[Line] = []
    reader = csv.reader(_texts(lines, row), delimiter=delimiter, strict=True)
    while True:
        row.clear()
        cells: list[str] | ReadError
        try:
            cells = next(reader)
            if len(cells) > width:
                cells = ReadError(f"{len(cells)} fields under a header of {width}; {_QUOTE}")
            elif not any(map(str.strip, cells)):
                cells = []
        except StopIteration:
            return
        except csv.Error as error:
            cells = ReadError(f"not valid CSV ({error}); {_QUOTE}")
            reader = csv.reader(_texts(lines, row), delimiter=delimiter, strict=True)
        found = next((line.problem for line in row if line.problem), cells)
        if isinstance(found, ReadError) and len(row) > 1:
            found = ReadError(f"{found.reason}; lines {row[0].number} to {row[-1].number} are skipped")
        if found:
            yield row[0].number, found


def _texts(lines: Iterator[Line], row: list[Line]) -> Iterator[str]:
    """The texts of ``lines``, which are also added to ``row``; raises csv.Error for a row over the limit."""
    size = 0
    for line in lines:
        row.append(line)
        size = line.size if len(row) == 1 else size + line.size + _LINE_COST
        if size > LONGEST_LINE:
            raise csv.Error(f"a row of more than {LONGEST_LINE} bytes")
        yield line.text
