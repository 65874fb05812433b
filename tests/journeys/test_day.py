"""A moderator's day in a real browser: a hundred comments, by keyboard alone, by mouse alone, and by touch on a phone.

With BELOWLINE_SCREENSHOTS=folder some moments are saved there.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.browser import picture
from tests.support.hands import WAYS
from tests.support.invented import offer, ordinary, rumour
from tests.support.moderator import Act, Moderator
from tests.support.serve_fakes import served

pytestmark = pytest.mark.slow

MACHINE = {"X-API-Key": "the-machine-of-the-newspaper"}
GROUPS = (
    *(
        ("blind", 10),
        ("fine", 25),
        ("bad", 24),
        ("threat", 8),
        ("offer", 6),
        ("chain", 4),
        ("row", 3),
        ("pair", 3),
    ),
    *(
        ("seller", 2),
        ("ban", 1),
        ("hateful", 3),
        ("warn", 1),
        ("other", 1),
        ("remark", 1),
        ("hard", 1),
        ("easy", 1),
    ),
    *(("leave", 1), ("slip", 3), ("beside", 1), ("talk", 1)),
)
"""The groups of comments, in the order of arrival; a comment's name says what its moderator does with it."""
AUTHORS = {"ban": "seller", "seller": "seller", "remark": "talker", "other": "talker"}
SPAM = ("offer", "row", "pair", "chain")


def comments() -> list[dict[str, Any]]:
    """A published question, and a hundred comments that are held."""
    made: list[dict[str, Any]] = [{"id": "question", "text": "a question", "author": {"id": "reader"}}]
    for group, number in GROUPS:
        for at in range(number):
            author = AUTHORS.get(group, f"{group}{at}")
            one = {"id": f"{group}{at}", "text": text_of(group, at), "author": {"id": author, "name": author}}
            made.append(one | ({"parent": "question"} if group in ("talk", "beside") else {}))
    return made


def text_of(group: str, at: int) -> str:
    """The text of a comment."""
    if group == "offer":
        return offer(at)
    if group == "chain":
        return rumour(at, "toxicity")
    return ordinary(f"{group}{at}", "threat" if group == "threat" else "toxicity")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    with served(tmp_path, api_keys=MACHINE["X-API-Key"]) as client:
        client.headers.update(MACHINE)
        client.timeout = 300
        thread = {"id": "a-17", "title": "The harbour reopens"}
        body = {"site": "paper.example", "thread": thread, "comments": comments()}
        client.post("/v1/comments", json=body).raise_for_status()
        yield client


@pytest.mark.parametrize("way", WAYS)
def test_a_day_of_a_hundred_comments(way: str, browser: Any, service: httpx.Client) -> None:
    names = names_of(service)
    assert sum(service.get("/v1/stats").json()["waiting"].values()) == 100
    staff = {
        name: enter(browser, service, way, name, role, names)
        for name, role in (("Bob", "moderator"), ("Mona", "moderator"), ("Adam", "admin"))
    }
    bob, mona, adam = staff["Bob"], staff["Mona"], staff["Adam"]

    adam.release()
    bob.show("label", "Threat")
    mona.page.reload()
    while comment := mona.next():
        handle(mona, comment)
        if threat := bob.next():
            bob.reject(threat)
    picture(mona.page, f"day-{way}-end", whole=False)
    assert mona.seen.isdisjoint(bob.seen), "nobody is shown what a colleague decides"
    copies = {
        f"{group}{at}" for group, number in GROUPS for at in range(number) if group in ("offer", "chain")
    }
    assert mona.seen | bob.seen | copies == {*names.values()} - {"question"}, "nothing stays unseen"

    bob.open(bob.page.locator("#empty a"))
    assert bob.next() == "leave0", "what Mona left is for a colleague"
    bob.publish("leave0")
    adam.open(adam.page.locator("#empty a"))
    adam.show("kind", "Escalated")
    assert adam.next() == "hard0"
    adam.reject("hard0")
    adam.open(adam.page.locator(".top nav a", has_text="Policy"))
    adam.never_hold("threat", "the new model is too strict")
    picture(adam.page, f"day-{way}-policy", whole=False)

    decided = decisions_in_store(service)
    for one in staff.values():
        assert one.hands.errors == []
        assert set(one.hands.counts()) - {"pages"} <= set(one.hands.counted), "nothing but this kind of input"
        assert acts_in_store(service, one.name, names) == one.acts
    meant = {
        name: {one.name: one.decided[name] for one in staff.values() if name in one.decided}
        for name in {*names.values()} - {"question"}
    }
    assert decided == meant
    check_result(service)


def handle(mona: Moderator, comment: str) -> None:
    """Do with a comment, and with those that belong to it, what its name says."""
    group = comment.rstrip("0123456789")
    assert group != "threat", "Bob holds these comments"
    decide_one(mona, comment, group)
    act_on_author(mona, comment, group)
    decide_many(mona, comment, group)


