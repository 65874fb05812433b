"""The queue's store: comments that wait for a moderator, in SQLite or PostgreSQL."""

from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    Engine,
    Float,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    delete,
    event,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from belowline.serve.messages import QueueItem
from belowline.serve.results import Result

MIGRATIONS = Path(__file__).parent / "migrations"
metadata = MetaData()
held_comments = Table(
    "held_comments",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("site", String(100), nullable=False),
    Column("comment_id", String(200), nullable=False),
    Column("text", Text, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("relevance", Float),
    Column("action", String(20), nullable=False),
    Column("reason", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("language", String(10), nullable=False),
    Column("model", String(100), nullable=False),
    Column("policy", String(100), nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    UniqueConstraint("site", "comment_id", name="uq_held_comments_site_comment_id"),
    sqlite_autoincrement=True,  # a cursor must not meet the id of an erased comment again
)
_KEY = ("site", "comment_id")
_REPLACED = ("text", "scores", "relevance", "action", "reason", "evidence", "language", "model", "policy")


class StoreError(Exception):
    """The database cannot be reached or used; the message is one line and holds no comment."""


class Store:
    """Held comments, at most one for each site and comment id. Methods block and may raise StoreError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> "Store":
        """Connects and brings the schema up to date; raises StoreError."""
        with _one_line("cannot be opened"):
            engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
            if engine.dialect.name == "sqlite":
                event.listen(engine, "connect", _set_up_sqlite)
            _migrate(engine)
        return cls(engine)

    def enqueue(self, site: str, held: Iterable[tuple[str, Result]], policy: str) -> None:
        """Keeps pairs of a text and its result, all or none.

        A comment that is held again replaces its older self and keeps its place.
        """
        rows = [_row(site, comment, result, policy) for comment, result in held]
        if not rows:
            return
        with _one_line("did not keep the comments"), self._engine.begin() as connection:
            insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
            statement = insert(held_comments)
            replaced = {name: statement.excluded[name] for name in _REPLACED}
            connection.execute(statement.on_conflict_do_update(index_elements=_KEY, set_=replaced), rows)

    def queue(self, limit: int, after: int | None = None) -> tuple[list[QueueItem], int | None]:
        """Up to ``limit`` comments older than the cursor ``after``, newest first, and the next cursor."""
        query = select(held_comments).order_by(held_comments.c.id.desc()).limit(limit + 1)
        if after is not None:
            query = query.where(held_comments.c.id < after)
        with _one_line("cannot be read"), self._engine.connect() as connection:
            rows: Sequence[Row[Any]] = connection.execute(query).all()
        page = rows[:limit]
        return [_item(row) for row in page], page[-1].id if len(rows) > limit else None

    def erase(self, site: str, comment_id: str) -> bool:
        """Erases one comment; whether there was one."""
        ours = (held_comments.c.site == site) & (held_comments.c.comment_id == comment_id)
        with _one_line("did not erase the comment"):
            with self._engine.begin() as connection:
                erased = connection.execute(delete(held_comments).where(ours)).rowcount > 0
            if erased and self._engine.dialect.name == "sqlite":
                with self._engine.connect() as connection:  # the log before the file holds the text too
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return erased

    def ping(self) -> None:
        """Raises StoreError unless the table can be read."""
        with _one_line("cannot be reached"), self._engine.connect() as connection:
            connection.execute(select(held_comments.c.id).limit(1))

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()


@contextmanager
def _one_line(what: str) -> Any:
    try:
        yield
    except (SQLAlchemyError, CommandError, ImportError, OSError) as error:
        # The driver's own message names the fault and holds no row; SQLAlchemy's would add the statement.
        cause = getattr(error, "orig", None) or error
        why = " ".join(str(cause).split())
        raise StoreError(f"the database {what}: {why}; check BELOWLINE_DATABASE_URL") from None


def _set_up_sqlite(connection: Any, _record: object) -> None:
    # WAL lets readers go on while one writes; secure_delete overwrites what is erased.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _migrate(engine: Engine) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        connection.execute(text("SELECT 1"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _row(site: str, comment: str, result: Result, policy: str) -> dict[str, Any]:
    fields = result.model_dump()
    fields["comment_id"] = fields.pop("id")
    # PostgreSQL has no NUL in texts; a stand-in of the same length keeps the offsets of the evidence.
    return {
        **fields,
        "site": site,
        "text": comment.replace("\x00", "\ufffd"),
        "policy": policy,
        "created": datetime.now(UTC),
    }


def _item(row: Row[Any]) -> QueueItem:
    fields = dict(row._mapping)
    created = fields.pop("created")
    fields["id"] = fields.pop("comment_id")
    fields["created"] = (created if created.tzinfo else created.replace(tzinfo=UTC)).isoformat(
        timespec="seconds"
    )
    return QueueItem(**fields)
