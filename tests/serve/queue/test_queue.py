"""The queue: distribution of items, order, and leases."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from belowline.serve.queue import queue_items
from belowline.serve.queue.queue_items import Filter
from belowline.serve.store import cursor
from belowline.serve.store.database import now
from belowline.serve.store.refusal import Refusal
from belowline.serve.store.tables import items
from tests.support.store_fakes import ANN, BEN, Desk

LATER = timedelta(minutes=5, seconds=1)


def listed(desk: Desk, order: queue_items.Order = "oldest", limit: int = 100, **chosen: Any) -> list[int]:
    rows, _ = desk.see(queue_items.page, Filter(**chosen), order, limit)
    return [row.comment_id for row in rows]


def change(desk: Desk, comment: int, **values: Any) -> None:
    desk.do(lambda tx: tx.execute(update(items).where(items.c.comment_id == comment).values(**values)))


def test_what_one_moderator_holds_nobody_else_gets(desk: Desk) -> None:
    ids = desk.hold(3)
    assert desk.claim("ann", 2) == [ids[2], ids[1]]
    assert desk.claim("ben", 5) == [ids[0]]
    assert desk.claim("cleo", 5) == []


def test_own_items_come_first_and_their_lease_begins_anew(desk: Desk) -> None:
    [first, second] = desk.hold(2)
    change(desk, second, priority=0.1)
    assert desk.claim("ann") == [first]
    before = desk.waiting(first).claimed_until
    change(desk, second, priority=1.0)
    assert desk.claim("ann", 1) == [first]
    assert desk.claim("ann", 2) == [first, second]
    assert desk.waiting(first).claimed_until > before


def test_a_lease_runs_out(desk: Desk) -> None:
    [only] = desk.hold()
    desk.claim("ann")
    held = desk.waiting(only)
    assert timedelta(minutes=4, seconds=50) < held.claimed_until - now() <= queue_items.LEASE
    assert queue_items.claimed_by_other(held, "ben", now())
    assert not queue_items.claimed_by_other(held, "ann", now())
    assert not queue_items.claimed_by_other(held, "ben", now() + LATER)
    assert desk.claim("ben", moment=now() + LATER) == [only]
    assert desk.waiting(only).claimed_by == "ben"


def test_a_decision_ends_the_lease(desk: Desk) -> None:
    [only] = desk.hold()
    desk.claim("ann")
    desk.rule(only, "reject")
    row = desk.row("items")
    assert (row.state, row.claimed_by, row.claimed_until) == ("closed", None, None)
    assert row.closed is not None


def test_items_are_given_back_all_or_by_name_and_never_anothers(desk: Desk) -> None:
    ids = desk.hold(4)
    desk.claim("ann", 3, "oldest")
    desk.claim("ben", 1, "oldest")
    numbers = [desk.waiting(one).id for one in ids]
    assert desk.do(queue_items.release, "ann", [numbers[0], numbers[3]]) == 1
    assert desk.do(queue_items.release, "ann", []) == 0
    assert desk.do(queue_items.release, "ann") == 2
    assert [desk.waiting(one).claimed_by for one in ids] == [None, None, None, "ben"]
    assert desk.claim("cleo", 9, "oldest") == ids[:3]


def test_an_item_is_not_for_who_decided_first(desk: Desk) -> None:
    [only] = desk.hold()
    change(desk, only, not_for="ann")
    assert desk.claim("ann") == []
    assert desk.claim("ben") == [only]


def test_appeals_are_hidden_where_they_are_not_to_be_answered(desk: Desk) -> None:
    one, other = desk.hold(2)
    change(desk, one, kind="appeal", priority=1.0)
    assert desk.claim("triage", 5, appeals=False) == [other]
    assert listed(desk, appeals=False) == [other]
    assert desk.claim("ann", 5) == [one]


@pytest.mark.parametrize("order", queue_items.ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 3, 12, 50])
def test_pages_meet_every_item_once_in_every_order_though_many_tie(
    desk: Desk, order: queue_items.Order, limit: int
) -> None:
    ids = desk.hold(12)
    for number, one in enumerate(ids):
        change(desk, one, priority=(number % 3) / 7, uncertainty=(number % 2) / 3)
    keys = {
        "priority": lambda number: (-((number % 3) / 7), -ids[number]),
        "uncertainty": lambda number: (-((number % 2) / 3), -ids[number]),
        "newest": lambda number: -ids[number],
        "oldest": lambda number: ids[number],
    }
    found, after = [], None
    for _ in range(20):
        rows, after = desk.see(queue_items.page, Filter(), order, limit, after)
        assert len(rows) <= limit
        found += [row.comment_id for row in rows]
        if after is None:
            break
    assert found == [ids[number] for number in sorted(range(12), key=keys[order])]
    assert desk.claim("ann", 12, order) == found


def test_a_page_goes_on_where_it_ended_though_items_came_and_went(desk: Desk) -> None:
    ids = desk.hold(6)
    rows, after = desk.see(queue_items.page, Filter(), "newest", 2)
    desk.rule(ids[3], "reject")
    desk.rule(rows[1].comment_id, "reject")
    new = desk.hold()[0]
    rows, after = desk.see(queue_items.page, Filter(), "newest", 10, after)
    assert [row.comment_id for row in rows] == [ids[2], ids[1], ids[0]]
    assert new not in [row.comment_id for row in rows]
    assert after is None


STRANGE = [
    "", "x", "é", "=", "!!!!", "W10", "bnVsbA", "MQ", "eyJhIjoxfQ",
    cursor.encode("oldest", [1]),
    cursor.encode("newest", [1, 2]),
    cursor.encode("newest", []),
    cursor.encode("newest", [2**53]),
    cursor.encode("newest", [float("nan")]),
    cursor.encode("newest", [float("inf")]),
    cursor.encode("newest", [True]),
    cursor.encode("newest", ["1"]),
    cursor.encode("newest", [None]),
    "W1tb" * 40_000,
]  # fmt: skip


@pytest.mark.parametrize("word", STRANGE, ids=range(len(STRANGE)))
def test_a_strange_cursor_is_refused(word: str) -> None:
    with pytest.raises(Refusal) as caught:
        cursor.decode(word, "newest", 1)
    assert caught.value.kind == "bad-cursor"


@given(st.text())
def test_no_word_breaks_a_cursor(word: str) -> None:
    with pytest.raises(Refusal):
        cursor.decode(word, "priority", 2)


@given(st.lists(st.floats(0, 1) | st.integers(0, 2**53 - 1), min_size=1, max_size=3))
def test_a_cursor_gives_back_what_it_was_made_of(values: list[float]) -> None:
    assert cursor.decode(cursor.encode("priority", values), "priority", len(values)) == values


@pytest.mark.parametrize("number", [-1, 0, 0.5, 2**31, 2**40, 2**53 - 1])
def test_a_cursor_of_any_number_is_answered_on_every_database(desk: Desk, number: float) -> None:
    [only] = desk.hold()
    rows, _ = desk.see(queue_items.page, Filter(), "newest", 5, cursor.encode("newest", [number]))
    assert [row.comment_id for row in rows] == ([only] if number > 1 else [])
    rows, _ = desk.see(queue_items.page, Filter(), "priority", 5, cursor.encode("priority", [1, number]))
    assert [row.comment_id for row in rows] == [only]


def test_every_filter_finds_its_own(desk: Desk) -> None:
    a = desk.take("spam", site="x", author="u", thread="t").comment
    b = desk.take("a threat", site="y").comment
    c = desk.take("no idea", site="z", scored=False).comment
    change(desk, c, language="he", kind="sample", action="publish", campaign=77)
    author, thread = desk.row("authors").id, desk.row("threads").id
    assert listed(desk) == listed(desk, sites=("x", "y", "z")) == [a, b, c]
    assert listed(desk, sites=("x",)) == listed(desk, label="spam") == [a]
    assert listed(desk, author=author) == listed(desk, thread=thread) == [a]
    assert listed(desk, sites=("y", "z")) == [b, c]
    assert listed(desk, code="threat") == listed(desk, label="threat") == [b]
    assert listed(desk, action="publish") == listed(desk, kind="sample") == [c]
    assert (
        listed(desk, language="he") == listed(desk, campaign=77) == listed(desk, code="scoring_failed") == [c]
    )
    assert listed(desk, label="spam", sites=("y",)) == []
    assert desk.see(queue_items.count, Filter(sites=("y", "z"))) == 2


def test_age_and_leases_can_be_filtered(desk: Desk) -> None:
    old, new = desk.hold(2)
    change(desk, old, created=now() - timedelta(hours=3))
    hour = 1 / 24
    assert listed(desk, older_than=hour) == [old]
    assert listed(desk, newer_than=hour) == [new]
    desk.claim("ann", 1, "oldest")
    assert listed(desk, unclaimed=True) == [new]
    assert listed(desk, unclaimed=True, moment=now() + LATER) == [old, new]


def test_priority_is_the_likeliest_label_that_can_hold_a_comment(desk: Desk) -> None:
    spam = desk.take("spam profanity").comment
    unscored = desk.take("x", scored=False).comment
    assert desk.waiting(spam).priority == 0.9
    assert desk.waiting(spam).uncertainty == pytest.approx(0.6)
    assert (desk.waiting(unscored).priority, desk.waiting(unscored).uncertainty) == (0.5, 1.0)


def test_a_comment_has_one_open_item_whatever_happens(desk: Desk) -> None:
    [only] = desk.hold()
    for action in ("hold", "publish", "hold", "hold", "reject", "hold"):
        desk.rule(only, action, ANN)
        assert (desk.waiting(only) is not None) == (action == "hold")
    desk.take("another threat", desk.row("comments").caller_id)
    assert desk.waiting(only).label == "threat"
    assert desk.rule(only, "reject", BEN).before == "hold"
