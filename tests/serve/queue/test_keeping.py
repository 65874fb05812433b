"""The store beside the queue: erasure, keys, sessions, policies, dry runs, idempotency keys, webhooks, statistics."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from belowline.model import Policy
from belowline.serve.active import policy_history as policies
from belowline.serve.queue import comments, feedback, statistics
from belowline.serve.queue.appeals import appeal
from belowline.serve.queue.dry_run import dry_run
from belowline.serve.queue.erasure import erase_author, erase_comment
from belowline.serve.queue.feedback import Feedback
from belowline.serve.queue.idempotency import run_once
from belowline.serve.queue.intake import Author
from belowline.serve.queue.recognition import PREFIX
from belowline.serve.queue.reviews import make_golden
from belowline.serve.store import accounts
from belowline.serve.store.database import Database, digest, now
from belowline.serve.store.pseudonyms import alias
from belowline.serve.store.tables import metadata
from belowline.serve.webhooks import endpoints
from tests.support.store_fakes import ANN, BEN, SAMPLE, SECOND, Desk, everything, refused

SECRET = "erase-this"
LONG = f"{SECRET} spam that is told to everybody who reads below the line, with a note"


def set_all(desk: Desk, table: str, values: dict[str, Any], **where: Any) -> None:
    changed = metadata.tables[table]
    clauses = [changed.c[name] == value for name, value in where.items()]
    desk.do(lambda tx: tx.execute(update(changed).where(*clauses).values(**values)))


def fill(desk: Desk) -> list[int]:
    """An author's comments, with every row that can contain their words."""
    desk.do(endpoints.add_webhook, "admin", "https://x.example", ["comment.held", "comment.decided"])
    author = Author("person-17", f"{SECRET} name", "reader")
    told = Feedback(
        "perspective",
        f"{SECRET} told",
        {"toxicity": 1.0},
        {"TOXICITY": 1.0, SECRET: 0.0},
        "a",
        f"{SECRET} context",
    )
    desk.do(feedback.add, "coral", "s", told)  # before the comment is stored
    one = desk.take(f"{SECRET} first spam", "a", author=author).comment
    desk.take(LONG, "a", author=author)
    other = desk.take(
        f"{SECRET} spam", "b", author=author, parent="a", parent_text=f"{SECRET} parent"
    ).comment
    desk.take("an answer, spam", "answer", parent="a", parent_text=LONG)
    desk.do(feedback.add, "coral", "s", told)
    desk.rule(one, "reject", note=f"{SECRET} note", labels=("spam",))
    desk.do(make_golden, "ann", one)
    desk.do(appeal, ANN, one, f"{SECRET} appeal")
    desk.claim("ben", 3)
    return [one, other]


def test_erasure_of_an_author_leaves_no_word_and_no_name_but_the_decisions(
    desk: Desk, tmp_path: Path
) -> None:
    ids = fill(desk)
    author = desk.row("authors").id
    assert SECRET in repr(desk.see(everything))
    kept = [(row.id, row.actor, row.action, row.rule) for row in desk.rows("decisions")]
    assert desk.do(erase_author, BEN, author) == 2
    desk.database.forget()
    left = repr(desk.see(everything))
    assert SECRET not in left
    assert "person-17" not in left
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file
        assert b"person-17" not in file.read_bytes(), file
    assert [(row.id, row.actor, row.action, row.rule) for row in desk.rows("decisions")] == kept
    assert [desk.waiting(one) for one in ids] == [None, None]
    assert desk.rows("golden") == []
    told = [(row.comment_id, row.scores, row.erased is not None) for row in desk.rows("feedback")]
    assert told == [(None, {"toxicity": 1.0}, True), (ids[0], {"toxicity": 1.0}, True)]
    assert not {row.comment_id for row in desk.rows("bands")} & set(ids)
    assert desk.row("comments", caller_id="answer").text == "an answer, spam"
    log = desk.rows("audit_log")[-1]
    assert (log.actor, log.what, log.details) == ("ben", "erase author", {"comments": 2})
    refused("not-found", desk.do, erase_author, ANN, author)
    refused("not-found", desk.do, erase_comment, ANN, ids[0])
    assert {row.erased is not None for row in desk.rows("comments", author_id=author)} == {True}


