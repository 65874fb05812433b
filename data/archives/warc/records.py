"""Iterates over the records of a WARC file with warcio, raises errors for damage and bounds memory."""

import gzip
import io
import zlib
from typing import BinaryIO, cast

from warcio.archiveiterator import WARCIterator  # type: ignore[import-untyped]
from warcio.bufferedreaders import DecompressingBufferedReader  # type: ignore[import-untyped]

from belowline.data.comment import ReadError

GZIP = b"\x1f\x8b\x08"
"""First bytes of a gzip member."""

_LONGEST_LINE = 65_536
_MOST_LINES = 2_000


class Damaged(ReadError):
    """A record cannot be read."""


class Unzipped(gzip.GzipFile):
    """A gzip file that returns all bytes before a damaged place, then raises BadGzipFile (an OSError)."""

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, at most ``size``."""
        try:
            return self.read1(-1 if size is None else size)
        except (EOFError, zlib.error) as error:
            # warcio takes EOFError for the end of an archive that is whole.
            raise gzip.BadGzipFile(str(error)) from None


def records_from(file: BinaryIO) -> "Records":
    """The records from the current position; raises Damaged and warcio's own errors for damage."""
    here = file.tell()
    zipped = file.read(len(GZIP)) == GZIP
    file.seek(here)
    return Records(file, _Reader(file, decomp_type="gzip" if zipped else None))


class Records(WARCIterator):  # type: ignore[misc]
    """warcio's iterator that raises for a wrong length, where warcio prints part of the archive."""

    def __init__(self, file: BinaryIO, reader: "_Reader") -> None:
        super().__init__(file)
        self.reader = reader

    def _consume_blanklines(self) -> tuple[bytes | None, int]:
        size = 0
        while line := self.reader.readline():
            if line.strip():
                if not size:
                    raise Damaged("its length is wrong")
                return line, size
            size += len(line)
        return None, size


class _Reader(DecompressingBufferedReader):  # type: ignore[misc]
    """warcio's reader with limits for lines and headers; it raises for damage, where warcio prints."""

    def __init__(self, stream: io.BufferedIOBase | BinaryIO, decomp_type: str | None) -> None:
        super().__init__(stream, decomp_type=decomp_type)
        self._lines = 0

    def read(self, length: int | None = None) -> bytes:
        """Bytes of a record's content."""
        self._lines = 0
        return cast(bytes, super().read(length))

    def readline(self, length: int | None = None) -> bytes:
        """One line of a header."""
        self._lines += 1
        if self._lines > _MOST_LINES:
            raise Damaged("header too long")
        return cast(bytes, super().readline(min(length or _LONGEST_LINE, _LONGEST_LINE)))

    def _decompress(self, data: bytes) -> bytes:
        if not self.decompressor:
            return data
        try:
            return cast(bytes, self.decompressor.decompress(data))
        except zlib.error as error:
            raise Damaged(str(error)) from None
