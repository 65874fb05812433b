"""Common parts of XML exports: comments in HTML, identifiers, times in UTC."""

import html
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from belowline.data.archives.html.text import shows
from belowline.data.comment import Comment, PriorStatus, Thread

# No part of a tag may cross a "<", and no choice is made twice: the time is linear whatever the text.
_MARKUP = re.compile(
    r"""
    <!--.*?(?:-->|\Z)
    | <(?P<hidden>script|style)\b[^<>]*+>.*?(?:</(?P=hidden)\b[^<>]*+>|\Z)
    | <(?P<br>br)\b[^<>]*+>[ \t]*+\r?+\n?+
    | </?(?P<name>[a-z][a-z0-9:-]*+)(?:(?:[^<>"']|"[^"<]*+"|'[^'<]*+')*+|[^<>]*+)>
    | <[!?][^<>]*+>
    """,
    re.DOTALL | re.IGNORECASE | re.VERBOSE,
)
_BLOCK = re.compile(
    "address|article|aside|blockquote|center|dd|details|div|dl|dt|fieldset|figcaption|figure|footer|form"
    "|h[1-6r]|header|main|nav|ol|p|pre|section|summary|table|ul"
)
_LINES = frozenset({"li", "tr", "option"})
_CELLS = frozenset({"td", "th"})
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]++))?""")
_WEB = re.compile(r"(?:https?:)?//.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Post:
    """A comment as the export holds it; ``markup`` is HTML, ``id`` may be empty."""

    line: int
    id: str
    markup: str
    author: str | None
    time: datetime | None
    parent: str | None
    verdict: PriorStatus | None


def html_text(markup: str, *, links: bool = False) -> str:
    """The plain text of HTML: line ends kept, a blank line between blocks. Never fails; takes linear time.

    ``links`` appends the address of a link unless its words show it.
    """
    breaks = _Links().replace if links else _break
    text = html.unescape(
        _MARKUP.sub(breaks, f"{markup}</a>" if links else markup) if "<" in markup else markup
    )
    lines = (line.strip() for line in re.split(r"\r\n|\n|\r", text))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def one_line(markup: str | None) -> str | None:
    """The plain text of HTML on one line, or None if it is empty."""
    return " ".join(html_text(markup or "").split()) or None


def utc_time(text: str | None) -> datetime | None:
    """An ISO 8601 time, in UTC if it names no zone; None for other values, such as ``0000-00-00``."""
    try:
        time = datetime.fromisoformat((text or "").strip())
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def comments_of(posts: Sequence[Post]) -> tuple[tuple[Comment, ...], tuple[str, ...]]:
    """The posts of one thread that have text, and notes on the others.

    Identifiers become unique. A parent that is not among the comments becomes None.
    """
    texts = [html_text(post.markup) for post in posts]
    kept = [(post, text) for post, text in zip(posts, texts, strict=True) if text]
    known = {post.id for post, _ in kept if post.id}
    comments = tuple(
        Comment(
            id=name,
            text=text,
            author=post.author,
            time=post.time,
            parent=post.parent if post.parent in known and post.parent != name else None,
            verdict=post.verdict,
        )
        for (post, text), name in zip(kept, _unique([post for post, _ in kept]), strict=True)
    )
    return comments, tuple(_notes(len(posts), comments))


def no_comments(path: Path) -> Thread:
    """The thread of an export without comments: its note makes the empty export visible."""
    return Thread(str(path), None, None, "", (), ("the export holds no comments",))


def _break(match: re.Match[str]) -> str:
    name = (match["name"] or "").lower()
    if _BLOCK.fullmatch(name):
        return "\n\n"
    return "\n" if match["br"] or name in _LINES else " " if name in _CELLS else ""


class _Links:
    """Replaces tags like ``_break`` and appends a link's address to its words."""

    def __init__(self) -> None:
        self._address = ""
        self._words_from = 0

    def replace(self, match: re.Match[str]) -> str:
        if (match["name"] or "").lower() != "a":
            return _break(match)
        written = self._close(match)
        if not match.group().startswith("</"):
            self._address, self._words_from = _href(match.group()), match.end()
        return written

    def _close(self, match: re.Match[str]) -> str:
        """The address of the open link, unless its words show it."""
        if not self._address:
            return ""
        address, self._address = self._address, ""
        words = html.unescape(match.string[self._words_from : match.start()])
        return "" if shows(words, address) else f" ({html.escape(address, quote=False)})"


def _href(tag: str) -> str:
    """The web address of an ``<a>``, or an empty string."""
    attributes = _ATTRIBUTE.finditer(tag, 2)
    quoted = next((one[2] or "" for one in attributes if one[1].lower() == "href"), "")
    address = re.sub(r"\s", "%20", html.unescape(quoted.strip("\"'")).strip())
    return address if _WEB.match(address) else ""


def _unique(posts: Sequence[Post]) -> Iterator[str]:
    """A unique identifier for each post: its own, with a number if taken, or its line."""
    own, given, copies = {post.id for post in posts}, set[str](), Counter[str]()
    for post in posts:
        wanted = name = post.id or f"line-{post.line}"
        while name in given or (name in own and name != post.id):
            copies[wanted] += 1
            name = f"{wanted}-{copies[wanted] + 1}"
        given.add(name)
        yield name


def _notes(posts: int, comments: Sequence[Comment]) -> Iterator[str]:
    if len(comments) < posts:
        yield f"{posts - len(comments)} of {posts} comments have no text (deleted, or a picture)"
    undated = sum(comment.time is None for comment in comments)
    if undated:
        yield f"{undated} of {len(comments)} comments have no time in UTC that can be read"