def test_erasure_of_a_comment_leaves_the_authors_others(desk: Desk) -> None:
    one, other = fill(desk)
    desk.do(erase_comment, ANN, one)
    [gone] = desk.see(comments.load, [one])
    assert (gone.text, gone.parent_text, gone.evidence, gone.item) == (None, None, [], None)
    assert (gone.decision.note, gone.decision.action) == (None, "reject")
    assert [row.text for row in desk.rows("revisions", comment_id=one)] == [None, None]
    assert desk.row("comments", caller_id="answer").parent_text is None
    assert desk.row("comments", id=other).text == f"{SECRET} spam"
    assert desk.waiting(other) is not None
    found, _ = desk.see(comments.search, comments.Search(), 10)
    assert one not in [row.id for row in found]
    assert desk.rows("audit_log")[-1].target == f"s:{one}"


def test_an_id_that_is_a_hash_of_the_text_is_erased_everywhere(desk: Desk) -> None:
    desk.do(endpoints.add_webhook, "admin", "https://x.example", ["comment.held"])
    erased, other = f"{PREFIX}{'a' * 32}", f"{PREFIX}{'b' * 32}"
    one = desk.take("spam", erased).comment
    desk.take("spam", other)
    desk.do(erase_comment, ANN, one)
    assert erased not in repr(desk.see(everything))
    told = [row.payload["caller_id"] for row in desk.rows("deliveries")]
    assert told == [f"{PREFIX}erased-{one}", other]


def test_the_first_copy_may_be_erased_and_the_campaign_goes_on(desk: Desk) -> None:
    first = desk.take(LONG).comment
    desk.take(LONG)
    desk.do(erase_comment, ANN, first)
    third = desk.take(LONG)
    assert desk.row("comments", id=third.comment).campaign == first


def test_an_author_who_comes_again_after_an_erasure_is_a_new_one(desk: Desk) -> None:
    desk.take("a word", author="u")
    old = desk.row("authors").id
    desk.do(erase_author, ANN, old)
    desk.take("a word", author="u")
    assert [row.caller_id for row in desk.rows("authors")] == [None, "u"]


def test_feedback_on_a_comment_that_is_not_kept_is_erased_by_its_id(desk: Desk) -> None:
    told = Feedback("perspective", SECRET, {}, {"TOXICITY": 1.0}, "elsewhere")
    desk.do(feedback.add, "coral", "s", told)
    desk.do(
        feedback.add, "coral", "s", Feedback("perspective", "of nobody knows which", {}, {"TOXICITY": 0.0})
    )
    assert desk.do(feedback.erase, "other", "elsewhere") == 0
    assert desk.do(feedback.erase, "s", "elsewhere") == 1
    assert desk.do(feedback.erase, "s", "elsewhere") == 0
    assert [row.text for row in desk.rows("feedback")] == [None, "of nobody knows which"]


