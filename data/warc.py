"""Reads the pages of web archives (WARC), plain or gzipped."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from warcio.archiveiterator import WARCIterator  # type: ignore[import-untyped]
from warcio.bufferedreaders import (  # type: ignore[import-untyped]
    ChunkedDataReader,
    DecompressingBufferedReader,
)
from warcio.recordloader import ArcWarcRecord  # type: ignore[import-untyped]

from belowline.data.comment import ReadError, Thread
from belowline.data.html_pages import LARGEST_PAGE, decode_page, html_thread

_GZIP = b"\x1f\x8b\x08"
_START = b"WARC/1."
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_LONGEST_LINE = 65_536
_MOST_LINES = 2_000
_MOST_DAMAGE = 1_000
_BLOCK = 1 << 20


class _Damaged(Exception):
    """A record cannot be read."""


@dataclass(slots=True)
class _Index:
    """Where the last capture of each address begins, and how many records could not be read."""

    captures: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    damaged: int = 0
    stopped: bool = False


def looks_like_warc(head: bytes) -> bool:
    """Whether a file that begins like this is a WARC file, plain or gzipped."""
    if head.startswith(_GZIP):
        try:
            head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 64)
        except zlib.error:
            return False
    return head.startswith(_START)


def read_warc(path: Path) -> Iterator[Thread]:
    """The HTML pages that a WARC file holds, one thread each, in the file's order.

    Of several captures of one address the latest counts. Two passes, so that memory holds the addresses and one
    page. ``source`` ends in the byte at which the record begins. Records that cannot be read are passed over and
    counted in the notes of the thread that follows them, or of the last one.

    Raises:
        ReadError: No page could be read.
    """
    with path.open("rb") as plain:
        whole = _is_one_gzip(plain)
    with cast(BinaryIO, gzip.open(path)) if whole else path.open("rb") as file:
        index = _index(file)
        yield from _threads(path, file, index)


def _is_one_gzip(file: BinaryIO) -> bool:
    """Whether all records share one gzip member: such a file is not cut at its records, and read as a stream."""
    if file.read(len(_GZIP)) != _GZIP:
        return False
    file.seek(0)
    try:
        records = _records(file)
        next(records)
        records.read_to_end()
        return bool(records.next_line)
    except OSError:
        raise
    except Exception:  # warcio raises whatever the damage leads to; the first pass counts it
        return False
    finally:
        file.seek(0)


def _threads(path: Path, file: BinaryIO, index: _Index) -> Iterator[Thread]:
    """The pages of an index; one is held back, so that the last can tell what went wrong after it."""
    held: Thread | None = None
    problems = [f"{index.damaged} damaged records were cut or passed over"] if index.damaged else []
    if index.stopped:
        problems.append("the rest of the file is too damaged to be read")
    for url, (_, offset) in sorted(index.captures.items(), key=lambda capture: capture[1][1]):
        try:
            thread = _thread(path, file, url, offset)
        except (_Damaged, ReadError) as error:
            problems.append(f"a page could not be read: {error}")
            continue
        if thread is not None and held is not None:
            yield _noted(held, [])
        if thread is not None:
            held, problems = _noted(thread, problems), []
    if held is None:
        detail = f" ({problems[0]})" if problems else ""
        raise ReadError(f"{path}: no HTML page could be read from the WARC file{detail}; check the file")
    yield _noted(held, problems)


def _noted(thread: Thread, problems: list[str]) -> Thread:
    if not problems:
        return thread
    return Thread(
        thread.source, thread.title, thread.url, thread.text, thread.comments, (*thread.notes, *problems)
    )


def _index(file: BinaryIO) -> _Index:
    index = _Index()
    start: int | None = 0
    while start is not None:
        file.seek(start)
        damaged_at = _index_from(file, index)
        if damaged_at is None:
            break
        index.damaged += 1
        index.stopped = index.damaged >= _MOST_DAMAGE
        start = None if index.stopped else _next_start(file, max(damaged_at, start) + 1)
    return index


def _index_from(file: BinaryIO, index: _Index) -> int | None:
    """Notes the captures from here on; returns where a record is damaged, None at the end of the file."""
    records = _records(file)
    offset = file.tell()
    try:
        for record in records:
            offset = records.offset
            if record.length is None:
                raise _Damaged("no length")
            url = record.rec_headers.get_header("WARC-Target-URI")
            if url and _is_page(record):
                _keep_latest(index, url, _date(record), offset)
            records.read_to_end()
            if getattr(record.raw_stream, "limit", 0):
                index.damaged += 1
                _forget(index, url, offset)
            if records.reader.decompressor and records.next_line:
                raise _Damaged("more in the gzip member than the record")
            offset = records.offset
    except OSError as error:
        if not isinstance(error, gzip.BadGzipFile):
            raise
        return offset
    except Exception:  # warcio raises whatever the damage leads to
        return max(offset, int(records.offset))
    return None


def _keep_latest(index: _Index, url: str, date: datetime, offset: int) -> None:
    known = index.captures.get(url)
    if known is None or known[0] <= date:
        index.captures[url] = date, offset


def _forget(index: _Index, url: str | None, offset: int) -> None:
    if url and index.captures.get(url, (None, None))[1] == offset:
        del index.captures[url]


def _records(file: BinaryIO) -> WARCIterator:
    """warcio's iterator from here on, with a reader that bounds lines and reports damage."""
    here = file.tell()
    zipped = file.read(len(_GZIP)) == _GZIP
    file.seek(here)
    return _Records(file, _Reader(file, decomp_type="gzip" if zipped else None))


