"""Reads XML as a stream: no DTD, no entities but XML's own five, memory bounded by the largest record."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element
from xml.parsers import expat

from belowline.data.comment import ReadError

MAX_DEPTH = 100
"""Elements within elements; exports need six."""

MAX_RECORD = 2**28
"""Characters of one record, an article with all its comments, say; an element without text counts as 100."""

MAX_TOKEN = 2**20
"""Bytes of one tag or one XML comment, which the parser keeps in memory as a whole."""

MAX_NAMES = 10_000
"""Different names of elements and attributes, which the parser remembers to the end."""

_CHUNK = 65_536
_ELEMENT_COST = 100
_CUT_OFF = (
    expat.errors.XML_ERROR_NO_ELEMENTS,
    expat.errors.XML_ERROR_UNCLOSED_TOKEN,
    expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
)


@dataclass(frozen=True, slots=True)
class Root:
    """A document's outermost element: its name without prefix, and the namespaces that it declares."""

    name: str
    namespaces: frozenset[str]


def read_records(
    path: Path, records: Collection[str], prefixes: Mapping[str, str]
) -> Iterator[tuple[int, Element]]:
    """Every outermost element named in ``records``, with the line that it starts on.

    Names carry the prefix that ``prefixes`` gives their namespace, whatever prefix the file chose:
    ``{"http://example.com/ns": "x"}`` makes them ``x:name``; the prefix ``""`` makes them ``name``.

    Raises:
        ReadError: For what is not well-formed, for a DTD, and for what passes the limits of this module, with
            line and column. Records before it have been yielded by then.
    """
    builder: _Builder | None = None
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if builder is None:
                chunk, lines = _without_leading_space(chunk)
                builder = _Builder(_Parser(path, lines), records, prefixes)
            yield from builder.feed(chunk)
    if builder is None:
        raise ReadError("empty; nothing to read", path)
    yield from builder.feed(b"", final=True)


def find_root(path: Path, head: bytes) -> Root | None:
    """The root of the document that starts with ``head``, None if it is not in there; raises ReadError."""
    head, lines = _without_leading_space(head)
    parser = _Parser(path, lines)
    namespaces: set[str] = set()
    roots: list[Root] = []

    def keep(name: str, _: object) -> None:
        roots.append(Root(name.rpartition(" ")[2], frozenset(namespaces)))
        parser.expat.StartElementHandler = None
        parser.expat.StartNamespaceDeclHandler = None

    parser.expat.StartNamespaceDeclHandler = lambda _, uri: namespaces.add(uri or "")
    parser.expat.StartElementHandler = keep
    try:
        parser.feed(head)
    except ReadError:
        if not roots:
            raise
    return roots[0] if roots else None


def _without_leading_space(head: bytes) -> tuple[bytes, int]:
    """The start of a file without the blank lines that plugins print before the declaration, and their number."""
    stripped = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return stripped, head[: len(head) - len(stripped)].count(b"\n")


class _Parser:
    """expat with this module's refusals; ``skipped`` lines of the file went before what it is fed."""

    def __init__(self, path: Path, skipped: int) -> None:
        self.path, self.skipped, self.fed = path, skipped, 0
        self.expat = expat.ParserCreate(namespace_separator=" ")
        self.expat.StartDoctypeDeclHandler = self._refuse_doctype

    @property
    def line(self) -> int:
        return self.expat.CurrentLineNumber + self.skipped

    def refuse(self, why: str) -> NoReturn:
        raise ReadError(why, self.path, self.line, part=f"column {self.expat.CurrentColumnNumber + 1}")

    def feed(self, chunk: bytes, final: bool = False) -> None:
        self.fed += len(chunk)
        try:
            self.expat.Parse(chunk, final)
        except expat.ExpatError as error:
            self._refuse_malformed(expat.ErrorString(error.code))
        except (LookupError, ValueError):
            self.refuse("XML in an unknown encoding; convert it to UTF-8")
        if self.fed - self.expat.CurrentByteIndex > MAX_TOKEN and not final:
            self.refuse(f"a tag or XML comment of more than {MAX_TOKEN} bytes; remove it")
        if len(self.expat.intern) > MAX_NAMES:
            self.refuse(f"more than {MAX_NAMES} different names of elements; no export has as many")

    def _refuse_malformed(self, what: str) -> NoReturn:
        if what in _CUT_OFF:
            self.refuse("the XML ends early; export or download it again")
        self.refuse(f"broken XML ({what}); export it again, or repair this place")

    def _refuse_doctype(self, *_: object) -> NoReturn:
        # A few bytes of entities can expand to gigabytes, or include local files.
        self.refuse("XML with a DTD, which no export has; remove <!DOCTYPE> if you trust the file")


class _Builder:
    """Builds the elements of records and forgets everything else."""

    def __init__(self, parser: _Parser, records: Collection[str], prefixes: Mapping[str, str]) -> None:
        self._parser, self._records, self._prefixes = parser, records, prefixes
        self._open: list[Element] = []
        self._text: list[str] = []
        self._done: list[tuple[int, Element]] = []
        self._depth = self._size = self._line = 0
        parser.expat.buffer_text = True
        parser.expat.StartElementHandler = self._start
        parser.expat.EndElementHandler = self._end
        parser.expat.CharacterDataHandler = self._characters

    def feed(self, chunk: bytes, final: bool = False) -> Iterator[tuple[int, Element]]:
        failure: ReadError | None = None
        try:
            self._parser.feed(chunk, final)
        except ReadError as error:
            failure = error
        done, self._done = self._done, []
        yield from done
        if failure:
            raise failure

    def _start(self, expanded: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._parser.refuse(f"elements nested more than {MAX_DEPTH} levels deep; no export is as deep")
        name = self._named(expanded)
        if not self._open:
            if name not in self._records:
                return
            self._size, self._line = 0, self._parser.line
        element = Element(name, {self._named(key): value for key, value in attributes.items()})
        self._grow(_ELEMENT_COST + sum(map(len, attributes.values())))
        if self._open:
            self._open[-1].append(element)
        self._open.append(element)
        self._text = []

    def _characters(self, text: str) -> None:
        if self._open:
            self._grow(len(text))
            self._text.append(text)

    def _end(self, _: str) -> None:
        self._depth -= 1
        if not self._open:
            return
        element = self._open.pop()
        if not len(element):
            element.text = "".join(self._text)
        self._text = []
        if not self._open:
            self._done.append((self._line, element))

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_RECORD:
            self._parser.refuse(f"a record of more than {MAX_RECORD} characters; export it in parts")

    def _named(self, expanded: str) -> str:
        uri, _, name = expanded.rpartition(" ")
        prefix = self._prefixes.get(uri) if uri else ""
        return expanded if prefix is None else f"{prefix}:{name}" if prefix else name
