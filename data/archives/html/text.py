"""Converts elements of a page to plain text."""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from selectolax.lexbor import LexborNode

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
_SPACE = re.compile(r"[ \t\n\r\f\u00a0]+")
_EMOJI_CLASS = re.compile(r"emoji|smil", re.IGNORECASE)
_DEEPEST_QUOTE = 5


def text_of(node: LexborNode, *, drop: AbstractSet[int] = frozenset(), links: bool = False) -> str:
    """The text of an element: a blank line between blocks, ``> `` before quoted lines.

    Args:
        node: The element.
        drop: ``mem_id`` of elements below it to leave out.
        links: True to append a link's address unless its words show it.
    """
    writer = _Writer(links)
    stack: list[tuple[LexborNode, bool]] = [(node, False)]
    while stack:
        current, leaving = stack.pop()
        if leaving:
            writer.leave(current.tag or "")
        elif (current is node or current.mem_id not in drop) and (writer.enter(current) or current is node):
            stack.append((current, True))
            stack.extend((child, False) for child in reversed(list(current.iter(include_text=True))))
    return writer.text()


def line_of(node: LexborNode, *, drop: AbstractSet[int] = frozenset()) -> str:
    """The text of an element on one line."""
    return " ".join(text_of(node, drop=drop).split())


class _Writer:
    """Collects lines, each with the break before it (0 none, 1 line end, 2 blank line) and its quote depth."""

    def __init__(self, links: bool) -> None:
        self._links = links
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
            self._write(node.text_content or "")
        elif tag == "br":
            self._end_of_line()
        elif tag == "img":
            self._write(_emoji(node))
        if tag in _DROPPED or tag in ("-text", "br", "img", "-comment"):
            return False
        self._open(tag, node)
        return True

    def _open(self, tag: str, node: LexborNode) -> None:
        if tag in _BLOCKS or tag in _LINES:
            self._flush(2 if tag in _BLOCKS else 1)
        elif tag in ("td", "th"):
            self._write(" ")
        self._quotes += tag == "blockquote"
        self._pre += tag == "pre"
        if tag == "a":
            self._addresses.append((node.attributes.get("href") or "", []))

    def leave(self, tag: str) -> None:
        """Leave an element."""
        if tag == "a":
            self._write_address(*self._addresses.pop())
        if tag in _BLOCKS or tag in _LINES:
            self._flush(2 if tag in _BLOCKS else 1)
        self._quotes -= tag == "blockquote"
        self._pre -= tag == "pre"

    def text(self) -> str:
        """The collected text."""
        self._flush(0)
        return "".join(self._parts())

    def _parts(self) -> Iterator[str]:
        for number, (gap, depth, line) in enumerate(self._lines):
            yield ("", "\n", "\n\n")[gap if number else 0]
            yield "> " * min(depth, _DEEPEST_QUOTE) + line

    def _write(self, text: str) -> None:
        if self._addresses:
            self._addresses[-1][1].append(text)
        if not self._pre:
            self._words.append(text)
            return
        first, *others = text.split("\n")
        self._words.append(first)
        for line in others:
            self._end_of_line()
            self._words.append(line)

    def _write_address(self, address: str, shown: list[str]) -> None:
        address = address.strip()
        if self._links and re.match(r"(?:https?:)?//\S+$", address, re.IGNORECASE):
            words = _SPACE.sub(" ", "".join(shown)).strip()
            if not shows(words, address):
                self._write(f" ({address})" if words else f" {address} ")

    def _end_of_line(self) -> None:
        blank = not self._flush(1)
        if blank and self._lines:
            self._break = 2

    def _flush(self, gap: int) -> bool:
        words = "".join(self._words)
        self._words.clear()
        line = words.strip("\r\n") if self._pre else _SPACE.sub(" ", words)
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
