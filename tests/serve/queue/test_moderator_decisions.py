"""Moderator decisions: append-only, refused on stale state, undone, made in bulk, reviewed a second time."""

from typing import Any

import pytest
from sqlalchemy import update

from belowline.serve.queue import decision_log, moderator_decisions, queue_items, reviews
from belowline.serve.queue.appeals import appeal
from belowline.serve.queue.decision_log import LogFilter
from belowline.serve.queue.erasure import erase_comment
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database, now
from belowline.serve.store.tables import items
from tests.support.store_fakes import ANN, BEN, CLEO, REJECTING, SAMPLE, SECOND, Desk, refused

TRIAGE = Actor("tim", role="triage")
ELSEWHERE = Actor("eve", sites=("elsewhere",))
OFFER = "spam: {} made {} from home in one single week with this simple trick, look at my page"


def test_a_decision_tells_what_was_decided_by_whom_and_upon_what(desk: Desk) -> None:
    [only] = desk.hold()
    item = desk.waiting(only)
    made = desk.rule(
        only, "reject", labels=("spam",), code="spam", note="an offer", blind=True, via="console"
    )
    assert (made.actor, made.via, made.action, made.before) == ("ann", "console", "reject", "hold")
    assert (made.labels, made.code, made.note, made.blind) == (["spam"], "spam", "an offer", True)
    assert (made.policy, made.model, made.scores["spam"]) == (desk.pipeline.policy.version, "9.9.9", 0.9)
    assert (made.revision, made.item_id, made.rule) == (1, item.id, "moderator: reject")
    assert desk.stands(only) == "reject"
    assert desk.waiting(only) is None
    assert desk.row("decisions", id=made.id) == made


def test_decisions_are_only_added(desk: Desk) -> None:
    [only] = desk.hold()
    before: list[Any] = []
    for action, who in (("reject", ANN), ("publish", BEN), ("hold", CLEO), ("publish", ANN)):
        desk.rule(only, action, who)
        rows = list(desk.rows("decisions"))
        assert rows[: len(before)] == before
        assert [row.before for row in rows] == [None, *(row.action for row in rows[:-1])]
        before = rows
    desk.undo(before[-1].id)
    assert list(desk.rows("decisions"))[:5] == before


def test_hold_keeps_the_item_for_somebody_to_come_back_to(desk: Desk) -> None:
    [only] = desk.hold()
    desk.claim("ann")
    desk.rule(only, "hold")
    assert (desk.waiting(only).state, desk.waiting(only).claimed_by) == ("open", None)
    assert desk.claim("ben") == [only]


def test_hold_brings_a_published_comment_into_the_queue(desk: Desk) -> None:
    kept = desk.take("a word", author="u", thread="t")
    desk.rule(kept.comment, "hold", labels=("hate",), code="hate_speech")
    item = desk.waiting(kept.comment)
    assert (item.kind, item.label, item.code, item.action) == ("held", "hate", "hate_speech", "hold")
    assert None not in (item.author_id, item.thread_id)


def test_what_is_not_there_or_anothers_site_is_unknown(desk: Desk) -> None:
    [only] = desk.hold()
    for number in (0, -1, only + 1, 2**31 - 1):
        refused("not-found", desk.rule, number)
        refused("not-found", desk.undo, number)
        refused("not-found", desk.do, appeal, ANN, number, None)
        refused("not-found", desk.do, erase_comment, ANN, number)
    refused("not-found", desk.rule, only, "reject", ELSEWHERE)
    refused("not-found", desk.do, appeal, ELSEWHERE, only, None)
    refused("not-found", desk.do, erase_comment, ELSEWHERE, only)
    made = desk.rule(only)
    refused("not-found", desk.undo, made.id, ELSEWHERE, any_actor=True)


