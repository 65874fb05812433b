"""Shared fixtures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from belowline.model import Scorer
from belowline.serve.store.database import Database
from tests.support.browser import chromium
from tests.support.selection import Selection
from tests.support.sqlite_store import sqlite_url
from tests.support.store_fakes import Desk, PostgresServer, postgres_server
from tests.support.tiny_model import build_tiny_model

# No deadline: the time of an example depends on the load of the machine, not on the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory of random weights."""
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="session")
def tiny_scorer(tiny_model_dir: Path) -> Scorer:
    """The random model, loaded."""
    return Scorer.load(tiny_model_dir, threads=2)


@pytest.fixture(scope="session")
def archives() -> Path:
    """The real saved pages, where they are available."""
    return shared("archives")


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The labelled corpora, where they are available."""
    return shared("corpora")


def shared(name: str) -> Path:
    """Return a folder beside the checkout that a public clone does not have; skip the test without it."""
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name}, which is not part of the project")
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium, for one module: its event loop must not run beside those of other tests."""
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL for this run alone, or the one in BELOWLINE_TEST_POSTGRES."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the current schema, to be copied."""
    file = tmp_path_factory.mktemp("empty") / "empty.sqlite3"
    sqlite_url(file)
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without any table, on each kind of database in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'bare.sqlite3'}"
        return
    with request.getfixturevalue("postgres").fresh(bare=True) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with the current schema and no rows, on each kind of database in turn."""
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "queue 100%.sqlite3")
        return
    with request.getfixturevalue("postgres").fresh() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty store, on each kind of database in turn."""
    opened = Database.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def desk(database: Database) -> Desk:
    """A newsroom's store on an empty database."""
    return Desk(database)


def pytest_configure(config: pytest.Config) -> None:
    """Add markers by folder and database, and the report of left-out tests."""
    config.pluginmanager.register(Selection(ROOT / "tests"))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Return an id without bytes.

    Bytes of an archive contain the time of its creation, and all workers must collect the same tests.
    """
    return "bytes" if isinstance(val, bytes) else None
