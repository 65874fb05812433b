"""A database, SQLite or PostgreSQL: opened, brought up to date, read and written in transactions."""

import functools
import hashlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    create_engine,
    delete,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from belowline.model import BelowlineError
from belowline.serve.store.tables import SYSTEM, comments, idempotency

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
logger = logging.getLogger(__name__)
_WRITING = "writing"
_UPGRADE_LOCK = 0x62656C6F  # any number, the same in every process
_TRIAL = 64 * 1024
"""Characters that are written to find out whether a store keeps anything: more than most comments need."""
_ADVICE = {
    "full": "make room on its disk; it goes on by itself",
    "No space left": "make room on its disk; it goes on by itself",
    "readonly": "make its file, folder and disk writable; it goes on by itself",
    "read-only": "make its disk and its transactions writable; it goes on by itself",
    "disk I/O error": "see whether its disk is full, read-only or damaged",
    "unable to open": "check BELOWLINE_DATABASE_URL, and that its folder can be written",
}
"""What to do, by what the driver's message says."""


class StoreError(BelowlineError):
    """The database cannot be reached or used; the message is one line and holds no comment."""


class Database:
    """Transactions on one database. Everything blocks and may raise StoreError."""

    def __init__(self, engine: Engine, writing: Engine) -> None:
        self._engine = engine
        self._writing = writing
        self._failed = False

    @classmethod
    def open(cls, url: str) -> "Database":
        """Connects and brings the schema up to date; raises StoreError."""
        with _one_line("cannot be opened"):
            engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
            writing = engine
            if engine.dialect.name == "sqlite":
                writing = create_engine(url, hide_parameters=True)
                for one, begin in ((engine, "BEGIN"), (writing, "BEGIN IMMEDIATE")):
                    event.listen(one, "connect", _set_up_sqlite)
                    event.listen(one, "begin", functools.partial(_begin, begin))
            else:  # otherwise each statement of a reader would see the state of its own moment
                event.listen(writing, "connect", _set_up_postgres)
                engine = writing.execution_options(isolation_level="REPEATABLE READ")
            _migrate(writing)
        return cls(engine, writing)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees one state of the database."""
        with _one_line("cannot be read"), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is kept as a whole once the block ends, or not at all if it raises.

        SQLite has one writer: the others wait up to ten seconds for it.
        """
        try:
            with _one_line("did not keep the change"), self._writing.begin() as connection:
                _lock(connection, _WRITING, shared=True)
                yield connection
        except StoreError:
            self._failed = True
            raise

    @contextmanager
    def settled(self) -> Iterator[Connection]:
        """A transaction that reads once all changes under way are kept or gone: no row with a lower id comes after it.

        PostgreSQL gives ids when rows are written and shows rows when they are kept; who reads on from the last id would miss some.
        """
        with _one_line("cannot be read"), self._writing.begin() as connection:
            _lock(connection, _WRITING, shared=False)
            yield connection

    @property
    def writers(self) -> int:
        """How many changes are worth making at once: SQLite has one writer, and those who wait for it hold it up."""
        return 1 if self._writing.dialect.name == "sqlite" else 8

    def forget(self) -> None:
        """Has SQLite drop its log, in which erased text would stay until it is overwritten; readers hold it up for two seconds at most."""
        if self._writing.dialect.name != "sqlite":
            return
        with _one_line("did not shorten its log"), self._writing.connect() as connection:
            for _ in range(20):
                busy, *_ = (
                    connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                )
                if not busy:
                    return
                time.sleep(0.1)
        logger.warning(
            "readers keep the database's log from being shortened; erased text stays in it until it is"
        )

    def ping(self) -> None:
        """Raises StoreError unless comments can be read."""
        with _one_line("cannot be reached"), self._engine.connect() as connection:
            connection.execute(select(comments.c.id).limit(1))

    def keeps(self) -> bool:
        """Whether changes are kept: after one was not, it is found out anew by one that leaves nothing behind."""
        if not self._failed:
            return True
        trial = {"actor": SYSTEM, "key": "trial", "request": "", "answer": "-" * _TRIAL, "at": now()}
        try:
            with self.write() as tx:
                tx.execute(insert(idempotency).values(**trial))
                tx.execute(delete(idempotency).where(idempotency.c.actor == SYSTEM))
        except StoreError:
            return False
        self._failed = False
        return True

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()
        self._writing.dispose()


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def digest(secret: str) -> str:
    """SHA-256, in hexadecimal: what is kept of a key, a session or a request."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def within(query: Select[Any], site: ColumnElement[str], sites: Sequence[str]) -> Select[Any]:
    """``query`` for rows of ``sites`` alone, of all where none are named."""
    return query.where(site.in_(sites)) if sites else query


def upsert(connection: Connection, table: Any, values: dict[str, Any], unique: tuple[str, ...]) -> Any:
    """The statement that inserts a row, or updates the one with the same ``unique`` columns; returns its primary key."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).values(values)
    # Where there is nothing to change the row is touched all the same, for it is to be returned.
    names = [name for name in values if name not in unique] or unique
    changed = {name: statement.excluded[name] for name in names}
    found = statement.on_conflict_do_update(index_elements=unique, set_=changed)
    return found.returning(*table.primary_key.columns)


def one_at_a_time(connection: Connection, what: str) -> None:
    """Waits until no other transaction that asked for the same ``what`` is open. SQLite has one writer anyway."""
    _lock(connection, what, shared=False)


def _lock(connection: Connection, what: str, *, shared: bool) -> None:
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(take(number)))


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, CommandError, ImportError, OSError) as error:
        # The driver's own message names the fault and holds no row; SQLAlchemy's would add the statement.
        cause = getattr(error, "orig", None) or error
        why = " ".join(str(cause).split("DETAIL:")[0].split())  # PostgreSQL's detail quotes the row
        advice = next((one for words, one in _ADVICE.items() if words in why), "check BELOWLINE_DATABASE_URL")
        raise StoreError(f"the database {what}: {why}; {advice}") from None


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where we say, see _begin
    # WAL lets readers go on while one writes; FULL keeps what was accepted through a power cut; secure_delete overwrites what is erased.
    for pragma in (
        "busy_timeout=10000",
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    # SQLite's own knows the letters of ASCII alone.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _set_up_postgres(connection: Any, _record: object) -> None:
    from psycopg.types.string import StrDumperUnknown  # only here, for SQLite does without the package

    class WithoutNul(StrDumperUnknown):
        """PostgreSQL keeps no NUL; names, titles, notes and what is searched for get the character for what cannot be shown."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\x00", "\ufffd"))

    connection.adapters.register_dumper(str, WithoutNul)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _begin(statement: str, connection: Connection) -> None:
    connection.exec_driver_sql(statement)


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # several workers start at once
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
