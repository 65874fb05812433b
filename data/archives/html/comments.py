"""Finds the comments of an HTML page by the markup of known comment systems."""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib.resources import files

from selectolax.lexbor import LexborHTMLParser, LexborNode

from belowline.data.archives.html.text import line_of, text_of
from belowline.data.archives.words import stated_count
from belowline.data.comment import Comment

_PERSON_DEPTH = 6
_MOST_TITLES = 20


@dataclass(frozen=True, slots=True)
class Markup:
    """Markup of one comment system, an entry of ``markups.toml``.

    Selectors have no combinators, so each is one pass over the page.

    Attributes:
        name: Name in notes.
        container: Elements with one comment each, which may contain its replies.
        text: Elements with the comment's text, the preferred first.
        author: Elements with the author's name.
        time: Elements with the time, in ``datetime``, ``content``, ``title`` or their text.
        id: Regular expression for the comment's ``id``, and perhaps its ``parent``, in ``id_from`` of the container.
        id_from: Attributes of the container, the preferred first.
        replies: Elements with replies, whose ``data-testid`` names the parent comment.
        bare: Elements with the text in containers without such an element.
        drop: Elements below ``text`` that are not part of it.
        pending: Marks of a pending comment.
        cut: Marks of a comment that the page shows only in part.
        numbered: Containers that are read without an ``id`` too.
        website: Links to the author's website, if within ``author``.
        anchor: Fragment that leads to a comment, with ``{id}``; default: the ``id`` of the container.
    """

    name: str
    container: str
    text: Sequence[str]
    author: str
    time: str
    id: str
    id_from: Sequence[str] = ("id",)
    replies: str | None = None
    bare: str | None = None
    drop: str | None = None
    pending: str | None = None
    cut: str | None = None
    numbered: str | None = None
    website: str | None = None
    anchor: str | None = None


_LINKBACK = ".pingback, .trackback"
_BADGE = '[class*="badge"], [class*="label"], [class*="role"]'
_MARKUPS_FILE = tomllib.loads(files(__package__).joinpath("markups.toml").read_text("utf-8"))

MARKUPS: Sequence[Markup] = tuple(Markup(**markup) for markup in _MARKUPS_FILE["markups"])
"""The kinds of markup, in the order in which they are tried."""

TITLE: str = _MARKUPS_FILE["title"]
"""Selector of the element with the article's title."""


@dataclass(slots=True)
class Found:
    """Comments of a page and the counts for its notes."""

    markup: str
    comments: tuple[Comment, ...]
    counts: Counter[str] = field(default_factory=Counter)
    containers: frozenset[int] = frozenset()


@dataclass(slots=True)
class _Part:
    """A container with its own elements, without those of its replies."""

    node: LexborNode
    id: str
    parent: str | None
    stated: str | None
    elements: list[LexborNode] = field(default_factory=list)
    cut: bool = False
    mark: str | None = None

    @property
    def anchor(self) -> str | None:
        """The fragment of the page's address that leads to the comment."""
        name = self.mark or (self.node.attributes.get("id") or "").strip()
        return f"#{name}" if name else None


def find_comments(page: LexborHTMLParser) -> Found | None:
    """The comments of the first markup that matches, or None."""
    for markup in MARKUPS:
        containers = ids_of(page, markup.container)
        if containers and ids_of(page, ", ".join(filter(None, (*markup.text, markup.bare)))):
            found = _read(page, markup, containers)
            if found.comments:
                return found
    return None


def stated_number(page: LexborHTMLParser) -> int | None:
    """The number of comments that the page states, or None."""
    lines = (
        line_of(node) for selector in _MARKUPS_FILE["stated"] for node in page.css(selector)[:_MOST_TITLES]
    )
    return next((count for line in lines if (count := stated_count(line)) is not None), None)


def zoned_time(value: str | None) -> datetime | None:
    """An ISO 8601 time with a zone; None for anything else."""
    try:
        time = datetime.fromisoformat((value or "").strip())
        return time if time.utcoffset() is not None else None
    except (ValueError, OverflowError):
        return None


