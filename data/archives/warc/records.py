"""Reads the records of a WARC file one after another, with their offsets; a damaged record ends at the next record."""

import gzip
import io
import re
import zlib
from collections.abc import Generator, Iterator
from typing import BinaryIO, cast

from warcio.recordloader import ArcWarcRecord, ArcWarcRecordLoader  # type: ignore[import-untyped]

from belowline.data.comment import ReadError

GZIP = b"\x1f\x8b\x08"
"""First bytes of a gzip member."""
_START = b"WARC/1."
_BLOCK = 2**20
_LONGEST_HEADER = 2**20
_RECORD_START = re.compile(rb"\n(?=WARC/1\.)|" + re.escape(GZIP))


class Damaged(ReadError):
    """A record cannot be read."""


class Unzipped(gzip.GzipFile):
    """A gzip file that returns all bytes before a damaged place, then raises BadGzipFile (an OSError)."""

    def read(self, size: int | None = -1) -> bytes:
        """The next ``size`` bytes, fewer at the end or before a damaged place."""
        content, size = b"", _BLOCK if size is None or size < 0 else size
        try:
            while len(content) < size and (block := self.read1(size - len(content))):
                content += block
        except (EOFError, zlib.error) as error:
            if not content:
                raise gzip.BadGzipFile(str(error)) from None
        return content


class _Member(io.RawIOBase):
    """The content of the gzip member that begins at the file's position."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._zlib = file, zlib.decompressobj(16 + zlib.MAX_WBITS)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._zlib.eof:
            packed = self._zlib.unconsumed_tail or self._file.read(io.DEFAULT_BUFFER_SIZE)
            if not packed:
                raise Damaged("cut short")
            content = self._zlib.decompress(packed, len(buffer))
            if content:
                buffer[: len(content)] = content
                return len(content)
        return 0

    def end(self) -> int:
        """The file's offset after the member, once all content is read."""
        return self._file.tell() - len(self._zlib.unused_data)


class _Bounded:
    """A stream whose headers are limited: warcio reads lines until one is empty."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._left = stream, _LONGEST_HEADER

    def read(self, size: int | None = None) -> bytes:
        self._left = _LONGEST_HEADER
        return self._stream.read(-1 if size is None else size)

    def tell(self) -> int:
        return 0  # warcio asks, for a number that nobody reads

    def readline(self, size: int | None = None) -> bytes:
        line = self._stream.readline(self._left if size is None else min(size, self._left))
        self._left -= len(line)
        if not self._left:
            raise Damaged("header too long")
        return line


def looks_like_warc(head: bytes) -> bool:
    """True if a file that starts with ``head`` is a WARC file, plain or gzipped."""
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 64)
        except zlib.error:
            return False
    return head.startswith(_START)


def is_one_gzip(file: BinaryIO) -> bool:
    """True if all records share one gzip member: such a file can only be read as a stream."""
    if file.read(len(GZIP)) != GZIP:
        return False
    file.seek(0)
    stream = cast(BinaryIO, io.BufferedReader(_Member(file)))
    try:
        _skip(read_record(stream, b""))
        return bool(stream.read(5).strip())  # one byte more than the end of a record
    except OSError:
        raise
    except Exception:  # warcio raises different errors for damage; scan() reports it
        return False


def scan(file: BinaryIO) -> Iterator[tuple[int, ArcWarcRecord | Damaged]]:
    """Offset and headers of each whole record, and offset and reason of each damaged one."""
    offset: int | None = 0
    following: int | None
    while offset is not None:
        try:
            file.seek(offset)
            start = file.read(len(GZIP))
            if not start:
                return
            if start == GZIP:
                following = yield from _scan_member(file, offset)
            else:
                record = read_record(file, start)
                _skip(record)
                following = _end_of(file)
                yield offset, record
        except Exception as error:  # warcio raises different errors for damage
            if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
                raise
            other = Damaged("broken header or gzip, or cut short")
            yield offset, error if isinstance(error, Damaged) else other
            following = _next_start(file, offset + 1)
        offset = following


def record_at(file: BinaryIO, offset: int) -> ArcWarcRecord:
    """The record at an offset that ``scan`` gave; the content is still to be read."""
    file.seek(offset)
    start = file.read(len(GZIP))
    if start != GZIP:
        return read_record(file, start)
    file.seek(offset)
    return read_record(cast(BinaryIO, io.BufferedReader(_Member(file))), b"")


def read_record(stream: BinaryIO, start: bytes) -> ArcWarcRecord:
    """The record of which the stream holds the rest after ``start``."""
    bounded = _Bounded(stream)
    record = ArcWarcRecordLoader().parse_record_stream(
        bounded, statusline=start + bounded.readline(), known_format="warc"
    )
    if record.length is None or not record.rec_type:
        raise Damaged("no length or type")
    return record


def _scan_member(file: BinaryIO, offset: int) -> Generator[tuple[int, ArcWarcRecord | Damaged], None, int]:
    """The record of a gzip member; returns the offset of the next member."""
    file.seek(offset)
    member = _Member(file)
    stream = io.BufferedReader(member)
    record = read_record(cast(BinaryIO, stream), b"")
    _skip(record)
    more = stream.read(_BLOCK)
    while stream.read(_BLOCK):
        pass
    yield offset, record
    if more.strip():
        yield offset, Damaged("more in its gzip member than the record")
    return member.end()


def _skip(record: ArcWarcRecord) -> None:
    while record.raw_stream.read(_BLOCK):
        pass
    if record.raw_stream.limit:
        raise Damaged("cut short")


def _end_of(file: BinaryIO) -> int:
    """The offset after the two line ends that close a record."""
    end, closing = file.tell(), file.read(4)
    if closing == b"\r\n\r\n":
        return end + 4
    closing += file.read(60)
    blank = len(closing) - len(closing.lstrip())
    if closing and not blank:
        raise Damaged("its length is wrong")
    return end + blank


def _next_start(file: BinaryIO, start: int) -> int | None:
    """The next possible offset of a record: a line with the version, or a gzip member that starts with one."""
    try:
        file.seek(start)
        overlap, position = b"", start
        while block := file.read(_BLOCK):
            window, base = overlap + block, position - len(overlap)
            for match in _RECORD_START.finditer(window):
                if match[0] == b"\n":
                    return base + match.end()
                file.seek(base + match.start())
                if looks_like_warc(file.read(4096)):
                    return base + match.start()
            position += len(block)
            file.seek(position)
            overlap = window[-len(_START) :]
    except (EOFError, zlib.error, gzip.BadGzipFile):
        pass
    return None
