"""Reads the pages of web archives (WARC), plain or gzipped."""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from warcio.bufferedreaders import ChunkedDataReader  # type: ignore[import-untyped]
from warcio.recordloader import ArcWarcRecord  # type: ignore[import-untyped]

from belowline.data.archives.html.pages import LARGEST_PAGE, decode_page, html_thread
from belowline.data.archives.warc.records import GZIP, Damaged, Unzipped, records_from
from belowline.data.comment import ReadError, Report, Thread

_START = b"WARC/1."
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_MOST_DAMAGE = 1_000
_BLOCK = 1 << 20


@dataclass(slots=True)
class _Index:
    """Offset of the last capture of each address; unreadable records are reported or listed in ``problems``."""

    path: Path
    report: Report | None
    captures: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    damaged: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        """True if reading stopped because too many records are damaged."""
        return self.damaged >= _MOST_DAMAGE

    def damage(self, offset: int, why: str) -> None:
        """Count a record that the first pass could not read."""
        self.damaged += 1
        if self.report:
            left = f" with the rest of the file after {self.damaged} damaged records" if self.stopped else ""
            reason = f"damaged WARC record ({why}), skipped{left}"
            self.report(ReadError(reason, self.path, offset, "byte"))

    def unreadable(self, error: ReadError) -> None:
        """Report a page that the second pass could not read."""
        self.damaged += 1
        if self.report:
            self.report(error)
        else:
            self.problems.append(f"a page could not be read: {error.unit} {error.position}: {error.reason}")

    def take_problems(self) -> list[str]:
        """Return the problems and clear them."""
        problems, self.problems = self.problems, []
        return problems


def looks_like_warc(head: bytes) -> bool:
    """True if a file that starts with ``head`` is a WARC file, plain or gzipped."""
    if head.startswith(GZIP):
        try:
            head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, 64)
        except zlib.error:
            return False
    return head.startswith(_START)


def read_warc(path: Path, report: Report | None = None) -> Iterator[Thread]:
    """The HTML pages that a WARC file holds, one thread each, in the file's order.

    The latest capture of an address counts. Two passes keep memory at the addresses and one page. ``source`` ends in the
    byte offset of the record. Unreadable records are skipped and passed to ``report``; without it, the notes of the next
    thread, or of the last one, count them.

    Raises:
        ReadError: No page could be read.
    """
    with path.open("rb") as plain:
        whole = _is_one_gzip(plain)
    with cast(BinaryIO, Unzipped(path)) if whole else path.open("rb") as file:
        index = _Index(path, report)
        _fill(index, file)
        yield from _threads(index, file)


def _is_one_gzip(file: BinaryIO) -> bool:
    """True if all records share one gzip member: such a file can only be read as a stream."""
    if file.read(len(GZIP)) != GZIP:
        return False
    file.seek(0)
    try:
        records = records_from(file)
        next(records)
        records.read_to_end()
        return bool(records.next_line)
    except OSError:
        raise
    except Exception:  # warcio raises whatever the damage leads to; the first pass counts it
        return False
    finally:
        file.seek(0)


def _threads(index: _Index, file: BinaryIO) -> Iterator[Thread]:
    """The pages of an index, one page late, so that the last one can note the problems after it."""
    held: Thread | None = None
    for url, (_, offset) in sorted(index.captures.items(), key=lambda capture: capture[1][1]):
        try:
            thread = _thread(index.path, file, url, offset)
        except ReadError as error:
            index.unreadable(error)
            continue
        if thread is not None and held is not None:
            yield held
        if thread is not None:
            held = _noted(thread, index.take_problems())
    problems = index.take_problems()
    if held is not None:
        yield _noted(held, problems)
    elif not (index.report and index.damaged):
        detail = f" ({problems[0]})" if problems else ""
        raise ReadError(f"no HTML page could be read from the WARC file{detail}; check the file", index.path)


