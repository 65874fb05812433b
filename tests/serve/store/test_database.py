"""Opening and migrating a database, and messages for an unusable one."""

import sqlite3
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, insert, inspect, text

from belowline.serve.queue import comments
from belowline.serve.queue.recognition import bare, hash_of
from belowline.serve.store.database import Database, StoreError, _write_ahead, digest
from belowline.serve.store.tables import metadata
from tests.support.older_store import back_to, held, make_0_3, upgrade
from tests.support.store_fakes import BEN, Desk

FILE = "queue 100%.sqlite3"


@pytest.mark.parametrize("older", [None, "0003", "0005"])
def test_the_migrations_make_what_the_code_expects(empty_url: str, older: str | None) -> None:
    Database.open(empty_url).close()
    if older:
        back_to(empty_url, older)
        Database.open(empty_url).close()
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
        for name, table in metadata.tables.items():
            indexes = {one["name"] for one in inspect(connection).get_indexes(name)}
            assert {str(index.name) for index in table.indexes} <= indexes
    engine.dispose()


def test_what_an_older_release_held_waits_after_the_upgrade(empty_url: str) -> None:
    unscored = {"code": "scoring_failed", "rule": "scoring failed", "label": None}
    rows = [
        held("a", relevance=0.25),
        held("b", scores={}, reason=unscored, evidence=[], relevance=None, action="hold"),
        held("a", site="other", relevance=None),
    ]
    make_0_3(empty_url, rows)
    database = Database.open(empty_url)
    desk = Desk(database)
    ids = [row.id for row in desk.rows("comments")]
    first, second, third = desk.see(comments.load, ids)
    assert (first.text, first.caller_id, first.action, first.revision) == ("שלום 😀 it's", "a", "hold", 1)
    assert (first.probabilities, first.relevance) == ({"spam": 0.625, "hate": 0.25}, 0.25)
    assert first.received == first.item.created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (first.item.kind, first.item.label, first.item.priority) == ("held", "spam", 0.625)
    assert (first.decision.actor, first.decision.policy) == ("system", "p1")
    assert (first.decision.rule, first.decision.spans) == ("spam >= 0.5", [[1, 2]])
    assert (second.item.label, second.item.priority, second.probabilities) == (None, 0.5, {})
    assert third.site == "other"
    assert desk.claim("ben", 9, "oldest") == ids
    assert desk.rule(ids[0], "reject", BEN).before == "hold"
    assert not desk.take("שלום 😀 it's", "b", scored=False).changed
    assert desk.take("spam", "c").comment > ids[-1]
    with database.read() as tx:
        assert "held_comments" not in inspect(tx).get_table_names()
    database.close()


def test_held_text_does_not_stay_in_the_file_of_the_older_table(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / FILE}"
    make_0_3(url, [held("a", text="erase-this-text", relevance=None)])
    database = Database.open(url)
    with database.write() as tx:
        for table in ("revisions", "comments"):
            tx.execute(text(f"UPDATE {table} SET text = NULL"))
    database.forget()
    for file in tmp_path.iterdir():
        assert b"erase-this-text" not in file.read_bytes(), file
    database.close()


def test_a_store_is_opened_again_with_what_it_holds(database_url: str) -> None:
    for number in range(2):
        database = Database.open(database_url)
        Desk(database).take("spam", f"c{number}")
        assert len(Desk(database).rows("items")) == number + 1
        database.ping()
        database.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "Could not parse"),
        ("oracle+none://x", "plugin"),
        ("sqlite:////no/such/folder/q.sqlite3", "unable to open database file"),
        ("postgresql+psycopg://nobody:secret@/x?host=/no/such/folder", "connection"),
    ],
)
def test_a_database_out_of_reach_is_one_line(url: str, words: str) -> None:
    with pytest.raises(StoreError, match="the database cannot be opened: ") as caught:
        Database.open(url)
    assert words in str(caught.value)
    assert "BELOWLINE_DATABASE_URL" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Database.open(f"sqlite:///{tmp_path / 'q'}")


