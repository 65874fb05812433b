"""Standing of authors, notes about them, escalations and messages: applied, told, undone, limited, erased."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from belowline.model import ScoreInput
from belowline.model.policy import Context, Policy, decide
from belowline.serve.queue import acts, author_acts, comments, escalation, queue_items, undo
from belowline.serve.queue.erasure import erase_author, erase_comment
from belowline.serve.store import accounts
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database, now
from belowline.serve.store.tables import acts as acts_table
from belowline.serve.store.tables import deliveries
from belowline.serve.webhooks import endpoints
from belowline.serve.webhooks.sender import Sender
from tests.support.replay import replay
from tests.support.serve_fakes import fake_scorer
from tests.support.store_fakes import ANN, BEN, Desk, refused

CHIEF, EVE = Actor("chief", role="admin"), Actor("eve", sites=("elsewhere",))
WEEK = timedelta(days=7)


def stand(desk: Desk, author: int, standing: Any, who: Actor = ANN, **more: Any) -> int:
    return int(desk.do(author_acts.set_standing, who, author, standing, **more))


def undo_newest(desk: Desk, who: Actor = ANN) -> undo.Undone:
    return desk.do(undo.undo_act, who, None, desk.pipeline.policy)


def author_of(desk: Desk, comment: int) -> int:
    return int(desk.row("comments", id=comment).author_id)


def made(desk: Desk, text: str, author: str = "u") -> tuple[str, str]:
    decision = desk.see(comments.last_decision, desk.take(text, author=author).comment)
    return decision.action, decision.code


def test_a_suspension_holds_new_comments_until_it_ends(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    author = author_of(desk, desk.take("fine", author="u").comment)
    end = now() + WEEK
    stand(desk, author, "suspended", until=end)
    assert made(desk, "fine again") == ("hold", "suspended")
    assert desk.rows("decisions")[-1].rule == f"author suspended until {end.date().isoformat()}"
    assert made(desk, "fine too", "another") == ("publish", "none")
    monkeypatch.setattr(author_acts, "now", lambda: end + timedelta(seconds=1))
    assert made(desk, "fine once more") == ("publish", "none")


def test_each_standing_replaces_the_one_before_and_undo_brings_it_back(desk: Desk) -> None:
    author = author_of(desk, desk.take("fine", author="u").comment)
    seen = []
    for standing in ("pre_moderated", "banned", "normal"):
        stand(desk, author, standing)
        seen.append(made(desk, f"fine and {standing}"))
    assert seen == [("hold", "pre_moderated"), ("hold", "banned"), ("publish", "none")]
    seen = []
    for number in range(3):
        undo_newest(desk)
        seen.append(made(desk, f"fine, number {number}"))
    assert seen == [("hold", "banned"), ("hold", "pre_moderated"), ("publish", "none")]


def test_an_earlier_standing_counts_again_after_a_suspension(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = author_of(desk, desk.take("fine", author="u").comment)
    stand(desk, author, "pre_moderated")
    stand(desk, author, "suspended", until=now() + WEEK)
    monkeypatch.setattr(author_acts, "now", lambda: now() + 2 * WEEK)
    assert made(desk, "fine again") == ("hold", "pre_moderated")


def test_a_policy_may_reject_the_comments_of_banned_authors(database: Database) -> None:
    desk = Desk(database, 'banned_authors = "reject"\ntrusted_authors = ["u"]\n')
    author = author_of(desk, desk.take("spam", author="u").comment)
    assert desk.rows("decisions")[-1].action == "publish"
    stand(desk, author, "banned")
    assert made(desk, "fine") == ("reject", "banned")
    stand(desk, author, "pre_moderated")
    assert made(desk, "fine too") == ("hold", "pre_moderated")
    assert list(replay(desk.database)) == []


def test_a_trusted_author_is_held_for_labels_words_and_blocked_domains_only() -> None:
    text = 'unknown_language = "hold"\n[links]\nmax = 0\nblocked = ["bad.example"]\n[campaign]\ncopies = 2\n'
    policy = Policy.parse(
        text + "[new_authors]\ncomments = 3\n[words]\nhold = ['casino']\n", "test", fake_scorer().thresholds
    )
    codes: dict[str, list[str]] = {"": [], "trusted": []}
    for standing, found in codes.items():
        for said, more in (
            ("see http://good.example", {}),
            ("fine", {"copies": 5}),
            ("fine", {"published": 0}),
            ("spam", {}),
            ("the casino", {}),
            ("see http://bad.example", {}),
        ):
            context = Context(said, author="u", standing=standing or None, **{"published": 9} | more)  # type: ignore[arg-type]
            [one] = fake_scorer().score([ScoreInput(said)])
            found.append(decide(one, policy, context).code)
    assert codes[""] == ["links", "campaign", "new_author", "spam", "banned_word", "links"]
    assert codes["trusted"] == ["none", "none", "none", "spam", "banned_word", "links"]


def test_what_cannot_be_set_is_refused(desk: Desk) -> None:
    author = author_of(desk, desk.take("fine", author="u").comment)
    for more in ({}, {"until": now() - WEEK}, {"until": now() + timedelta(days=9999)}):
        refused("invalid-request", stand, desk, author, "suspended", **more)
    refused("invalid-request", stand, desk, author, "banned", until=now() + WEEK)
    refused("not-found", stand, desk, author, "banned", EVE)
    refused("not-found", stand, desk, 999, "banned")
    refused("not-found", desk.do, author_acts.add_note, EVE, author, "x")
    assert desk.rows("acts") == []


def test_standing_and_notes_are_shown_and_erased_with_the_author(desk: Desk) -> None:
    comment = desk.take("spam", author="u").comment
    author = author_of(desk, comment)
    desk.do(author_acts.add_note, ANN, author, "argues with care")
    stand(desk, author, "trusted", note="for two years")
    [shown] = desk.see(comments.load, [comment])
    assert shown.author.standing == "trusted"
    assert [(one.note, one.actor, one.value) for one in shown.author.notes] == [
        ("for two years", "ann", "trusted"),
        ("argues with care", "ann", None),
    ]
    undo_newest(desk)
    [shown] = desk.see(comments.load, [comment])
    assert (shown.author.standing, len(shown.author.notes)) == (None, 1)
    desk.do(erase_author, CHIEF, author)
    assert {row.note for row in desk.rows("acts")} == {None}
    assert desk.see(author_acts.notes, [author]) == {}
    refused("not-found", stand, desk, author, "banned")


def receive(desk: Desk) -> list[dict[str, Any]]:
    """Return the bodies of all deliveries that are due."""
    got: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(json.loads(request.content))
        return httpx.Response(200)

    async def send() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            while await Sender(desk.database, private=True).send_due(client):
                pass

    asyncio.run(send())
    return sorted(got, key=lambda one: one["id"])


def test_hosts_are_told_of_standings_and_of_words_for_the_author(desk: Desk) -> None:
    events = ["author.changed", "comment.decided"]
    desk.do(endpoints.add_webhook, "chief", "http://127.0.0.1/hook", events)
    first, second = (desk.take("spam", author="u").comment for _ in range(2))
    author = author_of(desk, first)
    end = now() + WEEK
    stand(desk, author, "suspended", until=end)
    undo_newest(desk)
    desk.rule(first, "reject", code="spam", message="Please do not advertise here.")
    desk.rule(second, "reject", message="Never sent.")
    desk.do(erase_comment, CHIEF, second)
    told = receive(desk)
    names = ("event", "site", "author", "caller_id", "standing", "until")
    assert [[one.get(name) for name in names] for one in told[:2]] == [
        ["author.changed", "s", author, "u", "suspended", end.isoformat()],
        ["author.changed", "s", author, "u", None, None],
    ]
    assert [(one["comment"], one["code"], one.get("message")) for one in told[2:]] == [
        (first, "spam", "Please do not advertise here."),
        (second, "none", None),
    ]
    stored = desk.see(lambda tx: tx.execute(select(deliveries.c.payload)).scalars().all())
    assert "advertise" not in str(stored)
    desk.do(erase_author, CHIEF, author)
    stored = desk.see(lambda tx: tx.execute(select(deliveries.c.payload)).scalars().all())
    assert {one["caller_id"] for one in stored if "standing" in one} == {None}
    assert {row.message for row in desk.rows("decisions")} == {None}


def test_a_message_is_kept_with_its_decision(desk: Desk) -> None:
    first = desk.take("spam", author="u").comment
    desk.rule(first, "reject", message="Please do not advertise here.")
    assert "advertise" in desk.row("decisions", comment_id=first, actor="ann").message


def key(desk: Desk, name: str, role: str, sites: tuple[str, ...] = ()) -> None:
    desk.do(accounts.create_key, "chief", name, role, sites)


def queue_of(desk: Desk, who: Actor, *, escalated: bool = False) -> list[int]:
    chosen = queue_items.Filter(reader=who, escalated=escalated)
    found = desk.do(queue_items.claim, who.name, chosen, "oldest", 9)
    desk.do(queue_items.release, who.name)
    return [row.comment_id for row in found]


def test_an_escalated_comment_waits_for_its_receiver_alone(desk: Desk) -> None:
    first, second = desk.hold(2)
    key(desk, "ben", "moderator")
    key(desk, "far", "moderator", ("elsewhere",))
    desk.claim("ann", 2)
    desk.do(escalation.escalate, ANN, first, "person:ben", "is this libel?")
    desk.do(queue_items.release, "ann")
    cleo, triage = Actor("cleo"), Actor("tim", role="triage")
    assert queue_of(desk, ANN) == queue_of(desk, cleo) == queue_of(desk, triage) == [second]
    assert queue_of(desk, BEN) == [first, second]
    assert queue_of(desk, BEN, escalated=True) == queue_of(desk, CHIEF, escalated=True) == [first]
    assert queue_of(desk, ANN, escalated=True) == queue_of(desk, CHIEF)[1:] == []
    assert "ben" in refused("forbidden", desk.rule, first, "reject", cleo)
    assert desk.rule_all(who=cleo, chosen=[first, second]).skipped == [first]
    assert desk.rule(first, "publish", BEN).action == "publish"
    for to in ("person:far", "person:nobody", "role:service", "x"):
        desk.rule(first, "hold")
        refused("invalid-request", desk.do, escalation.escalate, ANN, first, to, None)
    refused("not-found", desk.do, escalation.escalate, EVE, first, "role:admin", None)


def test_an_escalation_is_undone_and_ends_with_hold(desk: Desk) -> None:
    [only] = desk.hold()
    desk.do(escalation.escalate, ANN, only, "role:moderator", "look")
    assert queue_of(desk, ANN) == [], "whoever escalates does not get it back"
    assert queue_of(desk, BEN) == [only]
    undo_newest(desk)
    item = desk.waiting(only)
    assert (item.escalated_to, item.claimed_by) == (None, "ann")
    desk.do(queue_items.release, "ann")
    act = desk.do(escalation.escalate, ANN, only, "role:admin", None)
    desk.rule(only, "hold", CHIEF)
    assert queue_of(desk, BEN) == [only]
    assert undo_newest(desk).state == "kept"
    assert desk.row("acts", id=act).state == "kept"
    desk.do(erase_comment, CHIEF, only)
    assert {row.note for row in desk.rows("acts")} == {None}


def test_only_a_waiting_comment_that_nobody_holds_is_escalated(desk: Desk) -> None:
    first, second = desk.hold(2)
    desk.rule(first)
    assert desk.claim("ben") == [second]
    for comment in (first, second):
        refused("conflict", desk.do, escalation.escalate, ANN, comment, "role:admin", None)


def test_acts_of_other_sites_are_not_listed(desk: Desk) -> None:
    here, there = desk.take("spam", author="u").comment, desk.take("spam", site="elsewhere").comment
    desk.rule(here)
    desk.rule(there)
    stand(desk, author_of(desk, here), "banned", BEN)
    rows, _ = desk.see(acts.page, EVE, 9)
    assert [row.comment_id for row in rows] == [there]
    rows, following = desk.see(acts.page, CHIEF, 2)
    assert ([row.kind for row in rows], following is None) == (["standing", "decision"], False)
    desk.do(lambda tx: tx.execute(update(acts_table).values(site=None)))
    assert desk.see(acts.page, EVE, 9)[0] == []
