"""Converts HTML to plain text: markup, or an element of a parsed page."""

import html
import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from selectolax.lexbor import LexborHTMLParser, LexborNode

from belowline.data.archives.html.guard import refuse_slow
from belowline.data.comment import ReadError, whole

_DROPPED = frozenset(
    re.findall(
        r"\w+",
        "audio button canvas datalist embed head iframe input link meta noscript object script select style svg "
        "template textarea video",
    )
)
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body center details dialog div dl fieldset figcaption figure footer form "
        "h1 h2 h3 h4 h5 h6 header hgroup hr main nav ol p pre section summary table ul",
    )
)
_LINES = frozenset(re.findall(r"\w+", "caption dd dt legend li option tr"))
_UNENDED = re.compile(r"<(?=[^<>]*\Z)")
_MOST_STEPS = 20_000_000  # a fifth of a second
_TAG = re.compile(r"<[^<>]*>")
_SPACE = re.compile(r"[ \t\n\r\f\u00a0]+")
_EMOJI_CLASS = re.compile(r"emoji|smil", re.IGNORECASE)
_DEEPEST_QUOTE = 5


def html_to_text(markup: str, *, links: bool = False) -> str:
    """The plain text of one comment's HTML. Accepts any string.

    - ``<br>`` and a line end in the text give a line end; a line end right after ``<br>`` gives no second one.
    - Paragraphs, headings, lists, tables and other blocks are separated by a blank line; list items and table rows by a
      line end; table cells by a space.
    - Entities become characters. Lone surrogates become U+FFFD.
    - Emoji images become their character; scripts, styles, forms' controls, other media and HTML comments are dropped.
    - Other tags are dropped and their words stay; a ``<`` that begins no tag, or one that never ends, stays.

    Lines are stripped, and there is never more than one blank line in a row.

    Args:
        markup: HTML or plain text.
        links: True to append ``(ADDRESS)`` to the words of a link, unless the words show its address.
    """
    markup = whole(markup).replace("\r\n", "\n").replace("\r", "\n")
    markup = _UNENDED.sub("&lt;", markup)
    try:
        refuse_slow(markup, "", most_steps=_MOST_STEPS)
        body = LexborHTMLParser(markup).body if "<" in markup else None
    except ReadError:  # made to be slow: the words are enough
        markup, body = _TAG.sub(" ", markup), None
    writer = _Writer(links, line_ends=True)
    if body is None:
        writer.write(html.unescape(markup))
        return writer.text()
    return _written(body, writer)


def text_of(node: LexborNode, *, drop: AbstractSet[int] = frozenset(), links: bool = False) -> str:
    """The text of an element: a blank line between blocks, ``> `` before quoted lines.

    Args:
        node: The element.
        drop: ``mem_id`` of elements below it to leave out.
        links: True to append a link's address unless its words show it.
    """
    return _written(node, _Writer(links), drop)


def line_of(node: LexborNode, *, drop: AbstractSet[int] = frozenset()) -> str:
    """The text of an element on one line."""
    return " ".join(text_of(node, drop=drop).split())


def _written(node: LexborNode, writer: "_Writer", drop: AbstractSet[int] = frozenset()) -> str:
    stack: list[tuple[LexborNode, bool]] = [(node, False)]
    while stack:
        current, leaving = stack.pop()
        if leaving:
            writer.leave(current.tag or "")
        elif (current is node or current.mem_id not in drop) and (writer.enter(current) or current is node):
            stack.append((current, True))
            stack.extend((child, False) for child in reversed(list(current.iter(include_text=True))))
    return writer.text()


