import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from belowline.serve.results import Result
from belowline.serve.store import MIGRATIONS, Store, StoreError, metadata


def result(comment_id: str = "c", **changes: Any) -> Result:
    reason = {"code": "spam", "rule": "spam >= 0.5", "label": "spam"}
    fields = {"id": comment_id, "scores": {"spam": 0.9}, "action": "hold", "reason": reason}
    return Result.model_validate({**fields, "evidence": [], "language": "en", "model": "1", **changes})


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'queue 100%.sqlite3'}"


@pytest.fixture
def store(url: str):
    store = Store.open(url)
    yield store
    store.close()


def test_what_is_kept_comes_back_whole(store: Store) -> None:
    evidence = [{"label": "spam", "start": 1, "end": 2, "strength": 0.5}]
    held = result(scores={"spam": 0.1234, "hate": 0.0}, evidence=evidence, language="he", relevance=0.25)
    store.enqueue("s", [("שלום 😀 it's", held)], "p1")
    [item], following = store.queue(10)
    assert Result.model_validate(item.model_dump(include=set(Result.model_fields))) == held
    assert (item.site, item.text, item.policy, following) == ("s", "שלום 😀 it's", "p1", None)


def test_the_newer_self_of_a_comment_takes_its_place(store: Store) -> None:
    store.enqueue("s", [("old", result("a")), ("other", result("b"))], "p1")
    [_, before], _ = store.queue(10)
    store.enqueue("s", [("new", result("a", action="reject", relevance=0.5))], "p2")
    [_, after], _ = store.queue(10)
    assert (before.relevance, after.relevance) == (None, 0.5)
    assert (after.text, after.action, after.policy, after.created) == ("new", "reject", "p2", before.created)


def test_nul_is_replaced_so_that_every_database_can_keep_it(store: Store) -> None:
    store.enqueue("s", [("a\x00b", result())], "p")
    assert store.queue(1)[0][0].text == "a\ufffdb"


def test_a_store_is_opened_again_with_what_it_holds(store: Store, url: str) -> None:
    store.enqueue("s", [("text", result())], "p")
    store.close()
    again = Store.open(url)
    assert len(again.queue(10)[0]) == 1
    again.close()


def test_the_migrations_make_what_the_code_expects(store: Store, url: str) -> None:
    with create_engine(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert list((MIGRATIONS / "versions").glob("*.py"))


def test_what_an_older_release_held_is_still_there(store: Store, url: str) -> None:
    store.enqueue("s", [("old", result("a"))], "p")
    store.close()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with create_engine(url).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert "relevance" not in {
            column["name"] for column in inspect(connection).get_columns("held_comments")
        }
    again = Store.open(url)
    assert [(item.text, item.relevance) for item in again.queue(10)[0]] == [("old", None)]
    again.close()


def test_erased_text_leaves_the_file(store: Store, url: str, tmp_path: Path) -> None:
    store.enqueue("s", [("erase-this-text", result())], "p")
    assert store.erase("s", "c")
    assert not store.erase("s", "c")
    for file in tmp_path.iterdir():
        assert b"erase-this-text" not in file.read_bytes(), file


def test_ids_are_not_used_again_after_an_erasure(store: Store) -> None:
    store.enqueue("s", [("1", result("a")), ("2", result("b")), ("3", result("c"))], "p")
    _, after = store.queue(2)
    store.erase("s", "c")
    store.enqueue("s", [("4", result("d"))], "p")
    assert [item.id for item in store.queue(10, after)[0]] == ["a"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "Could not parse"),
        ("oracle+none://x", "plugin"),
        ("sqlite:////no/such/folder/q.sqlite3", "unable to open database file"),
    ],
)
def test_a_database_out_of_reach_is_one_line(url: str, words: str) -> None:
    with pytest.raises(StoreError, match="the database cannot be opened: ") as caught:
        Store.open(url)
    assert words in str(caught.value)
    assert "BELOWLINE_DATABASE_URL" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "q").write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Store.open(f"sqlite:///{tmp_path / 'q'}")


def test_a_database_of_a_newer_release_is_refused(store: Store, url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "queue 100%.sqlite3") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="9999"):
        Store.open(url)


def test_a_failing_write_keeps_nothing_and_quotes_nothing(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "queue 100%.sqlite3") as connection:
        connection.execute("DROP TABLE held_comments")
    with pytest.raises(StoreError, match="did not keep the comments") as caught:
        store.enqueue("s", [("a secret", result())], "p")
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreError, match="cannot be reached"):
        store.ping()
