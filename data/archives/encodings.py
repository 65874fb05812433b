"""Opens text files as UTF-8: UTF-16, Windows-1252 and the line ends of old Macs are converted while they are read."""

import codecs
import io
import re
from pathlib import Path
from typing import BinaryIO, cast

from belowline.data.archives.side_fields import SideFields

_CHUNK = 2**16
_EVIDENCE = 2**20
_MULTIBYTE = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_HIGH = re.compile(rb"[\x80-\xff]")
_LETTER = re.compile(rb"[A-Za-z]")
# Bytes that Windows-1252 leaves free, and two letters that in practice are left of a broken byte order mark.
_NOT_WINDOWS = re.compile(rb"[\x81\x8d\x8f\x90\x9d\xfe\xff]")
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_WINDOWS = "cp1252"
_LINE_END = re.compile(rb"\r\n?|\n")


def open_utf8(path: Path, side: SideFields | None = None) -> BinaryIO:
    """The bytes of a text file in UTF-8; another encoding is noted in ``side``."""
    encoding = encoding_of(path)
    if side is not None and encoding == _WINDOWS:
        side.remark("the file is not in UTF-8; it is read as Windows-1252 (Western European)")
    file = path.open("rb")
    returns = _ends_in_returns(_decoded(file.read(_CHUNK), encoding))
    file.seek(0)
    if encoding is None and not returns:
        return file
    return cast(BinaryIO, io.BufferedReader(_Recoded(file, encoding, returns), _CHUNK))


def _ends_in_returns(head: bytes) -> bool:
    """True if lone carriage returns end the first line and most others, as programs of old Macs wrote them."""
    ends = _LINE_END.findall(head)
    return ends[:1] == [b"\r"] and 2 * ends.count(b"\r") > len(ends)


def encoding_of(path: Path) -> str | None:
    """``utf-16``, ``utf-16-le``, ``utf-16-be`` or ``cp1252``; None for UTF-8, also if some of its bytes are broken.

    A file is Windows-1252 if most bytes beyond ASCII in the megabyte after the first one are no valid UTF-8, and
    nearly none is free in Windows-1252, and so are most lines. A broken place in UTF-8 changes nothing.
    """
    with path.open("rb") as file:
        chunk = file.read(_CHUNK)
        for mark, encoding in _MARKS.items():
            if chunk.startswith(mark):
                return encoding
        if b"\0" in chunk and (unmarked := _unmarked(chunk)):
            return unmarked
        while chunk and chunk.isascii():
            chunk = file.read(_CHUNK)
        if not chunk:
            return None
        sample = chunk + file.read(_EVIDENCE)
    return _WINDOWS if _is_windows(sample) else None


def _unmarked(chunk: bytes) -> str | None:
    """The UTF-16 of a text without a byte order mark: one byte of its first and many letters is zero."""
    units = len(chunk) // 2
    high, low = chunk[::2].count(0), chunk[1::2].count(0)
    if chunk[:2].count(0) != 1 or 10 * max(high, low) < units or 50 * min(high, low) > units:
        return None
    return "utf-16-be" if high > low else "utf-16-le"


def _is_windows(sample: bytes) -> bool:
    valid = sum(len(match[0]) for match in _MULTIBYTE.finditer(sample))
    high = len(_HIGH.findall(sample))
    if 2 * valid >= high or 20 * len(_NOT_WINDOWS.findall(sample)) >= high:
        return False
    lines = [line for line in sample.split(b"\n") if not line.isascii()]
    # Western languages have more letters within ASCII than beyond it; in Russian or Japanese it is the other way round.
    letters = sum(len(_LETTER.findall(line)) for line in lines)
    return 3 * sum(map(_is_utf8, lines)) < len(lines) and high <= letters


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def utf8_head(path: Path, head: bytes) -> bytes:
    """The first bytes of a file in UTF-8, for finding its format."""
    head = _decoded(head, encoding_of(path) if not head.isascii() or b"\0" in head else None)
    return re.sub(rb"\r(?!\n)", b"\n", head) if _ends_in_returns(head) else head


def _decoded(head: bytes, encoding: str | None) -> bytes:
    if encoding is None:
        return head
    return codecs.getincrementaldecoder(encoding)("replace").decode(head).encode("utf-8", "replace")


class _Recoded(io.RawIOBase):
    """The bytes of a file, converted to UTF-8, and its returns to line feeds; bytes of broken UTF-8 stay."""

    def __init__(self, file: BinaryIO, encoding: str | None, returns: bool) -> None:
        self._file, self._left = file, b""
        self._errors = "replace" if encoding else "surrogateescape"
        decoder = codecs.getincrementaldecoder(encoding or "utf-8")(self._errors)
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True) if returns else decoder

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._left:
            chunk = self._file.read(_CHUNK)
            self._left = self._decoder.decode(chunk, final=not chunk).encode("utf-8", self._errors)
            if not chunk:
                break
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size

    def close(self) -> None:
        self._file.close()
        super().close()