def ids_of(page: LexborHTMLParser, selector: str | None) -> frozenset[int]:
    """``mem_id`` of the elements that match."""
    return frozenset(node.mem_id for node in page.css(selector)) if selector else frozenset()


def _read(page: LexborHTMLParser, markup: Markup, containers: AbstractSet[int]) -> Found:
    kinds: dict[str, AbstractSet[int]] = {
        "text": ids_of(page, ", ".join(markup.text)),
        "author": ids_of(page, markup.author),
        "name": ids_of(page, '[itemprop~="name"]'),
        "time": ids_of(page, markup.time),
        "pending": ids_of(page, markup.pending),
        "website": ids_of(page, markup.website),
        "linkback": ids_of(page, _LINKBACK),
    }
    parts = list(_parts(page, markup, containers))
    replies = ids_of(page, markup.replies)
    left_out = replies | ids_of(page, markup.drop)
    drop = containers | left_out
    kinds["bare"] = ids_of(page, markup.bare) - left_out
    kinds["not bare"] = left_out | kinds["bare"]
    kinds["not name"] = drop - kinds["author"]
    kinds["badge"] = kinds["not name"] | ids_of(page, _BADGE) - kinds["author"]
    choices = [ids_of(page, selector) for selector in markup.text]
    found = Found(markup.name, (), containers=frozenset(part.node.mem_id for part in parts) | replies)
    comments: dict[str, Comment] = {}
    seen: set[tuple[str, str | None, str]] = set()
    for part in parts:
        comment = _comment(part, choices, kinds, drop, found.counts)
        if comment is None:
            continue
        # Pages print a comment twice, and themes give two comments one id.
        same = (part.stated or comment.id, comment.author, comment.text)
        if same not in seen:
            comments[comment.id] = comment
        seen.add(same)
    found.comments = with_known_parents(comments)
    return found


def with_known_parents(comments: Mapping[str, Comment]) -> tuple[Comment, ...]:
    """The comments, with unknown parents replaced by None."""
    return tuple(
        comment
        if comment.parent in comments and comment.parent != comment.id
        else replace(comment, parent=None)
        for comment in comments.values()
    )


def _parts(page: LexborHTMLParser, markup: Markup, containers: AbstractSet[int]) -> Iterator[_Part]:
    """The containers in the page's order, each with its elements outside of the comment's text."""
    texts, replies, cut = (ids_of(page, which) for which in (markup.text[0], markup.replies, markup.cut))
    numbered = ids_of(page, markup.numbered)
    taken: set[str] = set()
    stack: list[tuple[LexborNode, _Part | None, str | None, bool]] = []
    if page.root is not None:
        stack.append((page.root, None, None, False))
    while stack:
        node, owner, parent, written = stack.pop()
        known = node.mem_id
        if known in containers:
            part = _part(node, markup, owner, parent, taken, numbered=known in numbered)
            if part is not None and part is not owner:
                owner, parent, written = part, part.id, False
                yield part
        if known in replies:
            parent = (node.attributes.get("data-testid") or "").partition("-")[2] or parent
        if owner is not None and not written:
            owner.elements.append(node)
        if owner is not None and known in cut:
            owner.cut = True
        inside = written or (owner is not None and known in texts)
        stack.extend((child, owner, parent, inside) for child in reversed(list(node.iter())))


def _part(
    node: LexborNode,
    markup: Markup,
    owner: _Part | None,
    parent: str | None,
    taken: set[str],
    *,
    numbered: bool,
) -> _Part | None:
    attributes = node.attributes
    matches = (re.match(markup.id, attributes.get(name) or "") for name in markup.id_from)
    match = next(filter(None, matches), None)
    if match is None and not numbered:
        return None
    id = match["id"] if match else f"{len(taken) + 1}"
    if owner is not None and match and id == owner.id:
        return owner
    if id in taken:
        id = f"n-{len(taken) + 1}"
    taken.add(id)
    stated = match.groupdict().get("parent") if match else None
    mark = markup.anchor.format(id=match["id"]) if match and markup.anchor else None
    known = match["id"] if match else None
    return _Part(node, id, stated if stated and stated != "0" else parent, known, mark=mark)


