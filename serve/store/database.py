"""A database, SQLite or PostgreSQL: migrations and transactions."""

import functools
import hashlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Table,
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

from belowline.model.errors import BelowlineError
from belowline.serve.store.new_database import make_tables
from belowline.serve.store.tables import SYSTEM, comments, idempotency

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
logger = logging.getLogger(__name__)
_WRITING = "writing"
_BASELINE = "0003"  # the schema of 0.4.0
_UPGRADE_LOCK = 0x62656C6F  # any number, the same in every process
_BUSY = 10  # seconds to wait for SQLite's one writer
_TRIAL = 64 * 1024  # characters of a trial write: more than most comments need
_ADVICE = {
    "full": "free space on its disk; the service then recovers by itself",
    "No space left": "free space on its disk; the service then recovers by itself",
    "readonly": "make its file, folder and disk writable; the service then recovers by itself",
    "read-only": "make its disk and its transactions writable; the service then recovers by itself",
    "disk I/O error": "check whether its disk is full, read-only or damaged",
    "unable to open": "check BELOWLINE_DATABASE_URL, and that its folder is writable",
}
"""Advice by a part of the driver's message."""
_moment: ContextVar[datetime | None] = ContextVar("moment", default=None)


class StoreError(BelowlineError):
    """The database cannot be reached or used; the message is one line without comment text."""


class Database:
    """Transactions on one database. Every method blocks and may raise StoreError."""

    def __init__(self, engine: Engine, writing: Engine) -> None:
        self._engine = engine
        self._writing = writing
        self._failed = False

    @classmethod
    def open(cls, url: str) -> "Database":
        """Connect and migrate the schema to the newest version; raises StoreError."""
        with _one_line("cannot be opened"):
            engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
            writing = engine
            if engine.dialect.name == "sqlite":
                writing = create_engine(url, hide_parameters=True)
                for target, begin in ((engine, "BEGIN"), (writing, "BEGIN IMMEDIATE")):
                    event.listen(target, "connect", _set_up_sqlite)
                    event.listen(target, "begin", functools.partial(_begin, begin))
            else:
                event.listen(writing, "connect", _set_up_postgres)
                # At the default level each statement of a reader would see another state.
                engine = writing.execution_options(isolation_level="REPEATABLE READ")
            _migrate(writing)
        return cls(engine, writing)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only transaction that sees one state of the database."""
        with _one_line("cannot be read"), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is committed when the block ends, or rolled back if it raises.

        SQLite has one writer; others wait up to ten seconds for it.
        """
        try:
            with _one_line("did not commit the change"), self._writing.begin() as connection:
                one_at_a_time(connection, _WRITING, shared=True)
                yield connection
        except StoreError:
            self._failed = True
            raise

    @contextmanager
    def settled(self) -> Iterator[Connection]:
        """A read transaction that begins when no write is open, so that no row with a lower id appears after it."""
        # PostgreSQL assigns ids at insert but rows become visible at commit, so paging by id could skip rows.
        with _one_line("cannot be read"), self._writing.begin() as connection:
            one_at_a_time(connection, _WRITING)
            yield connection

    @property
    def writers(self) -> int:
        """The number of writes that are worth running at once; waiting writers slow SQLite down."""
        return 1 if self._writing.dialect.name == "sqlite" else 8

    def forget(self) -> None:
        """Truncate SQLite's write-ahead log, which still holds erased text; waits up to two seconds for readers."""
        if self._writing.dialect.name != "sqlite":
            return
        with _one_line("did not truncate its log"), self._writing.connect() as connection:
            for _ in range(20):
                cursor = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
                if not cursor.fetchone()[0]:
                    return
                time.sleep(0.1)
        logger.warning("readers block the truncation of the database's log; until then it holds erased text")

    def ping(self) -> None:
        """Raise StoreError unless comments can be read."""
        with _one_line("cannot be reached"), self._engine.connect() as connection:
            connection.execute(select(comments.c.id).limit(1))

    def keeps(self) -> bool:
        """Return whether writes succeed; after a failed one this is tested by a write that leaves nothing behind."""
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()
        self._writing.dispose()