def test_an_alias_is_the_same_here_and_another_elsewhere(desk: Desk, tmp_path: Path) -> None:
    one = desk.see(alias, "ann@paper.example")
    assert one == desk.see(alias, "ann@paper.example") != desk.see(alias, "ben@paper.example")
    assert len(one) == 32
    other = Database.open(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    with other.read() as tx:
        assert alias(tx, "ann@paper.example") != one
    other.close()


def test_a_key_is_known_until_it_is_revoked_and_its_sessions_with_it(desk: Desk) -> None:
    assert not desk.see(accounts.any_keys)
    admin = desk.do(accounts.create_key, "operator", "root", "admin", [])
    key = desk.do(accounts.create_key, "root", "desk", "moderator", ["x", "y"])
    assert desk.see(accounts.account_of, digest(key)) == accounts.Actor("desk", "moderator", ("x", "y"))
    assert desk.see(accounts.account_of, digest("bl_no")) is None
    assert key not in repr(desk.see(everything))
    assert "digest" not in desk.see(accounts.keys)[0]._mapping
    refused("conflict", desk.do, accounts.create_key, "root", "desk", "admin", [])
    token = desk.do(accounts.open_session, digest(key))
    other = desk.do(accounts.open_session, digest(admin))
    number = desk.row("api_keys", name="desk").id
    desk.do(accounts.revoke_key, "root", number)
    assert desk.see(accounts.account_of, digest(key)) is None
    assert desk.see(accounts.session_key, token) is None
    assert desk.see(accounts.session_key, other) == digest(admin)
    refused("not-found", desk.do, accounts.revoke_key, "root", number)
    refused("conflict", desk.do, accounts.create_key, "root", "desk", "moderator", [])
    assert [row.what for row in desk.see(accounts.audit_trail, 2)] == ["revoke key", "create key"]


def test_the_last_admin_stays_while_others_need_one(desk: Desk) -> None:
    for name, role in (("one", "admin"), ("two", "admin"), ("three", "service")):
        desk.do(accounts.create_key, "x", name, role, [])
    numbers = [row.id for row in desk.rows("api_keys")]
    desk.do(accounts.revoke_key, "x", numbers[0])
    refused("conflict", desk.do, accounts.revoke_key, "x", numbers[1])
    desk.do(accounts.revoke_key, "x", numbers[2])
    desk.do(accounts.revoke_key, "x", numbers[1])
    assert not desk.see(accounts.any_keys)


def test_a_session_ends_by_itself_and_by_signing_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    token, other = (desk.do(accounts.open_session, "d") for _ in range(2))
    assert token not in repr(desk.see(everything))
    desk.do(accounts.close_session, token)
    assert [desk.see(accounts.session_key, one) for one in (token, other, "")] == [None, "d", None]
    later = now() + timedelta(hours=12, seconds=1)
    monkeypatch.setattr(accounts, "now", lambda: later)
    assert desk.see(accounts.session_key, other) is None
    desk.do(accounts.open_session, "d")
    assert len(desk.rows("sessions")) == 1


def test_policies_follow_each_other_and_an_unseen_one_is_not_replaced(desk: Desk) -> None:
    assert desk.see(policies.newest) == 0
    assert desk.see(policies.read, 0) is None
    first = desk.do(policies.replace, "ann", 'version = "1"', "why", 0)
    refused("conflict", desk.do, policies.replace, "ben", "x", None, 0)
    second = desk.do(policies.replace, "ben", 'version = "2"', None, first)
    assert desk.see(policies.newest) == second
    history = desk.see(policies.history)
    assert [(row.id, row.actor, row.note) for row in history] == [
        (second, "ben", None),
        (first, "ann", "why"),
    ]
    assert desk.see(policies.read, first).text == 'version = "1"'
    assert len(desk.rows("audit_log")) == 2


def test_a_dry_run_counts_what_another_policy_would_do(desk: Desk) -> None:
    said = ["a word", "spam", "a threat", "profanity", "casino spam"]
    ids = [desk.take(one, author="u").comment for one in said]
    desk.take("unscored", scored=False)
    desk.do(erase_comment, ANN, desk.take("spam").comment)
    desk.take("spam", site="other")
    text = 'labels = ["threat", "profanity"]\nautomatic_rejection = true\n[words]\nreject = ["casino"]\n'
    proposed = Policy.parse(text, "new", desk.pipeline.scorer.thresholds)
    found = desk.see(dry_run, desk.pipeline.policy, proposed, ["s"], 100)
    assert found.compared == 5
    assert found.before == {"publish": 2, "hold": 3}
    assert found.after == {"publish": 2, "hold": 2, "reject": 1}
    assert found.changes == {("hold", "publish"): 1, ("publish", "hold"): 1, ("hold", "reject"): 1}
    assert [(one.comment, one.before.action, one.after.action) for one in found.examples] == [
        (ids[4], "hold", "reject"),
        (ids[3], "publish", "hold"),
        (ids[1], "hold", "publish"),
    ]
    assert desk.see(dry_run, desk.pipeline.policy, proposed, (), 100).compared == 6
    assert desk.see(dry_run, desk.pipeline.policy, proposed, ["s"], 3).compared == 2


def test_a_request_that_is_repeated_gets_the_same_answer(desk: Desk) -> None:
    made = []

    def once(actor: str, key: str | None, request: str, answer: dict[str, Any]) -> Any:
        return desk.do(run_once, actor, key, request, lambda: made.append(answer) or answer)

    first, second = {"results": [{"id": "ö", "n": 1.5}], "none": None}, {"results": []}
    assert once("ann", "k", "r", first) == once("ann", "k", "r", second) == first
    assert once("ben", "k", "r", second) == once("ann", None, "r", second) == second
    assert made == [first, second, second]
    refused("conflict", once, "ann", "k", "another", second)
    set_all(desk, "idempotency", {"at": now() - timedelta(days=8)})
    once("ann", "k2", "r", first)
    assert once("ann", "k", "another", second) == second


def test_webhooks_are_told_what_they_asked_for_and_no_text(desk: Desk) -> None:
    all_of_it, _ = desk.do(
        endpoints.add_webhook, "ann", "https://a.example", ["comment.held", "comment.decided"]
    )
    held, _ = desk.do(endpoints.add_webhook, "ann", "https://b.example", ["comment.held", "comment.held"])
    kept = desk.take(LONG, "c")
    made = desk.rule(kept.comment, "reject", note=SECRET)
    assert [(row.webhook_id, row.event) for row in desk.rows("deliveries")] == [
        (all_of_it, "comment.held"),
        (held, "comment.held"),
        (all_of_it, "comment.decided"),
    ]
    payload = desk.rows("deliveries")[-1].payload
    assert payload["decision"] == made.id
    assert (payload["by"], payload["action"], payload["before"]) == ("moderator", "reject", "hold")
    assert datetime.fromisoformat(payload["at"]) == made.at
    assert SECRET not in repr(desk.rows("deliveries"))
    for wrong in ([], ["comment.eaten"]):
        refused("invalid-request", desk.do, endpoints.add_webhook, "ann", "https://a.example", wrong)


def test_a_delivery_is_taken_by_one_and_tried_again_later_and_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, secret = desk.do(endpoints.add_webhook, "ann", "https://a.example", ["comment.held"])
    desk.hold(2)
    clock = [now()]
    monkeypatch.setattr(endpoints, "now", lambda: clock[0])
    [first] = desk.do(endpoints.take_due, 1)
    assert (first.url, first.secrets) == ("https://a.example", [secret])
    [second] = desk.do(endpoints.take_due, 5)
    assert desk.do(endpoints.take_due, 5) == []
    desk.do(endpoints.record_outcome, first, 200, None)
    waits = []
    for tries in range(1, 9):
        desk.do(endpoints.record_outcome, second, 500, "no luck")
        row = desk.row("deliveries", id=second.id)
        assert (row.tries, row.status, row.error) == (tries, 500, "no luck")
        if row.state == "failed":
            break
        waits.append(row.next_try - clock[0])
        clock[0] = row.next_try - timedelta(seconds=1)
        assert desk.do(endpoints.take_due, 5) == []
        clock[0] = row.next_try
        [second] = desk.do(endpoints.take_due, 5)
    assert tuple(waits) == endpoints.BACKOFF
    clock[0] += timedelta(days=99)
    assert desk.do(endpoints.take_due, 5) == []
    states = [(row.state, row.tries) for row in desk.see(endpoints.delivery_log, hook, 9)]
    assert states == [("failed", 8), ("delivered", 1)]


def test_a_delivery_whose_worker_died_is_taken_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.do(endpoints.add_webhook, "ann", "https://a.example", ["comment.held"])
    desk.hold()
    assert len(desk.do(endpoints.take_due, 5)) == 1
    later = now() + timedelta(seconds=61)
    monkeypatch.setattr(endpoints, "now", lambda: later)
    assert len(desk.do(endpoints.take_due, 5)) == 1


def test_secrets_are_rotated_with_the_old_one_signing_until_it_is_retired(desk: Desk) -> None:
    hook, first = desk.do(endpoints.add_webhook, "ann", "https://a.example", ["comment.held"])
    second = desk.do(endpoints.rotate_secret, "ann", hook)
    assert desk.row("webhooks").secrets == [second, first]
    third = desk.do(endpoints.rotate_secret, "ann", hook)
    assert desk.row("webhooks").secrets == [third, second]
    desk.do(endpoints.retire_secret, "ann", hook)
    assert desk.row("webhooks").secrets == [third]
    assert len({first, second, third}) == 3


def test_a_webhook_that_was_removed_is_told_nothing_more(desk: Desk) -> None:
    hook, _ = desk.do(endpoints.add_webhook, "ann", "https://a.example", ["comment.held"])
    desk.hold()
    [taken] = desk.do(endpoints.take_due, 5)
    desk.do(endpoints.disable_webhook, "ann", hook)
    desk.do(endpoints.record_outcome, taken, 200, None)
    desk.hold()
    assert [row.state for row in desk.rows("deliveries")] == ["failed"]
    assert desk.see(endpoints.enabled_webhooks) == []
    for change in (endpoints.disable_webhook, endpoints.rotate_secret, endpoints.retire_secret):
        refused("not-found", desk.do, change, "ann", hook)


def test_statistics_are_what_a_hand_counts(database: Database) -> None:
    desk = Desk(database, SAMPLE)
    today = datetime.combine(now().date(), datetime.min.time(), UTC)
    spam = [desk.take("spam").comment for _ in range(4)]
    threat = desk.take("a threat").comment
    sampled = [desk.take("a word").comment for _ in range(2)]
    old = desk.take("spam").comment
    came = {one: today - timedelta(hours=number) for number, one in enumerate((*spam, threat, *sampled))}
    for one, moment in {**came, old: today - timedelta(days=40)}.items():
        set_all(desk, "comments", {"received": moment}, id=one)
        set_all(desk, "decisions", {"at": moment}, comment_id=one)
        set_all(desk, "items", {"created": moment}, comment_id=one)

    def decide(comment: int, action: str, hours: int, who: Any = ANN) -> int:
        made = desk.rule(comment, action, who)
        set_all(desk, "decisions", {"at": came[comment] + timedelta(hours=hours)}, id=made.id)
        return int(made.id)

    decide(spam[0], "reject", 1)
    decide(spam[1], "reject", 1)
    decide(spam[2], "publish", 3, BEN)
    decide(threat, "reject", 5, BEN)
    decide(threat, "publish", 6, ANN)
    taken_back = decide(spam[3], "reject", 1)
    undone = desk.undo(taken_back)
    set_all(desk, "decisions", {"at": came[spam[3]] + timedelta(hours=1)}, id=undone.id)
    decide(sampled[0], "reject", 7)
    desk.do(appeal, ANN, spam[0], None)
    found = desk.see(statistics.statistics, 3)
    days = list(found.received)
    assert days == [today.date() - timedelta(days=number) for number in (2, 1, 0)]
    assert list(found.received.values()) == [0, 6, 1]
    assert list(found.held.values()) == [0, 4, 1]
    assert sum(found.decided.values()) == 6
    assert sum(found.overturned.values()) == 2
    assert found.by_label == {"spam": statistics.Precision(3, 2), "threat": statistics.Precision(1, 0)}
    assert found.by_label["spam"].share == pytest.approx(2 / 3)
    assert found.by_moderator == {"ann": 4, "ben": 2}
    assert found.waiting == {"held": 2, "sample": 1, "appeal": 1}
    assert found.sampled == statistics.Precision(1, 1)
    assert found.appeals == {"open": 1}
    assert found.time_to_decision == timedelta(hours=3).total_seconds()
    age = (now() - today).total_seconds() + 40 * 86400
    assert found.oldest_age == pytest.approx(age, abs=60)
    assert (found.second_reviews, found.agreement, found.kappa) == (0, None, None)
    nobody = desk.see(statistics.statistics, 3, ["nowhere"])
    assert (nobody.oldest_age, nobody.median_age, nobody.time_to_decision) == (None, None, None)
    assert (nobody.by_label, nobody.sampled.share, nobody.waiting) == ({}, None, {})
    assert desk.see(statistics.statistics, 50).held[today.date() - timedelta(days=40)] == 1


def test_agreement_of_second_reviews_is_of_the_sites_that_are_asked_for(database: Database) -> None:
    desk = Desk(database, SECOND)
    for site, second in (("x", "reject"), ("x", "reject"), ("x", "publish"), ("y", "publish")):
        [one] = desk.hold(site=site)
        desk.rule(one, "reject", ANN)
        desk.rule(one, second, BEN)
    found = desk.see(statistics.statistics, 1)
    assert (found.second_reviews, found.agreement) == (4, 0.5)
    found = desk.see(statistics.statistics, 1, ["y"])
    assert (found.second_reviews, found.agreement) == (1, 0.0)


def test_kappa_is_agreement_beyond_chance() -> None:
    # Cohen's example by hand: 20 and 15 agreed, 5 and 10 not; seen 0.7, by chance 0.5.
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15
    assert statistics.cohen_kappa(pairs) == pytest.approx(0.4)
    assert statistics.cohen_kappa([]) is None
    assert statistics.cohen_kappa([("a", "a")] * 3) == 1.0
    assert statistics.cohen_kappa([("a", "b"), ("b", "a")]) == -1.0