def _is_page(record: ArcWarcRecord) -> bool:
    if record.rec_type == "resource":
        return _mime(record.content_type) in _HTML_TYPES
    headers = record.http_headers
    return (
        record.rec_type == "response"
        and headers is not None
        and headers.get_statuscode() == "200"
        and _mime(headers.get_header("Content-Type")) in _HTML_TYPES
    )


def _mime(value: str | None) -> str:
    return (value or "").partition(";")[0].strip().lower()


def _date(record: ArcWarcRecord) -> datetime:
    try:
        date = datetime.fromisoformat(record.rec_headers.get_header("WARC-Date") or "")
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _thread(path: Path, file: BinaryIO, url: str, offset: int) -> Thread | None:
    source = f"{path}:{offset}"
    file.seek(offset)
    try:
        record = next(_records(file))
        content = _content(record)
    except (OSError, _Damaged):
        raise
    except Exception:  # warcio raises whatever the damage leads to
        raise _Damaged(f"{source}: damaged") from None
    if len(content) > LARGEST_PAGE:
        raise ReadError(f"{source}: larger than {LARGEST_PAGE >> 20} MB")
    kind = record.http_headers.get_header("Content-Type") if record.http_headers else record.content_type
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", kind or "", re.IGNORECASE)
    return html_thread(decode_page(content, charset[1] if charset else None), source, url)


def _content(record: ArcWarcRecord) -> bytes:
    """A record's page, at most one byte more than the largest page."""
    headers = record.http_headers
    stream = record.raw_stream
    if headers and (headers.get_header("Transfer-Encoding") or "").strip().lower() == "chunked":
        if record.length > 2 * LARGEST_PAGE:
            return bytes(LARGEST_PAGE + 1)
        stream = ChunkedDataReader(stream)
    raw = cast(bytes, stream.read(LARGEST_PAGE + 1))
    encoding = (headers.get_header("Content-Encoding") or "" if headers else "").strip().lower()
    if encoding in ("", "identity"):
        return raw
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise _Damaged(f"content encoding {encoding[:20]!r} is not supported")
    return _inflated(raw, encoding)


def _inflated(raw: bytes, encoding: str) -> bytes:
    # Recorders that unpack a page often keep the header that calls it packed.
    if encoding != "deflate" and not raw.startswith(_GZIP):
        return raw
    for window in (32 + zlib.MAX_WBITS, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window).decompress(raw, LARGEST_PAGE + 1)
        except zlib.error:
            continue
    raise _Damaged(f"its {encoding} encoding is damaged")


def _next_start(file: BinaryIO, start: int) -> int | None:
    """Where the next record may begin: a line with the version, or a gzip member that holds one."""
    pattern = re.compile(rb"\n(?=WARC/1\.)|" + re.escape(_GZIP))
    try:
        file.seek(start)
        kept, position = b"", start
        while block := file.read(_BLOCK):
            window = kept + block
            for match in pattern.finditer(window):
                found = position - len(kept) + (match.end() if match[0] == b"\n" else match.start())
                if match[0] == b"\n" or _holds_record(file, found, position + len(block)):
                    return found
            position += len(block)
            kept = window[-len(_START) :]
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return None
    return None


def _holds_record(file: BinaryIO, start: int, back: int) -> bool:
    file.seek(start)
    head = file.read(4096)
    file.seek(back)
    return looks_like_warc(head)


class _Records(WARCIterator):  # type: ignore[misc]
    """warcio's iterator, which prints part of the archive where a length is wrong; this one raises."""

    def __init__(self, file: BinaryIO, reader: "_Reader") -> None:
        super().__init__(file)
        self.reader = reader

    def _consume_blanklines(self) -> tuple[bytes | None, int]:
        size = 0
        while line := self.reader.readline():
            if line.strip():
                if not size:
                    raise _Damaged("its length is wrong")
                return line, size
            size += len(line)
        return None, size


class _Reader(DecompressingBufferedReader):  # type: ignore[misc]
    """warcio's reader, with lines and headers bounded and damage raised instead of printed."""

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
            raise _Damaged("header too long")
        return cast(bytes, super().readline(min(length or _LONGEST_LINE, _LONGEST_LINE)))

    def _decompress(self, data: bytes) -> bytes:
        if not self.decompressor:
            return data
        try:
            return cast(bytes, self.decompressor.decompress(data))
        except zlib.error as error:
            raise _Damaged(str(error)) from None
