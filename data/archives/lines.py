"""The lines of a text file: numbered, decoded and bounded, those that cannot be read as well; rows of CSV from them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import BinaryIO

from belowline.data.comment import ReadError

LONGEST_LINE = 2**26
"""Bytes of one line, and of one row of CSV, which may run over several lines; each line counts as 100 more there."""

_CHUNK = 2**20
_LINE_COST = 100
_REREADS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """A line: ``size`` in bytes; ``problem`` tells why it cannot be used, without a place.

    ``text`` then still has the quotes and delimiters of the line, or is empty where it is too long.
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
    """The next line and its size; of one that is too long nothing."""
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
            number, "", size, ReadError(f"{size} bytes long, more than {LONGEST_LINE}; is it one comment?")
        )
    try:
        text, problem = decode(raw, offset=offset), None
    except ReadError as error:
        text, problem = raw.decode("utf-8", "surrogateescape"), error
    return Line(number, text.removeprefix("\ufeff") if number == 1 else text, size, problem)


class CsvRows:
    """The rows of CSV: an iterator of the line on which each begins and its cells, or why it cannot be read.

    A row that is not valid CSV may have lost a quote, and then runs on into the rows below it. So only its first line
    counts as wrong, and the lines after that are read again, as long as that costs no more than a few times what
    reading the file costs. Among those lines only rows with all their fields count: others are likely pieces of text.
    """

    def __init__(self, lines: Iterator[Line], delimiter: str, width: int) -> None:
        self._lines, self._delimiter, self._width = lines, delimiter, width
        self._row: list[Line] = []
        self._again: list[Line] = []
        self._size = self._read = self._reread = 0

    def __iter__(self) -> Iterator[tuple[int, list[str] | ReadError]]:
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
        return csv.reader(self._texts(), delimiter=self._delimiter, strict=True)

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

    def _checked(self, cells: list[str], retried: bool) -> list[str] | ReadError:
        problem = next((line.problem for line in self._row if line.problem), None)
        if problem or not any(map(str.strip, cells)):
            return problem or cells
        if len(cells) > self._width or (retried and len(cells) < self._width):
            return ReadError(f"{len(cells)} fields under a header of {self._width}; quote fields with commas")
        return cells

    def _refused(self, error: csv.Error) -> ReadError:
        below = self._row[1:]
        if self._reread + self._size <= _REREADS * self._read:
            self._reread += self._size
            self._again.extend(reversed(below))
        return self._row[0].problem or ReadError(
            f"not valid CSV ({error}); quote fields with commas, quotes or newlines"
        )
