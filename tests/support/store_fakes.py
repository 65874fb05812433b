"""Fixtures for tests of the store: a private PostgreSQL, and a desk that ingests and decides comments."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Row, create_engine, make_url, select, text

from belowline.model import Policy, ScoreInput
from belowline.serve.queue import moderator_decisions, queue_items
from belowline.serve.queue.intake import Author, IncomingComment, IngestResult, Thread, ingest
from belowline.serve.queue.moderator_decisions import ModeratorDecision
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import metadata
from tests.support.postgres_process import QUICK, postgres_process
from tests.support.serve_fakes import fake_scorer

ANN, BEN, CLEO = Actor("ann"), Actor("ben"), Actor("cleo")
SECOND = "second_review = 1.0\n"
SAMPLE = "sample = 1.0\n"
REJECTING = "automatic_rejection = true\n[thresholds.threat]\nhold = 0.5\nreject = 0.8\n"


class Desk:
    """A store with a scorer: comments that name "spam" or another label are held, others are published."""

    def __init__(self, database: Database, policy: str = "") -> None:
        self.database = database
        self._scorer = fake_scorer()
        self.pipeline = ModerationPipeline(
            self._scorer, Policy.parse(policy, "test", self._scorer.thresholds)
        )
        self._taken = 0

    def incoming(
        self, said: str, name: str | None = None, *, scored: bool = True, **more: Any
    ) -> IncomingComment:
        self._taken += 1
        author = more.pop("author", None)
        return IncomingComment(
            caller_id=name or f"c{self._taken}",
            text=said,
            scores=self._scorer.score([ScoreInput(text=said)])[0] if scored else None,
            author=Author(author) if isinstance(author, str) else author,
            **more,
        )

    def take(
        self,
        said: str,
        name: str | None = None,
        *,
        site: str = "s",
        thread: str | Thread | None = None,
        held_only: bool = False,
        **more: Any,
    ) -> IngestResult:
        under = Thread(thread) if isinstance(thread, str) else thread
        with self.database.write() as tx:
            [kept] = ingest(
                tx, self.pipeline, site, under, [self.incoming(said, name, **more)], held_only=held_only
            )
        return kept

    def hold(self, number: int = 1, **more: Any) -> list[int]:
        """Ingest comments that are held; return their ids."""
        return [self.take("spam", **more).comment for _ in range(number)]

    def rule(self, comment: int, action: Any = "reject", who: Actor = ANN, **more: Any) -> Row[Any]:
        with self.database.write() as tx:
            return moderator_decisions.record_decision(
                tx, who, comment, ModeratorDecision(action=action, **more), self.pipeline.policy
            )

    def rule_all(
        self, action: Any = "reject", who: Actor = ANN, **more: Any
    ) -> moderator_decisions.BulkResult:
        with self.database.write() as tx:
            return moderator_decisions.record_for_all(
                tx, who, ModeratorDecision(action=action, via="bulk"), self.pipeline.policy, **more
            )

    def undo(self, decision: int, who: Actor = ANN, *, any_actor: bool = False) -> Row[Any]:
        with self.database.write() as tx:
            who = replace(who, role="admin") if any_actor else who
            return moderator_decisions.undo(tx, who, decision, self.pipeline.policy)

    def claim(
        self, who: str = "ann", limit: int = 1, order: queue_items.Order = "priority", **chosen: Any
    ) -> list[int]:
        """Claim items for ``who``; return the ids of their comments."""
        with self.database.write() as tx:
            got = queue_items.claim(tx, who, queue_items.Filter(**chosen), order, limit)
            return [row.comment_id for row in got]

    def do(self, change: Any, *more: Any, **named: Any) -> Any:
        """Call ``change`` in a committed transaction; return its result."""
        with self.database.write() as tx:
            return change(tx, *more, **named)

    def see(self, question: Any, *more: Any, **named: Any) -> Any:
        with self.database.read() as tx:
            return question(tx, *more, **named)

    def rows(self, table: str, **where: Any) -> Sequence[Row[Any]]:
        wanted = metadata.tables[table]
        query = select(wanted).order_by(*wanted.primary_key.columns)
        with self.database.read() as tx:
            return tx.execute(query.where(*(wanted.c[name] == value for name, value in where.items()))).all()

    def row(self, table: str, **where: Any) -> Row[Any]:
        [found] = self.rows(table, **where)
        return found

    def waiting(self, comment: int) -> Row[Any] | None:
        """Return the open item of a comment."""
        found = self.rows("items", comment_id=comment, state="open")
        assert len(found) < 2
        return found[0] if found else None

    def stands(self, comment: int) -> str:
        return str(self.row("comments", id=comment).action)


def everything(tx: Connection) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    return {
        name: [dict(row._mapping) for row in tx.execute(select(table))]
        for name, table in metadata.tables.items()
    }


class PostgresServer:
    """A server on which each test gets its own database; ``admin`` is the address of its default database."""

    def __init__(self, admin: str) -> None:
        self._admin = make_url(admin)
        self._template: str | None = None
        self._engine = create_engine(self._admin, isolation_level="AUTOCOMMIT")

    @contextmanager
    def fresh(self, *, bare: bool = False) -> Iterator[str]:
        """Return the address of a new database, with the current schema unless ``bare``."""
        if not bare and self._template is None:
            self._template = self._create()
            Database.open(self._url(self._template)).close()
        name = self._create(None if bare else self._template)
        try:
            yield self._url(name)
        finally:
            self._drop(name)

    def close(self) -> None:
        if self._template is not None:
            self._drop(self._template)
        self._engine.dispose()

    def _url(self, name: str) -> str:
        return self._admin.set(database=name).render_as_string(hide_password=False)

    def _create(self, template: str | None = None) -> str:
        name = f"belowline_test_{secrets.token_hex(6)}"
        like = template or "template0"
        with self._engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {like} ENCODING 'UTF8'"))
            # Far from UTC, so that a time that depends on the server's zone is detected.
            connection.execute(text(f"ALTER DATABASE {name} SET timezone = 'Pacific/Auckland'"))
        return name

    def _drop(self, name: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Yield the server in BELOWLINE_TEST_POSTGRES, or a temporary one; skip without either."""
    given = os.environ.get("BELOWLINE_TEST_POSTGRES")
    if given:
        server = PostgresServer(given)
        yield server
        server.close()
        return
    with postgres_process(QUICK) as process:
        server = PostgresServer(process.address)
        yield server
        server.close()


def refused(kind: str, call: Any, *more: Any, **named: Any) -> str:
    """Check that ``call`` is refused with ``kind``; return the detail of the refusal."""
    with pytest.raises(Refusal) as caught:
        call(*more, **named)
    assert caught.value.kind == kind
    return caught.value.detail


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Run the calls at the same time and return their results; a Refusal is a result too."""
    together = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        together.wait()
        try:
            return call()
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(len(calls)) as pool:
        return [begun.result() for begun in [pool.submit(run, call) for call in calls]]


def lose_tables(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "queue.sqlite3")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in tables:
            if not name.startswith("sqlite_"):
                database.execute(f"ALTER TABLE {name} RENAME TO lost_{name}")
