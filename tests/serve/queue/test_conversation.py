"""Parents, trees of threads, the comments around one, and the search by author, id and date."""

from datetime import UTC, datetime, timedelta

import pytest

from belowline.serve.queue import comments, conversation, erasure
from belowline.serve.queue.comments import Search
from belowline.serve.queue.intake import Author
from tests.support.store_fakes import ANN, Desk

START = datetime(2026, 11, 28, 12, tzinfo=UTC)


def talk(desk: Desk, *said: tuple[str, str | None], thread: str = "t", site: str = "s") -> dict[str, int]:
    """Ingest comments of a thread by their name and their parent's, an hour apart; return their ids."""
    return {
        name: desk.take(
            f"{name} says this",
            name,
            thread=thread,
            parent=parent,
            written=START + timedelta(hours=at),
            site=site,
        ).comment
        for at, (name, parent) in enumerate(said)
    }


def drawn(desk: Desk, places: list[conversation.Place]) -> list[str]:
    return ["-" * one.depth + desk.row("comments", id=one.comment).caller_id for one in places]


def test_a_reply_shows_the_present_text_of_its_stored_parent(desk: Desk) -> None:
    desk.take("the first words", "a", author=Author("u1", "Ann"))
    reply = desk.take("an answer", "b", parent="a", parent_text="what was sent").comment
    lost = desk.take("another", "c", parent="nobody", parent_text="as it was sent").comment
    other = desk.take("elsewhere", "d", parent="a", site="other").comment
    desk.take("the second words", "a", author=Author("u1", "Ann"))
    [one, two, three] = desk.see(comments.load, [reply, lost, other])
    assert (one.parent, one.parent_text, one.parent_author) == ("a", "the second words", "Ann")
    assert one.parent_id == desk.row("comments", caller_id="a").id
    assert (two.parent_id, two.parent_text, two.parent_author) == (None, "as it was sent", None)
    assert (three.parent_id, three.parent_text) == (None, None), "another site's comment is no parent"


def test_an_erased_parent_is_not_shown_whatever_is_sent(desk: Desk) -> None:
    parent = desk.take("to be forgotten", "a", author=Author("u1", "Ann")).comment
    desk.do(erasure.erase_comment, ANN, parent)
    reply = desk.take("an answer", "b", parent="a", parent_text="to be forgotten").comment
    [one] = desk.see(comments.load, [reply])
    assert one.parent_text is None


def test_a_thread_is_a_tree_with_the_oldest_first(desk: Desk) -> None:
    ids = talk(
        desk, ("a", None), ("b", None), ("a1", "a"), ("b1", "b"), ("a2", "a"), ("a11", "a1"), ("x", "unknown")
    )
    thread = desk.row("comments", id=ids["a"]).thread_id
    assert drawn(desk, desk.see(conversation.tree, thread)) == ["a", "-a1", "--a11", "-a2", "b", "-b1", "x"]
    for name in ("a1", "b1"):
        desk.do(erasure.erase_comment, ANN, ids[name])
    shown = drawn(desk, desk.see(conversation.tree, thread))
    assert shown == ["a", "-a1", "--a11", "-a2", "b", "x"], "an erased comment stays if it has replies"


def test_comments_that_answer_each_other_or_themselves_are_each_shown_once(desk: Desk) -> None:
    ids = talk(desk, ("a", "b"), ("b", "a"), ("self", "self"), ("c", "a"))
    thread = desk.row("comments", id=ids["a"]).thread_id
    assert drawn(desk, desk.see(conversation.tree, thread)) == ["a", "-b", "-c", "self"]
    assert drawn(desk, desk.see(conversation.around, ids["c"])) == ["b", "-a", "--b", "--c"]
    assert drawn(desk, desk.see(conversation.around, ids["self"])) == ["self"]


def test_the_conversation_around_a_comment(desk: Desk) -> None:
    beside = [(f"n{at}", "top") for at in range(20)]
    ids = talk(desk, ("top", None), *beside, ("reply", "n10"), ("far", "n3"))
    found = drawn(desk, desk.see(conversation.around, ids["n10"]))
    near = [f"-n{at}" for at in range(5, 16)]
    assert found == ["top", *near[:6], "--reply", *near[6:]]
    assert drawn(desk, desk.see(conversation.around, ids["reply"])) == ["top", "-n10", "--reply"]


def test_a_long_chain_is_walked_in_linear_time(desk: Desk) -> None:
    chain = [("c0", None), *((f"c{at}", f"c{at - 1}") for at in range(1, 60))]
    ids = talk(desk, *chain)
    thread = desk.row("comments", id=ids["c0"]).thread_id
    assert [one.depth for one in desk.see(conversation.tree, thread)] == list(range(60))
    assert len(desk.see(conversation.around, ids["c59"])) == 21, "twenty that it answers through"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"anything": "SAYS"}, {"a", "b", "c"}),
        ({"anything": "reader th"}, {"c"}),
        ({"anything": "u3"}, {"c"}),
        ({"anything": "b"}, {"b"}),
        ({"anything": "u"}, set()),
        ({"anything": "100%_"}, set()),
        ({"since": START + timedelta(hours=1)}, {"b", "c"}),
        ({"until": START + timedelta(hours=1)}, {"a"}),
        ({"since": START, "until": START + timedelta(hours=2), "anything": "b"}, {"b"}),
    ],
)
def test_search_finds_words_authors_ids_and_dates(
    desk: Desk, wanted: dict[str, str], found: set[str]
) -> None:
    ids = talk(desk, ("a", None), ("b", None))
    later = {"written": START + timedelta(hours=2), "author": Author("u3", "Reader Three")}
    desk.take("says it too", "c", **later)
    page, _ = desk.see(comments.search, Search(**wanted), 10)  # type: ignore[arg-type]
    assert {one.caller_id for one in page} == found
    [one], _ = desk.see(comments.search, Search(anything=str(ids["b"])), 10)
    assert one.caller_id == "b"
