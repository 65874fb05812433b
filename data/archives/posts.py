"""Comments as exports hold them, and their threads, gathered on disk where a file scatters them."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urldefrag

from belowline.data.comment import Comment, PriorStatus, ReadError, Thread

_TABLES = """
    PRAGMA journal_mode = OFF;
    CREATE TABLE threads (id TEXT UNIQUE, line INTEGER, title TEXT, url TEXT, text TEXT);
    CREATE TABLE posts (
        thread TEXT, written REAL, line INTEGER, id TEXT, text TEXT, author TEXT, time TEXT, parent TEXT,
        verdict TEXT, author_url TEXT
    );
"""
_INDEX = "CREATE INDEX posts_in_order ON posts (thread, written)"
_ADOPT = """
    CREATE INDEX posts_by_parent ON posts (parent);
    CREATE TABLE found (id TEXT PRIMARY KEY, thread TEXT);
    INSERT OR IGNORE INTO found
    WITH RECURSIVE tree (id, thread) AS (
        SELECT id, id FROM threads UNION SELECT id, thread FROM posts WHERE thread <> ''
        UNION SELECT posts.id, tree.thread FROM tree JOIN posts ON posts.parent = tree.id WHERE posts.thread = ''
    )
    SELECT id, thread FROM tree;
    UPDATE posts SET thread = (SELECT thread FROM found WHERE found.id = posts.id)
    WHERE thread = '' AND id IN (SELECT id FROM found);
"""
_DESCRIBE = """
    INSERT INTO threads VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    title = coalesce(title, excluded.title), url = coalesce(url, excluded.url),
    text = CASE text WHEN '' THEN excluded.text ELSE text END
"""
_LOOSE_POSTS = 100_000
"""Posts of no thread in one part, so that memory stays bounded."""
_KNOWN = """
    SELECT id, line, title, url, text, 1 FROM threads
    WHERE EXISTS (SELECT 1 FROM posts WHERE thread = threads.id) ORDER BY rowid
"""
_UNKNOWN = """
    SELECT thread, min(line), NULL, NULL, '', 0
    FROM posts WHERE thread NOT IN (SELECT id FROM threads) GROUP BY thread ORDER BY min(rowid)
"""
_POSTS = """
    SELECT line, id, text, author, time, parent, verdict, author_url FROM posts
    WHERE thread = ? ORDER BY written IS NULL, written, rowid
"""


@dataclass(frozen=True, slots=True)
class Post:
    """A comment as the export holds it; ``text`` is plain and may be empty, ``id`` may be empty."""

    line: int
    id: str
    text: str
    author: str | None
    time: datetime | None
    parent: str | None
    verdict: PriorStatus | None
    author_url: str | None = None


def comments_of(
    posts: Sequence[Post], page: str | None = None, mark: str = "#comment-"
) -> tuple[tuple[Comment, ...], tuple[str, ...]]:
    """The posts of one thread that have text, and notes on the others.

    Identifiers become unique. A parent that is not among the comments becomes None. ``page`` is the article's address,
    on which the host marks each comment as ``mark`` and its id.
    """
    address = urldefrag(page).url if page else None
    kept = [post for post in posts if post.text.strip()]
    known = {post.id for post in kept if post.id}
    comments = tuple(
        Comment(
            id=name,
            text=post.text,
            author=post.author,
            time=post.time,
            parent=post.parent if post.parent in known and post.parent != name else None,
            verdict=post.verdict,
            author_url=post.author_url,
            permalink=f"{address}{mark}{post.id}" if address and post.id else None,
            line=post.line or None,
        )
        for post, name in zip(kept, _unique(kept), strict=True)
    )
    empty = len(posts) - len(kept)
    return comments, (
        (f"{empty} of {len(posts)} comments have no text (deleted, or a picture)",) if empty else ()
    )


def no_comments(path: Path) -> Thread:
    """The thread of an export without comments: its note makes the empty export visible."""
    return Thread(str(path), None, None, "", (), ("the export holds no comments",))


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


class Gathering:
    """Posts of many threads in any order, in a temporary SQLite database.

    SQLite removes the database even if the process is killed. SQLITE_TMPDIR or TMPDIR sets its folder; it grows to
    about the size of the texts. Memory is bounded by the largest thread.
    """

    def __init__(self, database: sqlite3.Connection, path: Path) -> None:
        self._database, self._path = database, path
        database.executescript(_TABLES)

    def add_thread(self, id: str, line: int, title: str | None, url: str | None, text: str) -> None:
        """Describe a thread; of several titles, addresses and texts the first one counts."""
        self._database.execute(_DESCRIBE, (id, line, title, url, text))

    def add_post(self, thread: str, post: Post, *, by_time: bool) -> None:
        """Add a post; ``by_time`` sorts it by its time, else the order of adding counts."""
        line, id, text, author, _, parent, verdict, author_url = astuple(post)
        written = post.time.timestamp() if by_time and post.time else None
        time = post.time and post.time.isoformat()
        row = (thread, written, line, id, text, author, time, parent, verdict, author_url)
        self._database.execute("INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def threads(
        self, note_unknown: str | None = None, *, named_by_id: bool = False, mark: str | None = None
    ) -> Iterator[Thread]:
        """The threads with posts, those without a description last, with the note ``note_unknown``.

        ``named_by_id`` gives a thread without title and address its id as title. ``mark`` begins the fragment that
        leads to a comment on its page.
        """
        self._adopt()
        self._database.execute(_INDEX)
        for query in (_KNOWN, _UNKNOWN):
            for id, line, title, url, text, described in self._database.execute(query):
                more = (note_unknown,) if note_unknown and not described else ()
                name = title or (id if named_by_id and id and not url else None)
                for posts in self._posts(id):
                    comments, notes = comments_of(posts, url if mark else None, mark or "")
                    yield Thread(f"{self._path}:{line}", name, url, text, comments, (*notes, *more))

    def _posts(self, thread: str) -> Iterator[list[Post]]:
        rows = self._database.execute(_POSTS, (thread,))
        while some := rows.fetchmany(_LOOSE_POSTS) if thread == "" else rows.fetchall():
            yield [
                Post(line, id, text, author, time and datetime.fromisoformat(time), *rest)
                for line, id, text, author, time, *rest in some
            ]

    def _adopt(self) -> None:
        """Give each post of no thread that of the post or the thread that it answers, through all levels."""
        loose = "SELECT EXISTS (SELECT 1 FROM posts WHERE thread = '') AND EXISTS (SELECT 1 FROM threads)"
        if not self._database.execute(loose).fetchone()[0]:
            return
        self._database.executescript(_ADOPT)


@contextmanager
def gathering(path: Path) -> Iterator[Gathering]:
    """A ``Gathering`` for the posts of ``path``; raises ReadError if its disk is full."""
    try:
        with closing(sqlite3.connect("", check_same_thread=False)) as database:
            yield Gathering(database, path)
    except sqlite3.Error as error:
        raise ReadError(
            f"its temporary index failed ({error}); free disk space, or set SQLITE_TMPDIR to another disk",
            path,
        ) from error
