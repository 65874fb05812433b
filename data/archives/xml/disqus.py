"""Reads Disqus exports: all threads of a site, then all posts in the order of writing.

The posts of a thread are spread over the file, so a thread is complete only at its end, and a ``Gathering`` collects
them on disk. A malformed or truncated file is refused before its first thread; with a ``report``, the threads hold the
posts before the damage.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree.ElementTree import Element

from belowline.data.archives.html.text import html_to_text
from belowline.data.archives.posts import Gathering, Post, gathering, no_comments
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.values import one_line
from belowline.data.archives.xml.safe_xml import Root, markup_of, read_records
from belowline.data.comment import PriorStatus, ReadError, Report, Thread, refuse

_NAMESPACE = "disqus.com"
_PREFIXES: Mapping[str, str] = {r"disqus\.com": "", r"disqus\.com/disqus-internals": "dsq"}
_FLAGS: Mapping[str, PriorStatus] = {"isSpam": "spam", "isDeleted": "reject"}
_UNDESCRIBED = "the export does not hold the thread that these comments name"


def is_disqus(root: Root) -> bool:
    """True if a document with this root is a Disqus export."""
    return root.name == "disqus" and any(_NAMESPACE in uri for uri in root.namespaces)


def read_disqus(path: Path, report: Report = refuse, side: SideFields | None = None) -> Iterator[Thread]:
    """The threads with posts, those without a description last; raises ReadError.

    Posts are sorted by time, then by their order in the file. The prior status is the first of the flags spam,
    deleted, not approved. Most deleted posts have no text; the notes count them.
    """
    side, damage, empty = side or SideFields(), None, True
    with gathering(path) as threads:
        try:
            for line, record in read_records(path, {"thread", "post"}, _PREFIXES, side):
                if record.tag == "thread":
                    _add_thread(threads, line, record)
                else:
                    threads.add_post(_reference(record, "thread"), _post(line, record, side), by_time=True)
        except ReadError as error:
            damage = error
            report(error)
        for thread in threads.threads(_UNDESCRIBED, mark="#comment-"):
            empty = False
            yield thread
    if empty and damage is None:
        yield no_comments(path)


def _add_thread(threads: Gathering, line: int, record: Element) -> None:
    title, url = one_line(markup_of(record, "title")), (record.findtext("link") or "").strip()
    text = html_to_text(markup_of(record, "message"))
    threads.add_thread(record.get("dsq:id", ""), line, title, url or None, text)


def _post(line: int, record: Element, side: SideFields) -> Post:
    return Post(
        line=line,
        id=record.get("dsq:id", ""),
        text=html_to_text(markup_of(record, "message")),
        author=one_line(markup_of(record, "author/name")) or one_line(markup_of(record, "author/username")),
        time=side.time((record.findtext("createdAt") or "").strip()),
        parent=_reference(record, "parent"),
        verdict=_verdict(record),
    )


def _reference(record: Element, name: str) -> str:
    found = record.find(name)
    return "" if found is None else found.get("dsq:id", "")


def _verdict(record: Element) -> PriorStatus | None:
    flags = {name: record.findtext(name) for name in (*_FLAGS, "isApproved")}
    for name, verdict in _FLAGS.items():
        if _is_true(flags[name]):
            return verdict
    if not any(flags.values()):
        return None
    return "publish" if flags["isApproved"] is None or _is_true(flags["isApproved"]) else "hold"


def _is_true(text: str | None) -> bool:
    return (text or "").strip().lower() in ("true", "1")
