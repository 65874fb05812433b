"""Numbered, decoded and bounded lines of a text file, and CSV rows from them."""

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

from belowline.data.comment import ReadError

LONGEST_LINE = 2**26
"""Limit in bytes of one line and of one CSV row; a row counts 100 bytes more for each of its lines."""

_CHUNK = 2**20
_LINE_COST = 100
_REREADS = 4
_QUOTED = re.compile(r'"((?:[^"]|"")*(?:\s".*)?)"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Line:
    """A line: ``size`` in bytes; ``problem`` is the error of an unreadable line, without a position.

    The ``text`` of an unreadable line keeps its quotes and delimiters; that of a line over the limit is empty.
    """

    number: int
    text: str
    size: int
    problem: ReadError | None = None

    @property
    def lost(self) -> bool:
        """True for a line over the limit; a line with broken bytes still has its text."""
        return self.problem is not None and not self.text


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


class Cells(list[str]):
    """The cells of a CSV row; ``problem`` is the error of broken bytes among them, which are lone surrogates."""

    problem: ReadError | None = None


class CsvRows:
    """Iterator over CSV rows: the number of each row's first line, and its cells or its error.

    A line that the file's rules for quotes do not fit is read by other rules, if they give it all fields.

    A row that is not valid CSV may have lost a quote and then contains the rows below it. Only its first line counts
    as wrong; the other lines are read again, up to a few times the cost of reading the file. Of the lines that are read
    again, only rows with all fields count, because other rows are likely parts of a text.
    """

    def __init__(self, lines: Iterator[Line], delimiter: str, width: int, escape: str | None = None) -> None:
        self._lines, self._delimiter, self._width, self._escape = lines, delimiter, width, escape
        self._row: list[Line] = []
        self._again: list[Line] = []
        self._size = self._read = self._reread = 0

    def __iter__(self) -> Iterator[tuple[int, Cells | ReadError]]:
        reader = self._reader()
        while True:
            retried = bool(self._again)
            self._row, self._size = [], 0
            try:
                cells = self._checked(next(reader), retried)
            except StopIteration:
                return
            except csv.Error as error:
                cells = self._refused(error)
                reader = self._reader()
            if isinstance(cells, ReadError) or any(map(str.strip, cells)):
                yield self._row[0].number, cells

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self._texts(), delimiter=self._delimiter, escapechar=self._escape, strict=True)

    def _texts(self) -> Iterator[str]:
        while line := self._again.pop() if self._again else self._unread():
            self._row.append(line)
            self._size += line.size + _LINE_COST
            if self._size - _LINE_COST > LONGEST_LINE:
                raise csv.Error(f"a row of more than {LONGEST_LINE} bytes")
            yield line.text

    def _unread(self) -> Line | None:
        line = next(self._lines, None)
        self._read += line.size + _LINE_COST if line else 0
        return line

    def _checked(self, row: list[str], retried: bool) -> Cells | ReadError:
        problem = next((line.problem for line in self._row if line.lost), None)
        cells = Cells(row)
        if problem or not any(map(str.strip, cells)):
            return problem or cells
        cells.problem = next((line.problem for line in self._row if line.problem), None)
        # Excel pads rows with empty cells.
        while len(cells) > self._width and not cells[-1].strip():
            cells.pop()
        if retried and len(cells) < self._width:
            return ReadError(f"row has {len(cells)} of {self._width} fields; quote fields with line ends")
        if len(cells) > self._width:
            return ReadError(
                f"row has {len(cells)} fields, the header {self._width}; quote fields with commas"
            )
        return cells

    def _refused(self, error: csv.Error) -> Cells | ReadError:
        first, below = self._row[0], self._row[1:]
        if self._reread + self._size <= _REREADS * self._read:
            self._reread += self._size
            self._again.extend(reversed(below))
            if not first.lost and (cells := self._otherwise(first.text)):
                cells.problem = first.problem
                return cells
        return (first.problem if first.lost else None) or ReadError(
            f"not valid CSV ({error}); quote fields with commas, quotes or line ends"
        )

    def _otherwise(self, line: str) -> Cells | None:
        """The cells of a line with other rules for quotes than the file's, None if none gives all fields."""
        for escape in (None, "\\"):
            with suppress(csv.Error):
                cells = next(
                    csv.reader([line], delimiter=self._delimiter, escapechar=escape, strict=True), []
                )
                if len(cells) == self._width:
                    return Cells(cells)
        with suppress(csv.Error):
            cells = next(csv.reader([line], delimiter=self._delimiter, quoting=csv.QUOTE_NONE), [])
            if len(cells) == self._width and not any(cell.count('"') % 2 for cell in cells):
                return Cells(map(_unquoted, cells))
        return None


def _unquoted(cell: str) -> str:
    """A cell without the quotes around it; those of a quoted word at its start belong to the text."""
    match = _QUOTED.fullmatch(cell)
    return match[1].replace('""', '"') if match else cell
