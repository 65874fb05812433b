"""A store's queue can be rebuilt from its log after any sequence of operations, and tampering is detected."""

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update

from belowline.serve.queue import queue_items
from belowline.serve.queue.appeals import appeal
from belowline.serve.queue.erasure import erase_comment
from belowline.serve.store.database import Database, now
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import comments, decisions, items
from tests.support.replay import replay
from tests.support.store_fakes import ANN, BEN, CLEO, REJECTING, SAMPLE, SECOND, Desk

PEOPLE = (ANN, BEN, CLEO)
TEXTS = ("spam", "fine", "a threat", "nothing to see")
ACTIONS = ("publish", "hold", "reject")
Step = tuple[str, int, int, int]
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ("take", "take", "rule", "rule", "rule all", "undo", "undo", "appeal", "erase", "claim", "expire")
        ),
        st.integers(1, 2),
        st.integers(0, 3),
        st.integers(0, 2),
    ),
    min_size=12,
    max_size=30,
)


def do(desk: Desk, step: Step) -> None:
    """Apply one random step; steps that the store refuses change nothing."""
    what, comment, choice, person = step
    who = PEOPLE[person]
    last = desk.rows("decisions", comment_id=comment)
    ways: dict[str, Callable[[], Any]] = {
        "take": lambda: desk.take(TEXTS[choice], f"c{comment}", author=f"u{person}"),
        "rule": lambda: desk.rule(comment, ACTIONS[choice % 3], who),
        "rule all": lambda: desk.rule_all(
            ACTIONS[choice % 3], who, author=1 + person, queued_only=choice > 1
        ),
        "undo": lambda: last and desk.undo(last[-1].id, who, any_actor=True),
        "appeal": lambda: desk.do(appeal, who, comment, "Why?"),
        "erase": lambda: desk.do(erase_comment, who, comment),
        "claim": lambda: desk.claim(who.name, choice),
        "expire": lambda: desk.do(lambda tx: tx.execute(update(items).values(claimed_until=now()))),
    }
    try:
        ways[what]()
    except Refusal:
        return


REJECTED: list[Step] = [("take", 1, 0, 0), ("rule", 1, 2, 0)]
HELD_AGAIN: list[Step] = [*REJECTED, ("rule", 1, 1, 0)]


@example([*HELD_AGAIN, ("undo", 1, 0, 0)], "")
@example([*HELD_AGAIN, ("appeal", 1, 0, 1), ("undo", 1, 0, 0)], "")
@example([*REJECTED, ("appeal", 1, 0, 1), ("rule", 1, 0, 1), ("undo", 1, 0, 1)], "")
@example([("take", 1, 1, 0), ("rule", 1, 1, 0), ("undo", 1, 0, 0)], "")
@example([*REJECTED, ("erase", 1, 0, 0), ("take", 1, 0, 0)], "")
@given(steps, st.sampled_from(("", SAMPLE, SECOND, SAMPLE + SECOND, SECOND + REJECTING)))
@settings(
    max_examples=25,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.slow
def test_the_log_rebuilds_the_queue(
    empty_sqlite: Path, tmp_path: Path, chosen: list[Step], policy: str
) -> None:
    file = tmp_path / "queue.sqlite3"
    for old in tmp_path.glob("queue.sqlite3*"):
        old.unlink()
    shutil.copy(empty_sqlite, file)
    database = Database.open(f"sqlite:///{file}")
    try:
        desk = Desk(database, policy)
        for step in chosen:
            do(desk, step)
            assert list(replay(database)) == []
    finally:
        database.close()


def test_on_either_database(desk: Desk) -> None:
    for step in itertools.product(("take", "rule", "appeal", "undo"), (1, 2, 3), (0, 2), (0, 1)):
        do(desk, step)
    assert len(desk.rows("decisions")) > 12
    assert list(replay(desk.database)) == []


@pytest.fixture
def whole(desk: Desk) -> Desk:
    """A store with comments that are held (1), rejected (2), appealed (3), published (4) and erased (5)."""
    desk.hold(3)
    desk.rule(2)
    desk.rule(3)
    desk.do(appeal, BEN, 3, "Why?")
    desk.take("fine")
    desk.hold()
    desk.do(erase_comment, ANN, 5)
    assert list(replay(desk.database)) == []
    return desk


def test_what_was_lost_from_the_queue_is_found(whole: Desk) -> None:
    for comment in (1, 3):
        whole.do(queue_items.close, comment, now())
    assert list(replay(whole.database)) == [
        "comment 1: it waits nowhere, its log says as held",
        "comment 3: it waits nowhere, its log says as appeal",
    ]


@pytest.mark.parametrize(("comment", "wanted"), [(2, "as second or nowhere"), (4, "nowhere"), (5, "nowhere")])
def test_what_should_not_wait_is_found(whole: Desk, comment: int, wanted: str) -> None:
    row = whole.row("comments", id=comment)
    values = {"code": "none", "action": "hold", "priority": 0.5, "uncertainty": 1.0}
    whole.do(queue_items.add, row, "held", now(), **values)
    assert list(replay(whole.database)) == [f"comment {comment}: it waits as held, its log says {wanted}"]


def test_what_stands_otherwise_than_decided_is_found(whole: Desk) -> None:
    whole.do(lambda tx: tx.execute(update(comments).where(comments.c.id == 2).values(action="publish")))
    assert list(replay(whole.database)) == ["comment 2: it stands as publish, its last decision says reject"]


def test_a_comment_without_a_decision_is_found(whole: Desk) -> None:
    row = dict(whole.row("comments", id=4)._mapping) | {"id": 9, "caller_id": "c9"}
    whole.do(lambda tx: tx.execute(insert(comments).values(**row)))
    assert list(replay(whole.database)) == ["comment 9: it has no decision"]


def test_a_long_store_is_read_in_pages(whole: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.replay._AT_ONCE", 2)
    whole.do(
        lambda tx: tx.execute(update(decisions).where(decisions.c.comment_id == 4).values(action="hold"))
    )
    assert list(replay(whole.database)) == ["comment 4: it stands as publish, its last decision says hold"]
