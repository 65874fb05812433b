"""Reads XML as a stream: no DTD, no entities but XML's own five, memory bounded by the largest record."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
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
    reader = _Reader(path, records, prefixes)
    with path.open("rb") as file:
        for chunk in chain(iter(lambda: file.read(_CHUNK), b""), [b""]):
            failure = reader.feed(chunk, final=not chunk)
            done, reader.done = reader.done, []
            yield from done
            if failure:
                raise failure


def find_root(path: Path, head: bytes) -> Root | None:
    """The root of the document that starts with ``head``, None if it is not in there; raises ReadError."""
    reader = _Reader(path)
    failure = reader.feed(head)
    if failure and not reader.root:
        raise failure
    return reader.root


class _Reader:
    """Builds the elements of records with expat and forgets everything else; refuses what passes the limits."""

    def __init__(
        self, path: Path, records: Collection[str] = (), prefixes: Mapping[str, str] | None = None
    ) -> None:
        self.root: Root | None = None
        self.done: list[tuple[int, Element]] = []
        self._path, self._records, self._prefixes = path, records, prefixes or {}
        self._namespaces: set[str] = set()
        self._builder: TreeBuilder | None = None
        self._fed = self._skipped = self._depth = self._outside = self._size = self._line = 0
        self._expat = expat.ParserCreate(namespace_separator=" ")
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype
        self._expat.StartNamespaceDeclHandler = self._declare
        self._expat.StartElementHandler = self._start
        self._expat.CharacterDataHandler = self._characters
        self._expat.EndElementHandler = self._end

    def feed(self, chunk: bytes, final: bool = False) -> ReadError | None:
        """Read on; returns the error that ends the reading."""
        if not self._fed:
            # Plugins print blank lines before the declaration.
            stripped = chunk.removeprefix(b"\xef\xbb\xbf").lstrip()
            self._skipped = chunk[: len(chunk) - len(stripped)].count(b"\n")
            chunk = stripped
        self._fed += len(chunk)
        try:
            self._expat.Parse(chunk, final)
            self._check_memory(final)
        except ReadError as error:
            return error
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            if what in _CUT_OFF:
                return self._error("the XML ends early; export or download it again")
            return self._error(f"broken XML ({what}); export it again, or repair this place")
        except (LookupError, ValueError):
            return self._error("XML in an unknown encoding; convert it to UTF-8")
        return None

    def _check_memory(self, final: bool) -> None:
        if self._fed - self._expat.CurrentByteIndex > MAX_TOKEN and not final:
            raise self._error(f"a tag or XML comment of more than {MAX_TOKEN} bytes; remove it")
        if len(self._expat.intern) > MAX_NAMES:
            raise self._error(f"more than {MAX_NAMES} different names of elements; no export has as many")

    def _error(self, why: str) -> ReadError:
        line, column = self._expat.CurrentLineNumber + self._skipped, self._expat.CurrentColumnNumber + 1
        return ReadError(why, self._path, line, part=f"column {column}")

    def _refuse_doctype(self, *_: object) -> NoReturn:
        # A few bytes of entities can expand to gigabytes, or include local files.
        raise self._error("XML with a DTD, which no export has; remove <!DOCTYPE> if you trust the file")

    def _declare(self, _: str | None, uri: str | None) -> None:
        if self.root is None:
            self._namespaces.add(uri or "")

    def _start(self, expanded: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._error(f"elements nested more than {MAX_DEPTH} levels deep; no export is as deep")
        if self.root is None:
            self.root = Root(expanded.rpartition(" ")[2], frozenset(self._namespaces))
        name = self._named(expanded)
        if self._builder is None and name in self._records:
            self._builder, self._outside, self._size = TreeBuilder(), self._depth - 1, 0
            self._line = self._expat.CurrentLineNumber + self._skipped
        if self._builder is not None:
            self._grow(_ELEMENT_COST + sum(map(len, attributes.values())))
            self._builder.start(name, {self._named(key): value for key, value in attributes.items()})

    def _characters(self, text: str) -> None:
        if self._builder is not None:
            self._grow(len(text))
            self._builder.data(text)

    def _end(self, expanded: str) -> None:
        self._depth -= 1
        if self._builder is not None:
            self._builder.end(self._named(expanded))
            if self._depth == self._outside:
                self.done.append((self._line, self._builder.close()))
                self._builder = None

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > MAX_RECORD:
            raise self._error(f"a record of more than {MAX_RECORD} characters; export it in parts")

    def _named(self, expanded: str) -> str:
        uri, _, name = expanded.rpartition(" ")
        prefix = self._prefixes.get(uri) if uri else ""
        return expanded if prefix is None else f"{prefix}:{name}" if prefix else name
