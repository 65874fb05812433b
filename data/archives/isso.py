"""Reads the SQLite file of isso, which keeps comments as Markdown."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from belowline.data.archives.columns import COLUMN_OPTION
from belowline.data.archives.posts import Post, comments_of, no_comments
from belowline.data.archives.side_fields import SideFields
from belowline.data.comment import PriorStatus, ReadError, Report, Thread, whole

MAGIC = b"SQLite format 3\0"
_LONGEST_VALUE = 2**26
_STEPS, _MOST_CALLS = 100_000, 100_000
_MODES: dict[object, PriorStatus] = {1: "publish", 2: "hold", 4: "reject"}
_NEEDED = {"threads": {"id", "uri"}, "comments": {"tid", "id", "text"}}
_ALLOWED = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_FUNCTION)


def read_isso(path: Path, report: Report, side: SideFields) -> Iterator[Thread]:
    """The threads of isso's database with comments, in the order of their ids; raises ReadError.

    The file is opened read-only and never changed. The prior status is isso's mode: accepted, pending, deleted. A
    damaged file gives the threads before the damage, and the damage is reported.
    """
    if any(_size(f"{path}{end}") for end in ("-wal", "-journal")):
        side.remark("isso was writing to the file when it was copied; copy it again while isso is stopped")
    empty = True
    try:
        address = f"file:{quote(bytes(path.absolute()))}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True, check_same_thread=False)) as database:
            _guard(path, database)
            for thread in _threads(path, database, side):
                empty = False
                yield thread
    except sqlite3.Error as error:
        report(ReadError(f"a damaged SQLite file ({error}); copy it again while isso is stopped", path))
    else:
        if empty:
            yield no_comments(path)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def _guard(path: Path, database: sqlite3.Connection) -> None:
    """Bound what a hostile file can cost. Raises ReadError for other databases than isso's."""
    database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    database.execute("PRAGMA trusted_schema = OFF")
    database.execute("PRAGMA cell_size_check = ON")
    database.text_factory = lambda content: content.decode("utf-8", "replace")
    calls = iter(range(_MOST_CALLS))
    database.set_progress_handler(lambda: next(calls, None) is None, _STEPS)
    database.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
    )
    # A view or a virtual table could compute without end.
    real = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
    names = {name for (name,) in database.execute(real)}
    found = {
        table: {row[1] for row in database.execute(f"PRAGMA table_info({table})")}
        for table in _NEEDED
        if table in names
    }
    for table, needed in _NEEDED.items():
        if not needed <= found.get(table, set()):
            raise ReadError(
                "an SQLite database that is not isso's; export the table of comments as CSV and name the column of "
                f"the text: {COLUMN_OPTION}",
                path,
            )


def _threads(path: Path, database: sqlite3.Connection, side: SideFields) -> Iterator[Thread]:
    database.row_factory = lambda cursor, row: dict(
        zip((column[0] for column in cursor.description), row, strict=True)
    )
    # One pass: isso has no index that finds the comments of a thread.
    rows = database.execute("SELECT * FROM comments ORDER BY tid, id")
    for tid, group in groupby(rows, key=lambda row: row["tid"]):
        comments, notes = comments_of([_post(row, side) for row in group])
        thread = database.execute("SELECT * FROM threads WHERE id = ?", (tid,)).fetchone() or {}
        yield Thread(
            f"{path}:{tid}", _text(thread.get("title")), _text(thread.get("uri")), "", comments, notes
        )


def _post(row: Mapping[str, object], side: SideFields) -> Post:
    id, parent = row["id"], row.get("parent")
    return Post(
        line=id if isinstance(id, int) else 0,
        id=str(id),
        text=_text(row["text"]) or "",
        author=_text(row.get("author")),
        time=side.time(row.get("created")),
        parent=None if parent is None else str(parent),
        verdict=_MODES.get(row.get("mode")),
        author_url=_text(row.get("website")),
    )


def _text(value: object) -> str | None:
    return whole(value) if isinstance(value, str) and value.strip() else None
