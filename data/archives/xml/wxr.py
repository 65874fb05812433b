"""Reads WordPress exports (WXR): RSS whose items are posts with their comments. Memory is bounded by the largest
item."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from belowline.data.archives.html.text import html_to_text
from belowline.data.archives.posts import Post, comments_of, no_comments
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.values import one_line
from belowline.data.archives.xml.safe_xml import Root, markup_of, read_records
from belowline.data.comment import Thread

_WORDPRESS = r"wordpress\.org/export/[\d.]*"
_PREFIXES: Mapping[str, str] = {
    _WORDPRESS: "wp",
    r"purl\.org/rss/1\.0/modules/content": "content",
}
_OF_READERS = re.compile(
    r"|(?:.*[_-])?(?:comment|review|reply|question|answer|testimonial|rating|feedback|sticky)s?"
)
"""Types of comments that readers write; plugins add others, such as ``product_review``."""


def is_wxr(root: Root) -> bool:
    """True if a document with this root is a WordPress export of a known version."""
    return root.name == "rss" and any(re.search(_WORDPRESS, uri, re.IGNORECASE) for uri in root.namespaces)


def read_wxr(path: Path, side: SideFields | None = None) -> Iterator[Thread]:
    """One thread for each item with comments, in the file's order; raises ReadError.

    The prior status is WordPress's own (approved, pending, spam, trash). Times are the UTC ones: the local times
    name no zone. Types that readers do not write, such as pingbacks and shop notes, are left out and counted.
    """
    empty, side = True, side or SideFields()
    for line, item in read_records(path, {"item"}, _PREFIXES, side):
        entries = item.findall("wp:comment")
        if entries:
            empty = False
            yield _thread(f"{path}:{line}", line, item, entries, side)
    if empty:
        yield no_comments(path)


def _thread(source: str, line: int, item: Element, entries: list[Element], side: SideFields) -> Thread:
    others = Counter(kind for kind in map(_kind, entries) if not _OF_READERS.fullmatch(kind))
    url = (item.findtext("link") or "").strip() or None
    comments, notes = comments_of(
        [_post(line, entry, side) for entry in entries if _kind(entry) not in others], url
    )
    left_out = (f"left out, not written by readers: {count} {kind}" for kind, count in others.items())
    return Thread(
        source=source,
        title=one_line(markup_of(item, "title")),
        url=url,
        text=html_to_text(markup_of(item, "content:encoded")),
        comments=comments,
        notes=(*notes, *left_out),
    )


def _kind(entry: Element) -> str:
    return (entry.findtext("wp:comment_type") or "").strip().casefold()


def _post(line: int, entry: Element, side: SideFields) -> Post:
    def field(name: str) -> str:
        return (entry.findtext(f"wp:comment_{name}") or "").strip()

    return Post(
        line=line,
        id=field("id"),
        text=html_to_text(markup_of(entry, "wp:comment_content").strip()),
        author=one_line(markup_of(entry, "wp:comment_author")),
        time=side.time(field("date_gmt")),
        parent=field("parent"),
        verdict=side.status(field("approved")),
        author_url=field("author_url") or None,
    )