def _noted(thread: Thread, problems: list[str]) -> Thread:
    if not problems:
        return thread
    return Thread(
        thread.source, thread.title, thread.url, thread.text, thread.comments, (*thread.notes, *problems)
    )


def _fill(index: _Index, file: BinaryIO) -> None:
    """The first pass over the file."""
    start: int | None = 0
    while start is not None:
        file.seek(start)
        damage = _index_from(file, index)
        if damage is None:
            break
        index.damage(*damage)
        start = None if index.stopped else _next_start(file, max(damage[0], start) + 1)
    if index.damaged and not index.report:
        index.problems.append(f"{index.damaged} damaged records were cut or skipped")
        if index.stopped:
            index.problems.append("the rest of the file is too damaged to be read")


def _index_from(file: BinaryIO, index: _Index) -> tuple[int, str] | None:
    """Indexes captures from the current position; returns offset and reason of the first damaged record, or None."""
    records = records_from(file)
    offset, url = file.tell(), None
    try:
        for record in records:
            offset, url = records.offset, None
            if record.length is None or not record.rec_type:
                raise Damaged("no length or type")
            if _is_page(record):
                url = record.rec_headers.get_header("WARC-Target-URI")
                if not url:
                    raise Damaged("no address")
                _keep_latest(index, url, _date(record), offset)
            records.read_to_end()
            if getattr(record.raw_stream, "limit", 0):
                raise Damaged("cut short")
            if records.reader.decompressor and records.next_line:
                url = None  # the record itself is whole
                raise Damaged("more in its gzip member than the record")
            offset = records.offset
    except Exception as error:  # warcio raises whatever the damage leads to
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        _forget(index, url, offset)
        return offset, str(error) if isinstance(error, Damaged) else "broken header or gzip, or cut short"
    return None


def _keep_latest(index: _Index, url: str, date: datetime, offset: int) -> None:
    known = index.captures.get(url)
    if known is None or known[0] <= date:
        index.captures[url] = date, offset


def _forget(index: _Index, url: str | None, offset: int) -> None:
    if url and index.captures.get(url, (None, None))[1] == offset:
        del index.captures[url]


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
    file.seek(offset)
    try:
        record = next(records_from(file))
        content = _content(record)
    except OSError:
        raise
    except Exception as error:  # warcio raises whatever the damage leads to
        why = f"its page is damaged ({error})" if isinstance(error, Damaged) else "its page is damaged"
        raise ReadError(f"{why}, skipped", path, offset, "byte") from None
    kind = record.http_headers.get_header("Content-Type") if record.http_headers else record.content_type
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", kind or "", re.IGNORECASE)
    try:
        if len(content) > LARGEST_PAGE:
            raise ReadError(f"its page is larger than {LARGEST_PAGE >> 20} MB, skipped")
        return html_thread(decode_page(content, charset[1] if charset else None), f"{path}:{offset}", url)
    except ReadError as error:
        raise error.at(path, offset, "byte") from None


def _content(record: ArcWarcRecord) -> bytes:
    """The page of a record, at most one byte over ``LARGEST_PAGE``."""
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
        raise Damaged(f"content encoding {encoding[:20]!r} is not supported")
    return _inflated(raw, encoding)


def _inflated(raw: bytes, encoding: str) -> bytes:
    # Recorders that unpack a page often keep the header that calls it packed.
    if encoding != "deflate" and not raw.startswith(GZIP):
        return raw
    for window in (32 + zlib.MAX_WBITS, -zlib.MAX_WBITS):
        try:
            return zlib.decompressobj(window).decompress(raw, LARGEST_PAGE + 1)
        except zlib.error:
            continue
    raise Damaged(f"its {encoding} encoding is damaged")


def _next_start(file: BinaryIO, start: int) -> int | None:
    """The next possible offset of a record: a line with the version, or a gzip member that starts with one."""
    pattern = re.compile(rb"\n(?=WARC/1\.)|" + re.escape(GZIP))
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
