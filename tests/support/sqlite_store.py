"""SQLite stores that are copied instead of migrated."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from belowline.serve.store.database import Database


@cache
def _empty_store() -> bytes:
    """An SQLite file with the current schema and no rows."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.sqlite3"
        Database.open(f"sqlite:///{file}").close()
        return file.read_bytes()


def sqlite_url(file: Path) -> str:
    """Return the address of an SQLite file; a missing file is created with the current schema and no rows.

    The new file is a copy. Migrating from nothing takes most of a second, and tests of the store cover it.
    """
    if not file.exists():
        file.write_bytes(_empty_store())
    return f"sqlite:///{file}"
