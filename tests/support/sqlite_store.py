"""SQLite stores that are copied instead of migrated."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from belowline.serve.store.database import Database


@cache
def _empty_store() -> bytes:
    """An SQLite file with the present schema and no rows."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "empty.sqlite3"
        Database.open(f"sqlite:///{file}").close()
        return file.read_bytes()


def sqlite_url(file: Path) -> str:
    """The address of an SQLite file; one that is not there is made, with the present schema and no rows.

    It is a copy. Migrations from nothing take most of a second, and tests of the store prove them.
    """
    if not file.exists():
        file.write_bytes(_empty_store())
    return f"sqlite:///{file}"
