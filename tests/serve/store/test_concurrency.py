"""Concurrent operations: nothing is done twice, nothing is lost."""

import time
from collections import Counter

import pytest

from belowline.serve.active import policy_history as policies
from belowline.serve.queue import queue_items
from belowline.serve.queue.idempotency import run_once
from belowline.serve.queue.intake import Author, Thread, ingest
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database
from belowline.serve.store.refusal import Refusal
from tests.support.store_fakes import ANN, BEN, Desk, at_once


@pytest.mark.slow
def test_eight_moderators_decide_many_items_once_each(desk: Desk) -> None:
    with desk.database.write() as tx:
        kept = ingest(tx, desk.pipeline, "s", None, [desk.incoming("spam") for _ in range(160)])
    orders = queue_items.ORDERS

    def work(number: int) -> list[int]:
        who, decided = Actor(f"moderator {number}"), []
        while got := desk.claim(who.name, 1 + number % 4, orders[number % len(orders)]):
            for comment in got:
                desk.rule(comment, "reject" if comment % 2 else "publish", who)
                decided.append(comment)
        return decided

    done = at_once([lambda number=number: work(number) for number in range(8)])
    assert Counter(one for some in done for one in some) == {one.comment: 1 for one in kept}
    people = [row for row in desk.rows("decisions") if row.actor != "system"]
    assert Counter(row.comment_id for row in people) == {one.comment: 1 for one in kept}
    assert len(desk.rows("items", state="closed")) == 160
    assert desk.rows("items", state="open") == []
    assert {row.before for row in people} == {"hold"}
    for number, some in enumerate(done):
        assert {row.comment_id for row in people if row.actor == f"moderator {number}"} == set(some)


def test_claims_at_once_share_the_items_out(desk: Desk) -> None:
    ids = desk.hold(24)
    got = at_once([lambda who=who: desk.claim(f"m{who}", 3) for who in range(8)])
    assert sorted(one for some in got for one in some) == ids


def test_two_who_saw_the_same_cannot_both_decide(desk: Desk) -> None:
    for one in desk.hold(10):
        seen = desk.rows("decisions", comment_id=one)[-1].id
        found = at_once(
            [
                lambda one=one, seen=seen, who=who: desk.rule(one, "reject", who, after=seen)
                for who in (ANN, BEN)
            ]
        )
        assert sum(isinstance(answer, Refusal) for answer in found) == 1
        assert len(desk.rows("decisions", comment_id=one)) == 2


def test_a_request_that_is_sent_twice_at_once_has_one_answer(desk: Desk) -> None:
    for key in map(str, range(5)):
        made: list[None] = []

        def make(made: list[None] = made) -> dict[str, int]:
            made.append(None)
            time.sleep(0.05)
            return {"number": len(made)}

        answers = at_once([lambda key=key, make=make: desk.do(run_once, "ann", key, "r", make)] * 4)
        assert (answers, len(made)) == ([{"number": 1}] * 4, 1)


def test_the_same_comments_sent_at_once_are_kept_once(desk: Desk) -> None:
    def send(number: int) -> list[int]:
        names = [f"n{one}" for one in range(12)]
        if number % 2:
            names.reverse()
        with desk.database.write() as tx:
            sent = [
                desk.incoming("spam", name, author=Author(f"u{name}", f"Name {number}")) for name in names
            ]
            kept = ingest(tx, desk.pipeline, "s", Thread("t", f"Title {number}"), sent)
        return sorted(one.comment for one in kept)

    found = at_once([lambda number=number: send(number) for number in range(6)])
    assert all(one == found[0] for one in found)
    assert len(desk.rows("comments")) == len(desk.rows("decisions")) == len(desk.rows("authors")) == 12


def test_copies_that_come_at_once_are_one_campaign(database: Database) -> None:
    desk = Desk(database, "[campaign]\ncopies = 3\n")
    offer = "{} made money from home in one single week with this simple trick, look at my page"
    at_once([lambda name=name: desk.take(offer.format(name)) for name in ("Sue", "Bob", "Eve", "Ann")])
    assert len({row.campaign for row in desk.rows("comments")}) == 1
    assert Counter(row.action for row in desk.rows("comments")) == {"publish": 2, "hold": 2}


def test_of_two_who_replace_a_policy_at_once_one_is_refused(desk: Desk) -> None:
    found = at_once(
        [lambda who=who: desk.do(policies.replace, who, "text", None, 0) for who in ("ann", "ben", "cleo")]
    )
    assert sum(isinstance(answer, Refusal) for answer in found) == 2
    assert len(desk.rows("policies")) == 1


def test_a_reader_sees_one_state_while_others_write(desk: Desk) -> None:
    desk.hold()
    with desk.database.read() as tx:
        before = queue_items.count(tx, queue_items.Filter())
        desk.hold()
        assert queue_items.count(tx, queue_items.Filter()) == before == 1
    assert desk.see(queue_items.count, queue_items.Filter()) == 2
