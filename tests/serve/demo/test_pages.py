"""Every page of the console has something to show on the demo's store."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from belowline.serve.demo import command
from belowline.serve.demo.command import run_demo
from belowline.serve.demo.week import read_week
from belowline.serve.server.app import create_app
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database
from belowline.serve.store.tables import (
    acts,
    api_keys,
    appeals,
    authors,
    comments,
    decisions,
    items,
    reviews,
    threads,
)

pytestmark = pytest.mark.slow
WEEK = read_week()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings that the command serves with, after it has filled a store with the released model."""
    served: list[Settings] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "run_server", lambda given, page: served.append(given))
        run_demo(tmp_path_factory.mktemp("demo") / "demo.sqlite3", threads=1)
    return served[0]


@pytest.fixture(scope="module")
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def numbers(settings: Settings) -> dict[str, int]:
    """The ids of comments, authors and threads by the demo's own."""
    with Database.open(settings.database_url) as database, database.read() as tx:
        rows = [row for table in (comments, authors, threads) for row in tx.execute(select(table)).all()]
        found = {row.caller_id: row.id for row in rows}
        campaign = select(comments.c.campaign).where(comments.c.caller_id == "t24")
        return found | {"campaign": tx.execute(campaign).scalar_one()}


def count(settings: Settings, column: object) -> Counter[str]:
    with Database.open(settings.database_url) as database, database.read() as tx:
        return Counter(tx.execute(select(column)).scalars())  # type: ignore[call-overload]


def test_nothing_of_the_week_is_lost(settings: Settings) -> None:
    done = count(settings, acts.c.kind)
    assert done == {"decision": 22, "bulk": 1, "standing": 4, "note": 1, "escalation": 1}
    assert count(settings, comments.c.caller_id).total() == len(WEEK.comments)
    assert count(settings, appeals.c.state) == {"upheld": 1, "open": 1}
    assert count(settings, reviews.c.kind) == {"golden": 1, "second": 1}
    assert count(settings, decisions.c.via)["undo"] == 1
    assert count(settings, items.c.escalated_to)["role:admin"] == 1
    assert count(settings, api_keys.c.role) == {"admin": 1, "moderator": 1}


def test_the_queue_has_work_of_several_kinds(settings: Settings) -> None:
    with Database.open(settings.database_url) as database, database.read() as tx:
        waiting = tx.execute(select(items).where(items.c.state == "open")).all()
    kinds, reasons = Counter(row.kind for row in waiting), {row.code for row in waiting}
    assert kinds["held"] >= 8
    assert kinds["appeal"] == 1
    assert kinds["sample"] >= 2
    assert {"spam", "personal_attack", "language", "suspended", "banned"} <= reasons


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/console", "Insults only"),
        ("/console?label=personal_attack", "dishonest woman"),
        ("/console/search?words=Biscuit", "answers to Biscuit"),
        ("/console/threads/{tram}", "The depot is in annex 2"),
        ("/console/comments/{b08}", "She started it"),
        ("/console/comments/{b08}/conversation", "as soon as the lab confirmed the depth"),
        ("/console/authors/{rufus-grey}", "Insults, a threat"),
        ("/console/authors/{dale-crook}", "Second complaint"),
        ("/console/campaigns/{campaign}", "7 near-duplicates"),
        ("/console/log?who=Jonas+Weber&code=threat", "Say that to my face"),
        ("/console/acts", "Jonas Weber"),
        ("/console/dashboard", "Nadia Okoye"),
        ("/console/quality", "Jonas Weber"),
        ("/console/policy", "Watch spammers come in groups"),
        ("/console/models", "No model was promoted"),
        ("/console/keys", "Nadia Okoye"),
        ("/", "belowline"),
    ],
)
def test_every_page_answers_with_its_content(
    client: TestClient, numbers: dict[str, int], path: str, shown: str
) -> None:
    filled = re.sub(r"\{([\w-]+)\}", lambda name: str(numbers[name[1]]), path)
    answer = client.get(filled)
    assert answer.status_code == 200
    assert shown in answer.text