def _comment(
    part: _Part,
    texts: Sequence[AbstractSet[int]],
    kinds: Mapping[str, AbstractSet[int]],
    drop: AbstractSet[int],
    counts: Counter[str],
) -> Comment | None:
    if part.node.mem_id in kinds["linkback"]:
        counts["linkback"] += 1
        return None
    written = next(filter(None, (_first(part.elements, choice) for choice in texts)), None)
    if written is not None:
        text = text_of(written, drop=drop, links=True)
    else:
        found = (text_of(node, drop=drop, links=True) for node in _bare(part, kinds))
        text = "\n\n".join(filter(None, found))
    if not text:
        # Some themes put the element with the id inside a container without one.
        counts["empty"] += part.stated is not None or _author_element(part.elements, kinds) is not None
        return None
    counts["pending"] += _first(part.elements, kinds["pending"]) is not None
    counts["cut"] += part.cut
    dated = [node for node in part.elements if node.mem_id in kinds["time"]]
    time = next(filter(None, (_time(node) for node in dated)), None)
    counts["unzoned"] += time is None and bool(dated)
    author = _author_element(part.elements, kinds)
    return Comment(
        part.id,
        text,
        _name(author, part.elements, kinds) if author else None,
        time,
        part.parent,
        author_url=_website(author, part.elements, kinds) if author else None,
        permalink=part.anchor,
    )


def _bare(part: _Part, kinds: Mapping[str, AbstractSet[int]]) -> list[LexborNode]:
    """The outermost elements of a part that may hold its text."""
    bare = [node for node in part.elements if node.mem_id in kinds["bare"]]
    return [node for node in bare if not _is_below(node, kinds["not bare"], part.node)]


def _is_below(node: LexborNode, outer: AbstractSet[int], top: LexborNode) -> bool:
    above = node.parent
    for _ in range(_PERSON_DEPTH):
        if above is None or above.mem_id == top.mem_id:
            return False
        if above.mem_id in outer:
            return True
        above = above.parent
    return True


def _first(elements: Sequence[LexborNode], wanted: AbstractSet[int]) -> LexborNode | None:
    return next((node for node in elements if node.mem_id in wanted), None) if wanted else None


def _author_element(
    elements: Sequence[LexborNode], kinds: Mapping[str, AbstractSet[int]]
) -> LexborNode | None:
    """The innermost author element."""
    author = None
    for node in elements:
        if node.mem_id in kinds["author"] and (author is None or _inside(node, author)):
            author = node
    return author


def _name(
    author: LexborNode, elements: Sequence[LexborNode], kinds: Mapping[str, AbstractSet[int]]
) -> str | None:
    """The marked name inside the author's element, else its text."""
    named = (node for node in elements if node.mem_id in kinds["name"] and _inside(node, author))
    chosen = next(named, author)
    stated = (chosen.attributes.get("content") or "").strip() or line_of(chosen, drop=kinds["badge"])
    # A name in an element that only sounds like a badge is a name.
    return stated or line_of(chosen, drop=kinds["not name"]) or None


def _website(
    author: LexborNode, elements: Sequence[LexborNode], kinds: Mapping[str, AbstractSet[int]]
) -> str | None:
    links = (node for node in elements if node.mem_id in kinds["website"] and _inside(node, author))
    return next((url for node in links if (url := (node.attributes.get("href") or "").strip())), None)


def _inside(node: LexborNode, outer: LexborNode) -> bool:
    above: LexborNode | None = node
    for _ in range(_PERSON_DEPTH):
        if above is None or above.mem_id == outer.mem_id:
            break
        above = above.parent
    return above is not None and above.mem_id == outer.mem_id


def _time(node: LexborNode) -> datetime | None:
    attributes = node.attributes
    values = (attributes.get("datetime"), attributes.get("content"), attributes.get("title"))
    return next(filter(None, map(zoned_time, values)), None)