def test_nothing_newer_is_overruled_unseen(desk: Desk) -> None:
    kept = desk.take("spam", "a")
    seen = desk.rows("decisions")[-1].id
    desk.take("a threat", "a")
    assert "edited" in refused("conflict", desk.rule, kept.comment, revision=1)
    assert "newer decision" in refused("conflict", desk.rule, kept.comment, after=seen)
    made = desk.rule(kept.comment, revision=2, after=desk.rows("decisions")[-1].id)
    assert "newer decision" in refused("conflict", desk.rule, kept.comment, who=BEN, after=seen)
    assert desk.rule(kept.comment, "publish", BEN, after=made.id).before == "reject"
    assert len(desk.rows("decisions")) == 4


def test_what_another_holds_is_theirs_until_the_lease_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    [only] = desk.hold()
    desk.claim("ann")
    assert "holds" in refused("conflict", desk.rule, only, "reject", BEN)
    later = now() + queue_items.LEASE * 2
    monkeypatch.setattr(moderator_decisions, "now", lambda: later)
    assert desk.rule(only, "reject", BEN).actor == "ben"


def test_what_was_erased_is_not_decided_undone_or_appealed(desk: Desk) -> None:
    [one, other] = desk.hold(2)
    made = desk.rule(one)
    for comment in (one, other):
        desk.do(erase_comment, ANN, comment)
        assert "erased" in refused("conflict", desk.rule, comment)
        refused("conflict", desk.do, appeal, ANN, comment, "please")
    assert "erased" in refused("conflict", desk.undo, made.id)
    assert desk.waiting(one) is desk.waiting(other) is None


def test_undo_restores_what_stood_and_the_item_for_who_undid(desk: Desk) -> None:
    [only] = desk.hold()
    item = desk.waiting(only)
    made = desk.rule(only, "reject")
    undone = desk.undo(made.id)
    assert (undone.action, undone.before, undone.via, undone.undoes) == ("hold", "reject", "undo", made.id)
    again = desk.waiting(only)
    assert (again.id, again.kind, again.claimed_by, again.closed) == (item.id, item.kind, "ann", None)
    assert desk.stands(only) == "hold"
    assert desk.rule(only, "publish").before == "hold"


def test_undo_of_a_decision_without_an_item_restores_what_stood(desk: Desk) -> None:
    kept = desk.take("a word")
    for action in ("hold", "reject"):
        made = desk.rule(kept.comment, action)
        desk.undo(made.id)
        assert desk.stands(kept.comment) == "publish"
        assert desk.waiting(kept.comment) is None


def test_undo_of_a_hold_leaves_the_item_there(desk: Desk) -> None:
    [only] = desk.hold()
    item = desk.waiting(only)
    desk.undo(desk.rule(only, "hold").id)
    assert desk.waiting(only).id == item.id
    assert desk.stands(only) == "hold"


def test_only_the_last_decision_of_a_person_is_undone_by_whom_it_may_be(desk: Desk) -> None:
    [only] = desk.hold()
    system = desk.row("decisions")
    assert "policy" in refused("conflict", desk.undo, system.id, any_actor=True)
    first = desk.rule(only, "reject")
    refused("forbidden", desk.undo, first.id, BEN)
    second = desk.rule(only, "publish", BEN)
    refused("conflict", desk.undo, first.id)
    undone = desk.undo(second.id, ANN, any_actor=True)
    assert (undone.actor, undone.action) == ("ann", "reject")
    refused("conflict", desk.undo, second.id, BEN)
    assert refused("conflict", desk.undo, undone.id, any_actor=True)
    desk.take("a threat", desk.row("comments").caller_id)
    refused("conflict", desk.undo, undone.id, any_actor=True)


def test_undo_of_an_answer_reopens_the_appeal(desk: Desk) -> None:
    [only] = desk.hold()
    desk.rule(only, "reject")
    noted = desk.do(appeal, ANN, only, "please")
    answer = desk.rule(only, "publish", BEN)
    assert desk.row("appeals").answered_by == answer.id
    desk.undo(answer.id, BEN)
    row = desk.row("appeals")
    assert (row.id, row.state, row.answered_by, desk.stands(only)) == (noted.id, "open", None, "reject")
    item = desk.waiting(only)
    assert (item.kind, item.not_for, item.claimed_by) == ("appeal", "ann", "ben")
    assert desk.rule(only, "reject", BEN).via == "appeal"
    assert desk.row("appeals").state == "upheld"