def decide_one(mona: Moderator, comment: str, group: str) -> None:
    """Decide a single comment, in its card or around it, or leave it to somebody else."""
    match group:
        case "fine":
            mona.publish(comment)
        case "bad" | "seller" | "other":
            mona.reject(comment)
        case "hateful":
            mona.reject(comment, "hate_speech")
        case "slip":
            mona.publish(comment)
            mona.undo_on_card(comment)
            mona.reject(comment)
        case "talk":
            mona.reject_in_conversation(comment, "beside0")
            mona.publish(comment)
        case "leave":
            mona.leave(comment)
        case "hard":
            mona.escalate(comment, "Adam", "is this legal?")
        case "easy":
            mona.escalate(comment, "Adam", "no, this is easy")
            mona.undo(comment)
            mona.publish(comment)
        case "blind":
            if not mona.blind:
                mona.hide_scores()
            elif comment[-1] in "02468":
                mona.publish(comment)
            else:
                mona.reject(comment, "hate_speech")


def act_on_author(mona: Moderator, comment: str, group: str) -> None:
    """Act on the author of a comment, and decide it."""
    match group:
        case "remark":
            mona.act_on_author(comment, "add a note", note="warned twice")
            mona.undo()
            mona.act_on_author(comment, "add a note", note="warned once")
            assert "warned once" in mona.card("other0").locator(".author-note").inner_text()
            mona.publish(comment)
        case "warn":
            mona.act_on_author(comment, "suspend for 7", "suspended")
            mona.undo()
            mona.publish(comment)
        case "ban":
            mona.act_on_author(comment, "ban", "banned")
            assert mona.page.locator(".card:not(.done) .standing:visible", has_text="banned").count() == 3
            mona.reject(comment)


def decide_many(mona: Moderator, comment: str, group: str) -> None:
    """Decide several comments at once: those that are selected, or the copies of a campaign."""
    together = [f"{group}{at}" for at in range(dict(GROUPS)[group])]
    match group:
        case "row":
            mona.decide_together("reject", together)
        case "pair":
            mona.decide_together("publish", together)
            mona.undo(*together)
            mona.decide_together("reject", together)
        case "offer":
            mona.decide_campaign("reject", comment, together)
        case "chain":
            mona.decide_campaign("publish", comment, together)
            mona.undo(*together)
            mona.decide_campaign("reject", comment, together)


def enter(
    browser: Any, service: httpx.Client, way: str, name: str, role: str, names: dict[int, str]
) -> Moderator:
    """A new moderator who has signed in."""
    key = service.post("/v1/keys", json={"name": name, "role": role}).json()["key"]
    return Moderator(WAYS[way](browser, str(service.base_url)), name, key, names)


def names_of(service: httpx.Client) -> dict[int, str]:
    """The names of the stored comments by their numbers."""
    found = service.get("/v1/comments", params={"limit": 200}).json()["items"]
    return {one["id"]: one["caller_id"] for one in found}


def acts_in_store(service: httpx.Client, who: str, names: dict[int, str]) -> list[tuple[Act, str]]:
    """A moderator's acts, oldest first, each with its state."""
    answer = service.get("/v1/acts", params={"limit": 200}).json()
    assert answer["next"] is None
    own = [one for one in answer["items"] if one["actor"] == who]
    return [
        ((one["kind"], one["value"], names.get(one["comment_id"])), one["state"]) for one in reversed(own)
    ]


def decisions_in_store(service: httpx.Client) -> dict[str, dict[str, list[str]]]:
    """The decisions of people by comment and person, oldest first."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in service.get("/v1/decisions", params={"people": True}).text.splitlines():
        row = json.loads(line)
        found.setdefault(row["caller_id"], {}).setdefault(row["actor"], []).append(row["action"])
    return found


def check_result(service: httpx.Client) -> None:
    """Check the reasons of rejections, the standing of authors, and what the new policy does."""
    for one in service.get("/v1/comments", params={"limit": 200, "action": "reject"}).json()["items"]:
        group = one["caller_id"].rstrip("0123456789")
        code = "spam" if group in SPAM else "hate_speech" if group in ("hateful", "blind") else group
        assert one["decision"]["code"] == (code if code in ("spam", "hate_speech", "threat") else "toxicity")
    records = {
        author: service.get(f"/v1/authors/paper.example:{author}/record").json()
        for author in ("seller", "talker", "warn0")
    }
    assert {author: record["standing"] for author, record in records.items()} == {
        "seller": "banned",
        "talker": None,
        "warn0": None,
    }
    assert {author: [note["note"] for note in record["notes"]] for author, record in records.items()} == {
        "seller": [],
        "talker": ["warned once"],
        "warn0": [],
    }
    [version] = service.get("/v1/policy/history").json()
    assert (version["actor"], version["note"]) == ("Adam", "the new model is too strict")
    later = [
        {"id": "n1", "text": "a threat of rain"},
        {"id": "n2", "text": "hate, though"},
        {"id": "n3", "text": "fine words", "author": {"id": "seller"}},
    ]
    answer = service.post("/v1/comments", json={"site": "paper.example", "comments": later}).json()["results"]
    assert [one["action"] for one in answer] == ["publish", "hold", "hold"]
    assert answer[2]["reason"]["code"] == "banned"
