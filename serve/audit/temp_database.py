"""A database that an audit needs while it runs, so that memory does not grow with the archive."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_database(file: Path, schema: str) -> Iterator[sqlite3.Connection]:
    """A new one in ``file``, which is gone once the block ends. Nothing is kept for a machine that stops: it is made again."""
    file.unlink(missing_ok=True)
    database = sqlite3.connect(file)
    try:
        database.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + schema)
        yield database
    finally:
        database.close()
        file.unlink(missing_ok=True)
