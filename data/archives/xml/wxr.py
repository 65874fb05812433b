"""Reads WordPress exports (WXR): RSS whose items are posts with their comments. Memory is bounded by the largest
item."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from belowline.data.archives.html.text import html_to_text
from belowline.data.archives.xml.exports import Post, comments_of, no_comments, one_line, utc_time
from belowline.data.archives.xml.safe_xml import Root, read_records
from belowline.data.comment import PriorStatus, Thread

_PREFIXES: Mapping[str, str] = {
    "http://wordpress.org/export/1.0/": "wp",
    "http://wordpress.org/export/1.1/": "wp",
    "http://wordpress.org/export/1.2/": "wp",
    "http://purl.org/rss/1.0/modules/content/": "content",
}
_VERDICTS: Mapping[str, PriorStatus] = {
    "1": "publish",
    "0": "hold",
    "spam": "spam",
    "trash": "reject",
    "post-trashed": "reject",
}
_MACHINE_WRITTEN = frozenset({"pingback", "trackback", "order_note", "action_log"})


def is_wxr(root: Root) -> bool:
    """True if a document with this root is a WordPress export of a known version."""
    return root.name == "rss" and any(_PREFIXES.get(uri) == "wp" for uri in root.namespaces)


def read_wxr(path: Path) -> Iterator[Thread]:
    """One thread for each item with comments, in the file's order; raises ReadError.

    The prior status is WordPress's own (approved, pending, spam, trash). Times are the UTC ones: the local times
    name no zone. Pingbacks, trackbacks and shop notes are skipped and counted.
    """
    empty = True
    for line, item in read_records(path, {"item"}, _PREFIXES):
        entries = item.findall("wp:comment")
        if entries:
            empty = False
            yield _thread(f"{path}:{line}", line, item, entries)
    if empty:
        yield no_comments(path)


def _thread(source: str, line: int, item: Element, entries: list[Element]) -> Thread:
    machine_written = Counter(filter(_MACHINE_WRITTEN.__contains__, map(_kind, entries)))
    url = (item.findtext("link") or "").strip() or None
    comments, notes = comments_of(
        [_post(line, entry) for entry in entries if _kind(entry) not in _MACHINE_WRITTEN], url
    )
    left_out = (
        f"left out, not written by readers: {count} {kind}" for kind, count in machine_written.items()
    )
    return Thread(
        source=source,
        title=one_line(item.findtext("title")),
        url=url,
        text=html_to_text(item.findtext("content:encoded") or ""),
        comments=comments,
        notes=(*notes, *left_out),
    )


def _kind(entry: Element) -> str:
    return (entry.findtext("wp:comment_type") or "").strip()


def _post(line: int, entry: Element) -> Post:
    def field(name: str) -> str:
        return (entry.findtext(f"wp:comment_{name}") or "").strip()

    return Post(
        line=line,
        id=field("id"),
        markup=field("content"),
        author=one_line(field("author")),
        time=utc_time(field("date_gmt")),
        parent=field("parent"),
        verdict=_VERDICTS.get(field("approved")),
        author_url=field("author_url") or None,
    )