@pytest.mark.parametrize(("code", "tries"), [(sqlite3.SQLITE_BUSY, 3), (sqlite3.SQLITE_READONLY, 1)])
def test_a_new_file_that_another_process_sets_up_is_waited_for(code: int, tries: int) -> None:
    # SQLite reports this at once when two connections change the mode of a new file, in one run of about 50.
    error = sqlite3.OperationalError()
    error.sqlite_errorcode = code
    connection = Mock(execute=Mock(side_effect=[error, error, None]))
    with nullcontext() if tries == 3 else pytest.raises(sqlite3.OperationalError):
        _write_ahead(connection)
    assert connection.execute.call_count == tries


def test_a_database_of_a_newer_release_is_refused(database: Database, database_url: str) -> None:
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="9999"):
        Database.open(database_url)


def test_a_failing_write_keeps_nothing_and_quotes_nothing(database: Database) -> None:
    desk = Desk(database)
    with database.write() as tx:
        tx.execute(text("ALTER TABLE decisions RENAME TO lost"))
    with pytest.raises(StoreError, match="did not commit") as caught:
        desk.take("a secret spam")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert desk.rows("comments") == []
    with database.write() as tx:
        tx.execute(text("ALTER TABLE comments RENAME TO gone"))
    with pytest.raises(StoreError, match="cannot be reached"):
        database.ping()


def test_a_row_that_clashes_is_not_quoted(database: Database) -> None:
    desk = Desk(database)
    desk.take("spam", "a")
    clash = {"comment_id": desk.row("comments").id, "number": 1, "text": "a secret"}

    def add(tx: Any) -> None:
        tx.execute(insert(metadata.tables["revisions"]).values(**clash, at=datetime.now(UTC)))

    with pytest.raises(StoreError) as caught:
        desk.do(add)
    assert "secret" not in str(caught.value)
    assert "(1, 1)" not in str(caught.value)


def test_what_a_block_did_before_it_raised_is_not_kept(database: Database) -> None:
    desk = Desk(database)
    [only] = desk.hold()

    def fail(tx: Any) -> None:
        tx.execute(text("UPDATE comments SET action = 'publish'"))
        raise KeyError

    with pytest.raises(KeyError):
        desk.do(fail)
    assert desk.stands(only) == "hold"


def test_ids_are_not_used_again(tmp_path: Path, empty_sqlite: Path) -> None:
    (tmp_path / FILE).write_bytes(empty_sqlite.read_bytes())
    with sqlite3.connect(tmp_path / FILE) as connection:
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'table'"
        made = dict(connection.execute(sql).fetchall())
    for table in ("comments", "items", "decisions", "deliveries", "policies", "audit_log"):
        assert "AUTOINCREMENT" in made[table]


def test_a_digest_is_of_any_text() -> None:
    assert len(digest("\ud800")) == len(digest("")) == 64


def test_what_akismets_clients_sent_before_is_recognised_after_the_upgrade(empty_url: str) -> None:
    """Version 0.7.0 stored neither a hash of a text nor the protocol of a key."""
    Database.open(empty_url).close()
    back_to(empty_url, "0005")
    engine = create_engine(empty_url)
    known = {"site": "s", "language": "en", "revision": 1, "action": "hold", "received": datetime.now(UTC)}
    texts = {"akismet-" + "a" * 32: "a <b>text</b>", "akismet-" + "b" * 32: None, "c1": "a text"}
    with engine.begin() as connection:
        old = MetaData()
        old.reflect(connection, only=["comments"])
        for name, said in texts.items():
            connection.execute(insert(old.tables["comments"]).values(caller_id=name, text=said, **known))
        upgrade(connection, "0006")
        rows = {row.caller_id: row for row in connection.execute(metadata.tables["comments"].select())}
        assert rows["akismet-" + "a" * 32].text_hash == hash_of(connection, bare("a text"))
        assert rows["c1"].text_hash is None
        assert set(rows) == {"akismet-" + "a" * 32, "akismet-erased-2", "c1"}
    engine.dispose()
    Database.open(empty_url).close()
