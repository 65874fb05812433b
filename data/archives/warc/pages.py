"""Reads the pages of web archives (WARC), plain or gzipped."""

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
from belowline.data.archives.warc.records import GZIP, Damaged, Unzipped, is_one_gzip, record_at, scan
from belowline.data.comment import ReadError, Report, Thread, refuse

_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_MOST_DAMAGE = 1_000


def read_warc(path: Path, report: Report = refuse) -> Iterator[Thread]:
    """The HTML pages that a WARC file holds, one thread each, in the file's order.

    The latest capture of an address counts. Two passes keep memory at the addresses and one page. ``source`` ends
    in the byte offset of the record. Unreadable records are passed to ``report`` and skipped.

    Raises:
        ReadError: No page could be read.
    """
    with path.open("rb") as plain:
        one_gzip = is_one_gzip(plain)
    with cast(BinaryIO, Unzipped(path)) if one_gzip else path.open("rb") as file:
        index = _Index(path, report)
        index.fill(file)
        empty = True
        for url, (_, offset) in sorted(index.captures.items(), key=lambda capture: capture[1][1]):
            try:
                thread = _thread(path, file, url, offset)
            except ReadError as error:
                index.damaged += 1
                report(error)
            else:
                if thread is not None:
                    empty = False
                    yield thread
        if empty and not index.damaged:
            raise ReadError("no HTML page could be read from the WARC file; check the file", path)


@dataclass(slots=True)
class _Index:
    """Date and offset of the last capture of each address."""

    path: Path
    report: Report
    captures: dict[str, tuple[datetime, int]] = field(default_factory=dict)
    damaged: int = 0

    def fill(self, file: BinaryIO) -> None:
        """The first pass over the file; it ends early if too many records are damaged."""
        for offset, record in scan(file):
            if isinstance(record, Damaged):
                self._damage(offset, record.reason)
            elif _is_page(record):
                self._add(offset, record)
            if self.damaged >= _MOST_DAMAGE:
                break

    def _add(self, offset: int, record: ArcWarcRecord) -> None:
        url, date = record.rec_headers.get_header("WARC-Target-URI"), _date(record)
        if not url:
            self._damage(offset, "no address")
        elif url not in self.captures or self.captures[url][0] <= date:
            self.captures[url] = date, offset

    def _damage(self, offset: int, why: str) -> None:
        self.damaged += 1
        last = self.damaged == _MOST_DAMAGE
        left = f" with the rest of the file after {_MOST_DAMAGE} damaged records" if last else ""
        self.report(ReadError(f"damaged WARC record ({why}), skipped{left}", self.path, offset, "byte"))


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
    try:
        record = record_at(file, offset)
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
