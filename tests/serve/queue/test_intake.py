"""Ingestion of comments: once, again, edited, unscored, sampled, in campaigns."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import update

from belowline.model.signatures import signature_of
from belowline.serve.queue import comments, near_duplicates
from belowline.serve.queue.intake import Author, Thread, ingest
from belowline.serve.store import tables
from belowline.serve.store.database import Database
from tests.support.store_fakes import ANN, REJECTING, SAMPLE, Desk, everything

OFFER = "{} made {} from home in one single week with this simple trick, look at my page"


def test_what_was_taken_in_comes_back_whole(desk: Desk) -> None:
    zone = timezone(timedelta(hours=5, minutes=45))
    kept = desk.take(
        "שלום spam 😀 it's",
        "c",
        author=Author("u1", "Uri", "staff"),
        thread=Thread("t1", "Title", "https://x.example/1", "Lead"),
        parent="p",
        parent_text="the parent",
        written=datetime(2026, 1, 2, 3, 4, 5, 6, zone),
    )
    [found] = desk.see(comments.load, [kept.comment])
    assert (found.text, found.language, found.revision, found.action) == (
        "שלום spam 😀 it's",
        "en",
        1,
        "hold",
    )
    assert (found.parent, found.parent_text, found.copies) == ("p", "the parent", 1)
    assert found.written == datetime(2026, 1, 1, 21, 19, 5, 6, UTC)
    assert found.written.utcoffset() == timedelta(0)
    assert (found.author.name, found.author.role, found.author.held) == ("Uri", "staff", 1)
    assert (found.thread.title, found.thread.lead) == ("Title", "Lead")
    assert (found.probabilities["spam"], found.probabilities["hate"]) == (0.9, 0.01)
    [span] = found.evidence
    assert span.model_dump() == {"label": "spam", "start": 5, "end": 9, "strength": 0.8765}
    assert (found.decision.actor, found.decision.spans) == ("system", [[5, 9]])
    assert (found.item.kind, found.item.label, found.item.priority) == ("held", "spam", 0.9)
    assert found.author.caller_id == "u1"
    assert desk.see(comments.load, [kept.comment + 1]) == []


def test_a_comment_that_is_published_has_a_decision_and_no_place_in_the_queue(desk: Desk) -> None:
    kept = desk.take("a friendly word")
    assert (kept.action, kept.changed, kept.result.action) == ("publish", True, "publish")
    assert desk.row("decisions").action == "publish"
    assert desk.rows("items") == []


def test_the_same_comment_again_changes_nothing_and_gets_the_same_answer(desk: Desk) -> None:
    first = desk.take("spam", "a", author="u", thread="t")
    before = {name: desk.rows(name) for name in ("comments", "revisions", "scores", "decisions", "items")}
    again = desk.take("spam", "a", author="u", thread="t")
    assert (again.comment, again.result, again.changed) == (first.comment, first.result, False)
    assert before == {name: desk.rows(name) for name in before}


def test_the_same_comment_again_tells_what_a_moderator_decided_since(desk: Desk) -> None:
    kept = desk.take("spam", "a")
    desk.rule(kept.comment, "publish")
    again = desk.take("spam", "a")
    assert (again.action, again.result.action, again.changed) == ("publish", "hold", False)


def test_two_of_a_kind_in_one_call_are_one_comment(desk: Desk) -> None:
    with desk.database.write() as tx:
        both = [desk.incoming("spam", "a"), desk.incoming("spam", "a")]
        first, second = ingest(tx, desk.pipeline, "s", None, both)
    assert (first.comment, first.changed, second.changed) == (second.comment, True, False)
    assert len(desk.rows("decisions")) == 1


def test_ids_belong_to_their_site(desk: Desk) -> None:
    one, other = desk.take("spam", "a", site="x"), desk.take("spam", "a", site="y")
    assert one.comment != other.comment
    assert desk.see(comments.find, "y:a") == other.comment
    assert desk.see(comments.find, str(one.comment)) == one.comment
    for strange in ("x:b", "z:a", "", ":", "x", "999999999", "999999999999999", "9" * 30):
        assert desk.see(comments.find, strange) is None
        assert desk.see(comments.find, strange, table=tables.authors) is None


def test_an_edit_is_a_revision_that_is_judged_anew_and_leaves_the_queue(desk: Desk) -> None:
    kept = desk.take("spam", "a")
    edited = desk.take("a friendly word", "a")
    assert (edited.comment, edited.action, edited.changed) == (kept.comment, "publish", True)
    assert [(row.number, row.text) for row in desk.rows("revisions")] == [(1, "spam"), (2, "a friendly word")]
    assert [(row.revision, row.action, row.before) for row in desk.rows("decisions")] == [
        (1, "hold", None),
        (2, "publish", "hold"),
    ]
    assert desk.waiting(kept.comment) is None
    assert len(desk.rows("scores")) == 2


def test_an_edit_renews_the_item_that_waits_and_ends_its_lease(desk: Desk) -> None:
    kept = desk.take("spam", "a")
    desk.claim("ann")
    before = desk.waiting(kept.comment)
    desk.take("a threat", "a")
    after = desk.waiting(kept.comment)
    assert (after.id, after.created, after.label) == (before.id, before.created, "threat")
    assert (before.claimed_by, after.claimed_by) == ("ann", None)


def test_edited_after_a_person_rejected_it_is_held(desk: Desk) -> None:
    kept = desk.take("spam", "a")
    desk.rule(kept.comment, "reject")
    edited = desk.take("now it is friendly", "a")
    assert (edited.action, edited.result.reason.code) == ("hold", "edited")
    assert desk.waiting(kept.comment).code == "edited"
    desk.rule(kept.comment, "publish")
    assert desk.take("friendlier still", "a").action == "publish"


def test_edited_after_the_policy_rejected_it_may_be_published(database: Database) -> None:
    desk = Desk(database, REJECTING)
    assert desk.take("a threat", "a").action == "reject"
    assert desk.take("now it is friendly", "a").action == "publish"


def test_held_only_leaves_no_trace_of_what_is_published(desk: Desk) -> None:
    before = desk.see(everything)
    kept = desk.take("a friendly word", author=Author("u", "Uri"), thread=Thread("t", "T"), held_only=True)
    assert (kept.comment, kept.action, kept.changed) == (0, "publish", False)
    assert desk.see(everything) == before
    assert desk.take("spam", author="u", held_only=True).comment > 0


def test_held_only_keeps_an_edit_of_what_is_known(desk: Desk) -> None:
    kept = desk.take("spam", "a", held_only=True)
    assert desk.take("a friendly word", "a", held_only=True).comment == kept.comment
    assert desk.stands(kept.comment) == "publish"
    assert desk.waiting(kept.comment) is None


def test_nul_is_replaced_so_that_every_database_can_keep_it(desk: Desk) -> None:
    kept = desk.take("a\x00spam", "a")
    assert desk.row("comments").text == "a\ufffdspam"
    assert desk.row("decisions").spans == [[2, 6]]
    assert not desk.take("a\x00spam", "a").changed
    assert kept.result.evidence[0].start == 2


def test_what_could_not_be_scored_waits_and_is_decided_once_scores_come(desk: Desk) -> None:
    kept = desk.take("a friendly word", "a", scored=False)
    item = desk.waiting(kept.comment)
    assert (kept.action, item.code, item.priority, item.label) == ("hold", "scoring_failed", 0.5, None)
    assert not desk.take("a friendly word", "a", scored=False).changed
    again = desk.take("a friendly word", "a")
    assert (again.action, again.changed, again.comment) == ("publish", True, kept.comment)
    assert desk.waiting(kept.comment) is None
    assert desk.row("comments").revision == 1
    assert len(desk.rows("revisions")) == 1
    assert [row.probabilities == {} for row in desk.rows("scores")] == [True, False]


@pytest.mark.parametrize("decided", ["publish", "reject"])
def test_scores_that_come_after_a_person_decided_change_nothing(desk: Desk, decided: str) -> None:
    kept = desk.take("spam", "a", scored=False)
    desk.rule(kept.comment, decided)
    again = desk.take("spam", "a")
    assert (again.action, again.changed) == (decided, False)
    assert desk.waiting(kept.comment) is None


def test_a_sample_of_what_is_published_waits_and_stays_published(database: Database) -> None:
    desk = Desk(database, SAMPLE)
    kept = desk.take("a friendly word", "a")
    item = desk.waiting(kept.comment)
    assert (kept.action, item.kind, item.action, desk.stands(kept.comment)) == (
        "publish", "sample", "publish", "publish",
    )  # fmt: skip
    assert 0 <= item.priority < 1
    assert desk.rule(kept.comment, "reject").via == "sample"
    assert desk.stands(kept.comment) == "reject"


def test_what_the_policy_rejects_is_no_sample_of_what_it_publishes(database: Database) -> None:
    desk = Desk(database, SAMPLE + REJECTING)
    kept = desk.take("a threat")
    assert kept.action == "reject"
    assert desk.waiting(kept.comment) is None


def test_a_sample_of_half_is_about_half(database: Database) -> None:
    desk = Desk(database, "sample = 0.5\n")
    with database.write() as tx:
        ingest(tx, desk.pipeline, "s", None, [desk.incoming("a word") for _ in range(200)])
    assert 70 < len(desk.rows("items", kind="sample")) < 130


def test_samples_are_mixed_evenly_among_what_is_held(database: Database) -> None:
    desk = Desk(database, "sample = 0.2\n")
    with database.write() as tx:
        incoming = [desk.incoming("a word", f"c{number}") for number in range(200)]
        ingest(tx, desk.pipeline, "s", None, incoming)
    priorities = [row.priority for row in desk.rows("items", kind="sample")]
    assert sum(priority > 0.5 for priority in priorities) > len(priorities) / 4


def test_threads_and_authors_are_kept_once_and_follow_what_is_told(desk: Desk) -> None:
    desk.take("x", author=Author("u", "Old"), thread=Thread("t", "Old", "https://x.example"))
    desk.take("y", author=Author("u", "New", "staff"), thread=Thread("t", "New"))
    desk.take("z", author=Author("u", "New", "staff"), thread=Thread("t"))
    thread, author = desk.row("threads"), desk.row("authors")
    assert (thread.title, thread.url) == ("New", "https://x.example")
    assert (author.name, author.role) == ("New", "staff")
    assert {row.author_id for row in desk.rows("comments")} == {author.id}


def test_an_author_is_new_until_enough_of_theirs_stands_published(database: Database) -> None:
    desk = Desk(database, "[new_authors]\ncomments = 2\n")
    first = [desk.take("a word", author="u") for _ in range(2)]
    assert [one.result.reason.code for one in first] == ["new_author", "new_author"]
    for one in first:
        desk.rule(one.comment, "publish")
    assert desk.take("a word", author="u").action == "publish"
    assert desk.take("a word", author="v").action == "hold"
    assert desk.take("a word").action == "publish"
    [record] = desk.see(comments.records, {first[0].result and desk.rows("authors")[0].id}).values()
    assert (record.published, record.held, record.rejected) == (3, 0, 0)


def test_a_person_who_is_trusted_is_published(database: Database) -> None:
    desk = Desk(database, 'trusted_authors = ["u"]\ntrusted_roles = ["staff"]\n')
    assert desk.take("spam", author="u").action == "publish"
    assert desk.take("spam", author=Author("v", role="staff")).action == "publish"
    assert desk.take("spam", author="v").action == "hold"


def test_near_copies_are_one_campaign_that_is_held_from_the_third_on(database: Database) -> None:
    desk = Desk(database, "[campaign]\ncopies = 3\n")
    kept = [desk.take(OFFER.format(name, much)) for name, much in (("Sue", 5), ("Bob", 77), ("Eve", 812))]
    other = desk.take("the harbour opens again next week, says the mayor of our little town")
    assert [one.action for one in (*kept, other)] == ["publish", "publish", "hold", "publish"]
    assert kept[2].result.reason.code == "campaign"
    assert {row.campaign for row in desk.rows("comments")[:3]} == {kept[0].comment}
    assert desk.see(near_duplicates.copies_in, kept[0].comment) == 3
    assert desk.see(near_duplicates.copies_in, None) == 0
    assert [one.copies for one in desk.see(comments.load, [one.comment for one in (*kept, other)])] == [
        3,
        3,
        3,
        1,
    ]
    assert desk.take(OFFER.format("Ann", 9), site="other").action == "publish"


def test_copies_of_long_ago_do_not_count(database: Database) -> None:
    desk = Desk(database, "[campaign]\ncopies = 2\n")
    old = desk.take(OFFER.format("Sue", 5)).comment
    long_ago = datetime.now(UTC) - timedelta(days=31)
    desk.do(lambda tx: tx.execute(update(tables.comments).values(received=long_ago)))
    new = desk.take(OFFER.format("Bob", 7))
    assert (new.action, desk.row("comments", id=new.comment).campaign) == ("publish", new.comment)
    assert desk.row("comments", id=old).campaign == old


def test_short_texts_are_no_campaign() -> None:
    assert signature_of("thank you very much") is None
    first = signature_of(OFFER.format("Sue", "https://a.example/1"))
    assert first is not None
    assert first == signature_of(OFFER.format("Sue", "https://b.example/2"))
    assert len(first.bands) == len(set(first.bands)) == 12
    assert len(first.values) == 240


def test_searching_finds_words_whatever_their_case(desk: Desk) -> None:
    desk.take("Ärger spam über 100% des Hafens", "a", author="u", thread="t")
    desk.take("friendly", "b", site="other")
    desk.take("a hundred", "c")

    def names(**wanted: object) -> list[str]:
        found, _ = desk.see(comments.search, comments.Search(**wanted), 10)
        return [one.caller_id for one in found]

    assert names() == ["c", "b", "a"]
    assert names(words="ärger SPAM Ü") == names(words="100%") == names(action="hold") == ["a"]
    assert names(words="1__%") == names(words="\\") == []
    assert names(sites=("other",)) == ["b"]
    assert names(author=desk.row("authors").id) == names(thread=desk.row("threads").id) == ["a"]
    assert names(campaign=desk.row("comments", caller_id="a").campaign) == ["a"]


def test_pages_of_a_search_meet_every_comment_once(desk: Desk) -> None:
    ids = desk.hold(7)
    found, after = [], None
    while True:
        page, after = desk.see(comments.search, comments.Search(), 3, after)
        found += [one.id for one in page]
        if after is None:
            break
    assert found == ids[::-1]


def test_the_history_of_a_comment_has_all_in_order(desk: Desk) -> None:
    kept = desk.take("spam", "a")
    desk.take("a threat", "a")
    desk.rule(kept.comment, "reject", ANN, note="no")
    history = desk.see(comments.history, kept.comment)
    assert [row["text"] for row in history["revisions"]] == ["spam", "a threat"]
    assert [row["actor"] for row in history["decisions"]] == ["system", "system", "ann"]
    assert history["appeals"] == []


def test_a_batch_that_fails_keeps_nothing(desk: Desk) -> None:
    class Stop(Exception):
        pass

    def fail(tx):
        ingest(tx, desk.pipeline, "s", None, [desk.incoming("spam")])
        raise Stop

    with pytest.raises(Stop):
        desk.do(fail)
    assert desk.rows("comments") == desk.rows("items") == []


def test_nul_in_a_name_a_title_or_a_search_is_no_fault_on_any_database(desk: Desk) -> None:
    kept = desk.take("spam", author=Author("u", "a\x00b"), thread=Thread("t", "a\x00b"), parent_text="\x00")
    desk.rule(kept.comment, "reject", note="a\x00b")
    assert desk.row("authors").name in ("a\x00b", "a\ufffdb")
    assert desk.see(comments.search, comments.Search(words="a\x00b"), 10) == ([], None)
    assert desk.see(comments.find, "a\x00b:c") is None