class _Writer:
    """Collects lines, each with the break before it (0 none, 1 line end, 2 blank line) and its quote depth.

    ``line_ends`` keeps the line ends and spaces of the text and marks no quotes.
    """

    def __init__(self, links: bool, line_ends: bool = False) -> None:
        self._links = links
        self._line_ends = line_ends
        self._lines: list[tuple[int, int, str]] = []
        self._words: list[str] = []
        self._break = 0
        self._quotes = 0
        self._pre = 0
        self._addresses: list[tuple[str, list[str]]] = []

    def enter(self, node: LexborNode) -> bool:
        """Enter a node; return False to skip its children."""
        tag = node.tag or ""
        if tag == "-text":
            text = node.text_content or ""
            after_break = self._line_ends and node.prev is not None and node.prev.tag == "br"
            self.write(re.sub(r"^[ \t]*\n", "", text) if after_break else text)
        elif tag == "br":
            self._end_of_line()
        elif tag == "img":
            self.write(_emoji(node))
        if tag in _DROPPED or tag in ("-text", "br", "img", "-comment"):
            return False
        self._open(tag, node)
        return True

    def _open(self, tag: str, node: LexborNode) -> None:
        if tag in _BLOCKS or tag in _LINES:
            self._flush(2 if tag in _BLOCKS else 1)
        elif tag in ("td", "th"):
            self.write(" ")
        self._quotes += tag == "blockquote" and not self._line_ends
        self._pre += tag == "pre"
        if tag == "a":
            self._addresses.append((node.attributes.get("href") or "", []))

    def leave(self, tag: str) -> None:
        """Leave an element."""
        if tag == "a":
            self._write_address(*self._addresses.pop())
        if tag in _BLOCKS or tag in _LINES:
            self._flush(2 if tag in _BLOCKS else 1)
        self._quotes -= tag == "blockquote" and not self._line_ends
        self._pre -= tag == "pre"

    def text(self) -> str:
        """The collected text."""
        self._flush(0)
        return "".join(self._parts())

    def _parts(self) -> Iterator[str]:
        for number, (gap, depth, line) in enumerate(self._lines):
            yield ("", "\n", "\n\n")[gap if number else 0]
            yield "> " * min(depth, _DEEPEST_QUOTE) + line

    def write(self, text: str) -> None:
        """Add text; only preformatted text and ``line_ends`` keep its line ends."""
        if self._addresses:
            self._addresses[-1][1].append(text)
        if not (self._pre or self._line_ends):
            self._words.append(text)
            return
        first, *others = text.split("\n")
        self._words.append(first)
        for line in others:
            self._end_of_line()
            self._words.append(line)

    def _write_address(self, address: str, shown: list[str]) -> None:
        address = re.sub(r"\s", "%20", address.strip())
        if self._links and re.match(r"(?:https?:)?//\S+$", address, re.IGNORECASE):
            words = _SPACE.sub(" ", "".join(shown)).strip()
            if not shows(words, address):
                self.write(f" ({address})" if words else f" {address} ")

    def _end_of_line(self) -> None:
        blank = not self._flush(1)
        if blank and self._lines:
            self._break = 2

    def _flush(self, gap: int) -> bool:
        words = "".join(self._words)
        self._words.clear()
        line = words if self._pre or self._line_ends else _SPACE.sub(" ", words)
        if not line.strip():
            self._break = max(self._break, gap)
            return False
        self._lines.append((self._break, self._quotes, line.rstrip() if self._pre else line.strip()))
        self._break = gap
        return True


def shows(words: str, address: str) -> bool:
    """True if a link's words show its address, with or without scheme and ``www.``."""
    return _bare(address) in _bare(words)


def _bare(address: str) -> str:
    return re.sub(r"^(?:https?:)?//(?:www\.)?", "", address.casefold().strip()).rstrip("/")


def _emoji(image: LexborNode) -> str:
    """The character that an emoji image stands for, else an empty string."""
    attributes = image.attributes
    alt = (attributes.get("alt") or "").strip()
    if _EMOJI_CLASS.search(attributes.get("class") or "") or (
        0 < len(alt) <= 8 and not alt.isascii() and not any(map(str.isalnum, alt))
    ):
        return alt
    return ""