def test_undo_takes_back_the_second_review_that_the_decision_called_for(database: Database) -> None:
    desk = Desk(database, SECOND)
    [only] = desk.hold()
    made = desk.rule(only, "reject")
    assert desk.waiting(only).kind == "second"
    desk.undo(made.id)
    assert (desk.waiting(only).kind, len(desk.rows("items", state="closed"))) == ("held", 1)


def test_an_appeal_comes_first_and_is_somebody_elses(desk: Desk) -> None:
    one, other = desk.hold(2)
    made = desk.rule(one, "reject", labels=("spam",))
    noted = desk.do(appeal, ANN, one, "I meant no harm")
    assert (noted.decision_id, noted.text, noted.state) == (made.id, "I meant no harm", "open")
    item = desk.waiting(one)
    assert (item.kind, item.priority, item.not_for, item.label) == ("appeal", 1.0, "ann", "spam")
    assert desk.claim("ann") == [other]
    assert desk.claim("ben") == [one]
    answer = desk.rule(one, "publish", BEN)
    assert (answer.via, answer.before) == ("appeal", "reject")
    row = desk.row("appeals")
    assert (row.state, row.answered_by) == ("overturned", answer.id)


def test_who_decided_first_and_who_only_sorts_does_not_answer(desk: Desk) -> None:
    [only] = desk.hold()
    desk.rule(only, "reject")
    desk.do(appeal, ANN, only, None)
    assert "another moderator" in refused("forbidden", desk.rule, only, "publish", ANN)
    assert "moderator" in refused("forbidden", desk.rule, only, "publish", TRIAGE)
    desk.rule(only, "reject", BEN)
    assert desk.row("appeals").state == "upheld"


def test_an_appeal_against_the_policy_is_for_anybody(database: Database) -> None:
    desk = Desk(database, REJECTING)
    kept = desk.take("a threat")
    desk.do(appeal, ANN, kept.comment, "a joke")
    assert desk.waiting(kept.comment).not_for is None
    assert desk.claim("ann") == [kept.comment]


def test_what_is_published_or_appealed_already_is_not_appealed(desk: Desk) -> None:
    refused("conflict", desk.do, appeal, ANN, desk.take("a word").comment, "why")
    [only] = desk.hold()
    desk.do(appeal, ANN, only, "why do I wait")
    refused("conflict", desk.do, appeal, ANN, only, "again")
    desk.rule(only, "reject")
    assert desk.row("appeals").state == "upheld"
    desk.do(appeal, ANN, only, "once more")
    assert [row.state for row in desk.rows("appeals")] == ["upheld", "open"]


def test_an_appeal_that_was_put_off_is_upheld_if_it_ends_as_it_began(desk: Desk) -> None:
    [only] = desk.hold()
    desk.rule(only, "reject")
    desk.do(appeal, ANN, only, "please")
    desk.rule(only, "hold", BEN)
    assert (desk.row("appeals").state, desk.waiting(only).kind) == ("open", "appeal")
    desk.rule(only, "reject", BEN)
    assert desk.row("appeals").state == "upheld"


def test_no_appeal_stays_open_behind_a_decision(desk: Desk) -> None:
    undone, edited, published = desk.hold(3)
    made = desk.rule(undone, "reject")
    desk.do(appeal, ANN, undone, "please")
    desk.undo(made.id)
    desk.rule(undone, "publish")
    desk.do(appeal, ANN, edited, "please")
    desk.take("a threat", desk.row("comments", id=edited).caller_id)
    desk.rule(edited, "reject")
    desk.do(appeal, ANN, published, "please")
    desk.take("a friendly word", desk.row("comments", id=published).caller_id)
    states = {row.comment_id: row.state for row in desk.rows("appeals")}
    assert states == {undone: "overturned", edited: "upheld", published: "overturned"}


