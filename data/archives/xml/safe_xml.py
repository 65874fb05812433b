"""Reads XML as a stream: no DTD, no entities but XML's own five, memory bounded by the largest record."""

import html
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder, tostring
from xml.parsers import expat

from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.xml.xml_text import XmlText
from belowline.data.comment import ReadError

MAX_DEPTH = 100
"""Elements within elements; exports need six."""

MAX_RECORD = 2**28
"""Characters of one record, an article with all its comments, say; an element without text counts as 100."""

MAX_TOKEN = 2**20
"""Bytes of one tag or one XML comment, which the parser keeps in memory as a whole."""

MAX_NAMES = 10_000
"""Different names of elements and attributes, which the parser remembers to the end."""

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
    path: Path, records: Collection[str], prefixes: Mapping[str, str], side: SideFields | None = None
) -> Iterator[tuple[int, Element]]:
    """Every outermost element named in ``records``, with the line that it starts on.

    Names carry the prefix that ``prefixes`` gives their namespace, whatever prefix the file chose. Its keys are
    patterns of addresses without scheme, ``www.`` and last slash: ``{r"example\\.com/ns": "x"}`` makes names
    ``x:name``; the prefix ``""`` makes them ``name``. Control characters and bytes that are not of the encoding are
    removed or replaced, and counted in ``side``. Anything before the XML and after its root is left out.

    Raises:
        ReadError: For what is not well-formed, for a DTD, and for what passes the limits of this module, with
            line and column. Records before it have been yielded by then.
    """
    reader, side = _Reader(path, records, prefixes), side or SideFields()
    texts = XmlText(path, side)
    for text, final in texts.parts():
        failure = reader.feed(text, texts.skipped, final=final)
        done, reader.done = reader.done, []
        yield from done
        if reader.over:
            return
        if failure:
            raise failure


def find_root(path: Path) -> Root | None:
    """The root of the document, None if it is not in its first part; raises ReadError."""
    reader, texts = _Reader(path), XmlText(path, SideFields())
    text, _ = next(texts.parts())
    failure = reader.feed(text, texts.skipped)
    if failure and not reader.root:
        raise failure
    return reader.root


def markup_of(record: Element, name: str) -> str:
    """The HTML of an element of the record, which may stand there as text or as elements; empty without one."""
    found = record.find(name)
    if found is None:
        return ""
    if not len(found):
        return found.text or ""
    inner = (tostring(child, "unicode", method="html") for child in found)
    return html.escape(found.text or "") + "".join(inner)


class _Reader:
    """Builds the elements of records with expat and forgets everything else; refuses what passes the limits."""

    def __init__(
        self, path: Path, records: Collection[str] = (), prefixes: Mapping[str, str] | None = None
    ) -> None:
        self.root: Root | None = None
        self.done: list[tuple[int, Element]] = []
        self.over = False
        self._path, self._records = path, records
        self._prefixes = {re.compile(key, re.IGNORECASE): prefix for key, prefix in (prefixes or {}).items()}
        self._names: dict[str, str] = {}
        self._namespaces: set[str] = set()
        self._builder: TreeBuilder | None = None
        self._fed = self._skipped = self._depth = self._outside = self._size = self._line = 0
        self._expat = expat.ParserCreate("utf-8", " ")
        # Exports hold entities of HTML, such as &nbsp;. As if a DTD declared them, expat names them and goes on.
        self._expat.UseForeignDTD(True)
        self._expat.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_ALWAYS)
        self._expat.ExternalEntityRefHandler = self._empty_dtd
        self._expat.SkippedEntityHandler = self._entity
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._refuse_doctype
        self._expat.StartNamespaceDeclHandler = self._declare
        self._expat.StartElementHandler = self._start
        self._expat.CharacterDataHandler = self._characters
        self._expat.EndElementHandler = self._end

    def feed(self, text: str, skipped: int, final: bool = False) -> ReadError | None:
        """Read on; returns the error that ends the reading. ``skipped`` lines stand before the XML."""
        self._skipped = skipped
        chunk = text.encode()
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
        return None

    def _check_memory(self, final: bool) -> None:
        if self._fed - self._expat.CurrentByteIndex > MAX_TOKEN and not final:
            raise self._error(f"a tag or XML comment of more than {MAX_TOKEN} bytes; remove it")
        if len(self._expat.intern) > MAX_NAMES:
            raise self._error(f"more than {MAX_NAMES} different names of elements; no export has as many")

    def _error(self, why: str) -> ReadError:
        line, column = self._expat.CurrentLineNumber + self._skipped, self._expat.CurrentColumnNumber + 1
        return ReadError(why, self._path, line, part=f"column {column}")

    def _empty_dtd(self, context: str | None, *_: object) -> int:
        self._expat.ExternalEntityParserCreate(context).Parse(b" ", True)
        return 1

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

    def _entity(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            self._characters(html.unescape(f"&{name};"))

    def _characters(self, text: str) -> None:
        if self._builder is not None:
            self._grow(len(text))
            self._builder.data(text)

    def _end(self, expanded: str) -> None:
        self._depth -= 1
        self.over = self._depth == 0
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
        if expanded not in self._names:
            uri, _, name = expanded.rpartition(" ")
            bare = re.sub(r"^https?://(?:www\.)?|/$", "", uri.strip(), flags=re.IGNORECASE)
            prefix = next((one for key, one in self._prefixes.items() if key.fullmatch(bare)), None)
            prefix = prefix if uri else ""
            self._names[expanded] = expanded if prefix is None else f"{prefix}:{name}" if prefix else name
        return self._names[expanded]
