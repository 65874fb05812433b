"""The text of an XML file that a host wrote: its XML alone, decoded, without what XML does not allow."""

import codecs
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from belowline.data.archives.encodings import encoding_of
from belowline.data.archives.side_fields import SideFields
from belowline.data.comment import ReadError

_CHUNK = 65_536
_START = re.compile(r"<\?xml\s|<rss[\s>]|<disqus[\s>]")
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?\sencoding\s*=\s*[\"']([\w.:-]{1,40})[\"']")
_LATIN = frozenset({"iso8859-1", "ascii"})
_UTF8 = "utf-8"
_BROKEN = re.compile(r"[\udc80-\udcff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_REFERENCES = re.compile(r"(?:&#(?:[xX][0-9a-fA-F]{1,9}|[0-9]{1,9});)+")
_OPEN_END = re.compile(r"(?:&#(?:55[2-9]\d\d|56[0-2]\d\d|563[01]\d|[xX][dD][89abAB]\w\w);)?(?:&#?\w{0,12})?$")
"""A reference that may go on in the next part, and a first half of a pair before it."""
_LONGEST_END = 24


class XmlText:
    """Reads the file in parts. ``skipped`` is the number of lines before the XML."""

    def __init__(self, path: Path, side: SideFields) -> None:
        self._path, self._side = path, side
        self.skipped = 0

    def parts(self) -> Iterator[tuple[str, bool]]:
        """The text in parts, each with True for the last one; raises ReadError for an unknown encoding."""
        left = self._decoded()
        text = self._begun(next(left, ""))
        for more in left:
            text, held = _held_back(text)
            yield self._cleaned(text), False
            text = held + more
        yield self._cleaned(text), True

    def _decoded(self) -> Iterator[str]:
        with self._path.open("rb") as file:
            chunk = file.read(_CHUNK)
            encoding = self._encoding(chunk)
            errors = "surrogateescape" if encoding == _UTF8 else "replace"
            decoder = codecs.getincrementaldecoder(encoding)(errors)
            while chunk:
                yield decoder.decode(chunk)
                chunk = file.read(_CHUNK)
            yield decoder.decode(b"", final=True)

    def _encoding(self, head: bytes) -> str:
        found = encoding_of(self._path)
        declared = match[1].decode() if (match := _DECLARED.search(head)) else _UTF8
        try:
            name = codecs.lookup(declared).name
            if not (found or "").startswith("utf-16") and "<?xml".encode(name) == b"<?xml" and name != _UTF8:
                # Browsers read these as Windows-1252 too, which holds all their letters.
                return "cp1252" if name in _LATIN else name
        except (LookupError, ValueError):
            raise ReadError("XML in an unknown encoding; convert it to UTF-8", self._path, 1) from None
        if found == "cp1252":
            self._side.remark("the file is not in UTF-8; it is read as Windows-1252 (Western European)")
        return found or _UTF8

    def _begun(self, text: str) -> str:
        """The first part from the beginning of the XML."""
        text = text.removeprefix("\ufeff")
        match = _START.search(text)
        start = match.start() if match else len(text) - len(text.lstrip())
        if text[:start].strip():
            self._side.remark(
                "the text before the XML is left out (messages of the server, such as PHP warnings)"
            )
        self.skipped = text.count("\n", 0, start)
        return text[start:]

    def _cleaned(self, text: str) -> str:
        text, broken = _BROKEN.subn("\ufffd", text)
        if broken:
            self._side.count("bytes that are not UTF-8, replaced by \ufffd", broken)
        text, controls = _CONTROL.subn("", _REFERENCES.sub(_characters, text))
        if controls:
            self._side.count("control characters that XML does not allow, removed", controls)
        return text


def _characters(references: re.Match[str]) -> str:
    """The references, those to halves of a character joined, those to what XML does not allow as control characters."""
    return "".join(map(_reference, _codes(references[0])))


def _codes(references: str) -> str:
    """The characters of references; a half without its other half is U+FFFD."""
    numbers = (int("0" + part, 16 if part[0] in "xX" else 10) for part in references[2:-1].split(";&#"))
    characters = "".join(chr(number) if number <= sys.maxunicode else "\0" for number in numbers)
    return characters.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _reference(character: str) -> str:
    return character if _CONTROL.match(character) else f"&#{ord(character)};"


def _held_back(text: str) -> tuple[str, str]:
    """The text, and its end if a character reference or the second half of a pair may begin there."""
    end = _OPEN_END.search(text, max(0, len(text) - _LONGEST_END))
    start = end.start() if end else len(text)
    return text[:start], text[start:]