def test_undo_that_publishes_answers_the_appeal_against_what_it_takes_back(desk: Desk) -> None:
    kept = desk.take("a word")
    made = desk.rule(kept.comment, "reject")
    desk.do(appeal, ANN, kept.comment, "why")
    undone = desk.undo(made.id)
    row = desk.row("appeals")
    assert (row.state, row.answered_by, desk.stands(kept.comment)) == ("overturned", undone.id, "publish")
    assert desk.waiting(kept.comment) is None


def test_one_ruling_decides_a_campaign(desk: Desk) -> None:
    copies = [
        desk.take(OFFER.format(name, much)).comment for name, much in (("Sue", 5), ("Bob", 7), ("Eve", 9))
    ]
    [other] = desk.hold()
    desk.claim("ben", 1, "oldest")
    found = desk.rule_all("reject", campaign=copies[0])
    assert found.skipped == copies[:1]
    assert [row.comment_id for row in desk.rows("decisions", via="bulk")] == copies[1:]
    assert found.decisions == [row.id for row in desk.rows("decisions", via="bulk")]
    assert [desk.stands(one) for one in (*copies, other)] == ["hold", "reject", "reject", "hold"]


def test_one_ruling_decides_an_authors_comments(desk: Desk) -> None:
    ids = desk.hold(2, author="u")
    published = desk.take("a word", author="u").comment
    [other] = desk.hold(author="v")
    author = desk.row("authors", caller_id="u").id
    assert len(desk.rule_all("reject", author=author).decisions) == 2
    assert [desk.stands(one) for one in (*ids, published, other)] == ["reject", "reject", "publish", "hold"]
    assert len(desk.rule_all("reject", author=author, queued_only=False).decisions) == 1
    assert desk.stands(published) == "reject"
    assert desk.rule_all("reject", author=author, queued_only=False).decisions == []
    assert desk.rule_all("reject", author=author + 9).act is None, "nobody is there, so there is no act"


def test_one_ruling_decides_chosen_comments_of_sites_that_are_seen(desk: Desk) -> None:
    [here] = desk.hold()
    [there] = desk.hold(site="elsewhere")
    found = desk.rule_all("publish", ELSEWHERE, chosen=[here, there, there + 1])
    assert (len(found.decisions), found.skipped) == (1, [])
    assert (desk.stands(here), desk.stands(there)) == ("hold", "publish")
    refused("invalid-request", desk.rule_all)


def test_what_may_not_be_decided_is_skipped_and_the_rest_is_kept(desk: Desk) -> None:
    mine, erased, good = desk.hold(3)
    desk.do(lambda tx: tx.execute(update(items).where(items.c.comment_id == mine).values(not_for="ann")))
    desk.do(erase_comment, ANN, erased)
    found = desk.rule_all("reject", chosen=[mine, erased, good], queued_only=False)
    assert (len(found.decisions), found.skipped) == (1, [mine, erased])
    assert desk.stands(good) == "reject"


def test_a_second_review_is_somebody_elses_and_compared(database: Database) -> None:
    desk = Desk(database, SECOND)
    agreed, differed, thought_over = desk.hold(3)
    for one in (agreed, differed, thought_over):
        desk.rule(one, "reject")
        item = desk.waiting(one)
        assert (item.kind, item.not_for, item.action, item.site) == ("second", "ann", "reject", "s")
    assert desk.claim("ann", 9) == []
    refused("forbidden", desk.rule, agreed, "reject", ANN)
    assert desk.rule(agreed, "reject", BEN).via == "second"
    desk.rule(differed, "publish", BEN)
    assert desk.waiting(agreed) is desk.waiting(differed) is None
    assert sorted(desk.see(reviews.pairs)) == [("reject", "publish"), ("reject", "reject")]
    [row] = desk.see(reviews.results)
    assert (row.kind, row.actor, row.answered, row.agreed) == ("second", "ben", 2, 1)


def test_a_second_review_of_a_sample_is_asked_for_too(database: Database) -> None:
    desk = Desk(database, SAMPLE + SECOND)
    kept = desk.take("a word")
    desk.rule(kept.comment, "publish")
    assert desk.waiting(kept.comment).kind == "second"