def now() -> datetime:
    """Return the current time in UTC, or the one of ``at``."""
    return _moment.get() or datetime.now(UTC)


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Make ``now`` return ``moment`` within the block, for this thread only; only the demo writes its own past so."""
    before = _moment.set(moment)
    try:
        yield
    finally:
        _moment.reset(before)


def digest(secret: str) -> str:
    """Return the SHA-256 of a text in hexadecimal; keys, sessions and requests are stored so."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def within(query: Select[Any], site: ColumnElement[str], sites: Sequence[str]) -> Select[Any]:
    """Limit ``query`` to rows of ``sites``; none means all."""
    return query.where(site.in_(sites)) if sites else query


def upsert(
    tx: Connection,
    table: Table,
    values: Mapping[str, Any],
    unique: Sequence[str],
    *,
    add: Mapping[str, float] | None = None,
) -> Row[Any]:
    """Insert a row, or update the row with the same ``unique`` columns; returns its primary key.

    The columns in ``add`` are increased by these numbers, from 0 where the row is new.
    """
    dialect = postgresql if tx.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values({**values, **(add or {})})
    # A row without other columns is updated too, because only inserted or updated rows are returned.
    names = [name for name in values if name not in unique] or ([] if add else unique)
    changes = {name: statement.excluded[name] for name in names}
    changes |= {name: table.c[name] + number for name, number in (add or {}).items()}
    changed = statement.on_conflict_do_update(index_elements=unique, set_=changes)
    return tx.execute(changed.returning(*table.primary_key.columns)).one()


def one_at_a_time(connection: Connection, what: str, *, shared: bool = False) -> None:
    """Wait until no other transaction holds the lock ``what``; ``shared`` locks wait for exclusive ones only."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
        number = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        connection.execute(select(take(number)))


@contextmanager
def _one_line(what: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, CommandError, ImportError, OSError) as error:
        # SQLAlchemy's message would add the statement, and PostgreSQL's detail the row.
        cause = getattr(error, "orig", None) or error
        why = " ".join(str(cause).split("DETAIL:")[0].split())
        fitting = (advice for part, advice in _ADVICE.items() if part in why)
        advice = next(fitting, "check BELOWLINE_DATABASE_URL")
        raise StoreError(f"the database {what}: {why}; {advice}") from None


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin in _begin
    connection.execute(f"PRAGMA busy_timeout={_BUSY * 1000}")
    _write_ahead(connection)  # readers continue during a write
    connection.execute("PRAGMA synchronous=FULL")  # a committed comment survives a power cut
    connection.execute("PRAGMA secure_delete=ON")  # erased text is overwritten
    connection.execute("PRAGMA foreign_keys=ON")
    # SQLite's own function lowers ASCII letters only.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _write_ahead(connection: Any) -> None:
    # SQLite does not wait here: of two processes that change the mode of a new file at once, one fails.
    until = time.monotonic() + _BUSY
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.05)


def _set_up_postgres(connection: Any, _record: object) -> None:
    from psycopg.types.string import StrDumperUnknown  # the package is optional

    class WithoutNul(StrDumperUnknown):
        """Replace NUL, which PostgreSQL cannot store, by the replacement character."""

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
        if engine.dialect.name == "postgresql":  # several workers may start at once
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        config.attributes["connection"] = connection
        current = MigrationContext.configure(connection).get_current_revision()
        if current is None or current < _BASELINE:
            make_tables(connection)
            command.stamp(config, "head", purge=True)
        else:
            command.upgrade(config, "head")
            after = MigrationContext.configure(connection).get_current_revision()
            if after != current:
                logger.info("the database was upgraded from revision %s to %s", current, after)
