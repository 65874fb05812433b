"""Reads Disqus exports: all threads of a site, then all posts in the order of writing.

The posts of a thread are spread over the file, so a thread is complete only at its end. A temporary SQLite database in
SQLITE_TMPDIR or TMPDIR collects them; it grows to about the size of the texts, and SQLite removes it even if the
process is killed. Memory is bounded by the largest thread. A malformed or truncated file is refused before its
first thread; with a ``report``, the threads hold the posts before the damage.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from xml.etree.ElementTree import Element

from belowline.data.archives.html.text import html_to_text
from belowline.data.archives.xml.exports import Post, comments_of, no_comments, one_line, utc_time
from belowline.data.archives.xml.safe_xml import Root, read_records
from belowline.data.comment import PriorStatus, ReadError, Report, Thread, refuse

_NAMESPACE = "http://disqus.com"
_PREFIXES: Mapping[str, str] = {_NAMESPACE: "", "http://disqus.com/disqus-internals": "dsq"}
_FLAGS: Mapping[str, PriorStatus] = {"isSpam": "spam", "isDeleted": "reject"}
_TABLES = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE threads (id TEXT UNIQUE, line INTEGER, title TEXT, url TEXT, text TEXT);
    CREATE TABLE posts (
        thread TEXT, written REAL, line INTEGER, id TEXT, markup TEXT, author TEXT, time TEXT, parent TEXT,
        verdict TEXT
    );
"""
_INDEX = "CREATE INDEX posts_in_order ON posts (thread, written)"
_KNOWN = """
    SELECT id, line, title, url, text, NULL FROM threads
    WHERE EXISTS (SELECT 1 FROM posts WHERE thread = threads.id) ORDER BY rowid
"""
_UNKNOWN = """
    SELECT thread, min(line), NULL, NULL, '', 'the export does not hold the thread that these comments name'
    FROM posts WHERE thread NOT IN (SELECT id FROM threads) GROUP BY thread ORDER BY min(rowid)
"""
_POSTS = """
    SELECT line, id, markup, author, time, parent, verdict FROM posts
    WHERE thread = ? ORDER BY written IS NULL, written, rowid
"""


def is_disqus(root: Root) -> bool:
    """True if a document with this root is a Disqus export."""
    return root.name == "disqus" and _NAMESPACE in root.namespaces


def read_disqus(path: Path, report: Report = refuse) -> Iterator[Thread]:
    """The threads with posts, those without a description last; raises ReadError.

    Posts are sorted by time, then by their order in the file. The prior status is the first of the flags spam,
    deleted, not approved. Most deleted posts have no text; the notes count them.
    """
    try:
        with closing(sqlite3.connect("", check_same_thread=False)) as index:
            damage = _gather(path, index)
            if damage:
                report(damage)
            yield from _threads(path, index, whole=damage is None)
    except sqlite3.Error as error:
        raise ReadError(
            f"its temporary index failed ({error}); free disk space, or set SQLITE_TMPDIR to another disk",
            path,
        ) from error


def _gather(path: Path, index: sqlite3.Connection) -> ReadError | None:
    """Fills the index; returns what broke the file off, None where it is whole."""
    index.executescript(_TABLES)
    damage = None
    try:
        for line, record in read_records(path, {"thread", "post"}, _PREFIXES):
            if record.tag == "thread":
                index.execute(
                    "INSERT OR IGNORE INTO threads VALUES (?, ?, ?, ?, ?)", _thread_row(line, record)
                )
            else:
                index.execute("INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _post_row(line, record))
    except ReadError as error:
        damage = error
    index.execute(_INDEX)
    return damage


def _thread_row(line: int, record: Element) -> tuple[object, ...]:
    title, url = one_line(record.findtext("title")), (record.findtext("link") or "").strip()
    return record.get("dsq:id", ""), line, title, url or None, html_to_text(record.findtext("message") or "")


def _post_row(line: int, record: Element) -> tuple[object, ...]:
    time = utc_time(record.findtext("createdAt"))
    return (
        _reference(record, "thread"),
        time and time.timestamp(),
        line,
        record.get("dsq:id", ""),
        record.findtext("message") or "",
        one_line(record.findtext("author/name")),
        time and time.isoformat(),
        _reference(record, "parent"),
        _verdict(record),
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


def _threads(path: Path, index: sqlite3.Connection, *, whole: bool) -> Iterator[Thread]:
    empty = True
    for query in (_KNOWN, _UNKNOWN):
        for id, line, title, url, text, note in index.execute(query):
            empty = False
            posts = [
                Post(where, own, markup, author, utc_time(time), parent, verdict)
                for where, own, markup, author, time, parent, verdict in index.execute(_POSTS, (id,))
            ]
            comments, notes = comments_of(posts, url)
            yield Thread(f"{path}:{line}", title, url, text, comments, (*notes, note) if note else notes)
    if empty and whole:
        yield no_comments(path)