def test_the_share_of_second_reviews_is_the_policys(database: Database) -> None:
    desk = Desk(database, "second_review = 0.5\n")
    for one in desk.hold(40):
        desk.rule(one)
    assert 8 < len(desk.rows("items", kind="second")) < 32


def test_golden_items_check_everybody_but_who_made_them(desk: Desk) -> None:
    one, other, undecided = desk.hold(3)
    desk.rule(one, "reject", labels=("spam",))
    desk.rule(other, "publish")
    refused("conflict", desk.do, reviews.make_golden, "ann", undecided)
    refused("not-found", desk.do, reviews.make_golden, "ann", undecided + 1)
    for comment in (one, other, one):
        desk.do(reviews.make_golden, "ann", comment)
    assert [(row.action, row.labels) for row in desk.rows("golden")] == [
        ("reject", ["spam"]),
        ("publish", []),
    ]
    assert desk.see(reviews.golden_for, "ann", ()) is None
    assert desk.see(reviews.golden_for, "ben", ("elsewhere",)) is None
    assert desk.see(reviews.golden_for, "ben", ("s",)) == one
    assert desk.do(reviews.answer_golden, "ben", one, "reject") is True
    assert desk.see(reviews.golden_for, "ben", ()) == other
    assert desk.do(reviews.answer_golden, "ben", other, "reject") is False
    assert desk.do(reviews.answer_golden, "ben", other, "publish") is True
    assert desk.see(reviews.golden_for, "ben", ()) is None
    [row] = desk.see(reviews.results)
    assert (row.kind, row.answered, row.agreed) == ("golden", 2, 1), "the first answer counts"
    desk.do(reviews.drop_golden, one)
    refused("not-found", desk.do, reviews.answer_golden, "cleo", one, "reject")
    assert len(desk.rows("reviews")) == 2
    assert desk.stands(other) == "publish"


def test_the_log_is_paged_filtered_and_streamed(desk: Desk) -> None:
    ids = [*desk.hold(3), *desk.hold(2, site="other")]
    for one in ids:
        desk.rule(one, "publish" if one == ids[0] else "reject", BEN if one == ids[1] else ANN)

    def found(**wanted: Any) -> list[int]:
        rows, _ = desk.see(decision_log.page, LogFilter(**wanted), 100, None)
        return [row["comment_id"] for row in rows]

    assert found(kind="people") == ids[::-1]
    assert found(actor="ben") == [ids[1]]
    assert found(action="publish") == [ids[0]]
    assert found(kind="people", sites=("other",)) == ids[:2:-1]
    assert found(since=desk.rows("decisions")[-1].at) == ids[-1:]
    pages, after = [], None
    for _ in range(9):
        rows, after = desk.see(decision_log.page, LogFilter(), 3, after)
        pages += [row["id"] for row in rows]
        if after is None:
            break
    everything = [row.id for row in desk.rows("decisions")]
    assert pages == everything[::-1]
    assert [row["id"] for row in decision_log.stream(desk.database, LogFilter(), 0)] == everything
    assert [
        row["id"] for row in decision_log.stream(desk.database, LogFilter(), everything[3])
    ] == everything[4:]
    last = desk.see(decision_log.read, everything[-1])
    assert (last["site"], last["actor"], last["caller_id"]) == ("other", "ann", "c5")
    assert desk.see(decision_log.read, everything[-1] + 1) is None


def test_a_long_log_is_streamed_in_pieces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_log, "_AT_ONCE", 2)
    desk.hold(5)
    assert len(list(decision_log.stream(desk.database, LogFilter(), 0))) == 5


def test_undo_leaves_an_appeal_against_what_stands_again(database: Database) -> None:
    desk = Desk(database, REJECTING)
    kept = desk.take("a threat")
    made = desk.rule(kept.comment, "hold")
    desk.do(appeal, ANN, kept.comment, "why")
    desk.undo(made.id)
    assert (desk.stands(kept.comment), desk.waiting(kept.comment).kind) == ("reject", "appeal")
    desk.rule(kept.comment, "publish", BEN)
    assert desk.row("appeals").state == "overturned"
