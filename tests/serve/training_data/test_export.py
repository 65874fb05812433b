"""The export of decisions: selection among a comment's decisions, labels, weights, and exclusions."""

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from belowline.data.decisions import Counts, Decided, read_decided, read_decisions
from belowline.model import sampled
from belowline.serve.active import policy_history as policies
from belowline.serve.queue import feedback, reviews
from belowline.serve.queue.appeals import appeal
from belowline.serve.queue.erasure import erase_author, erase_comment
from belowline.serve.queue.feedback import Feedback
from belowline.serve.queue.intake import Thread
from belowline.serve.store.database import Database, now
from belowline.serve.store.tables import decisions
from belowline.serve.training_data import histories
from belowline.serve.training_data.export import ExportError, export_decisions, run_export
from tests.support.decisions import write_reviews
from tests.support.fake_wordpress import FakeWordPress, rounds
from tests.support.serve_fakes import client_of
from tests.support.sqlite_store import sqlite_url
from tests.support.store_fakes import ANN, BEN, CLEO, SAMPLE, SECOND, Desk

OFFER = "spam: {} made {} from home in one single week with this simple trick, look at my page"
CLEAN = {"spam": 0.0, "hate": 0.0, "antisemitism": 0.0, "threat": 0.0}


@pytest.fixture
def sqlite(tmp_path: Path, empty_sqlite: Path) -> Iterator[Database]:
    shutil.copy(empty_sqlite, tmp_path / "queue.sqlite3")
    opened = Database.open(sqlite_url(tmp_path / "queue.sqlite3"))
    yield opened
    opened.close()


@pytest.fixture
def local(sqlite: Database) -> Desk:
    """A desk on SQLite alone, for rules about rows that exist already."""
    return Desk(sqlite)


class Exported:
    """A file of decisions by row, with the counts of its header."""

    def __init__(self, desk: Desk, folder: Path, **asked: Any) -> None:
        self.file = folder / "decisions.jsonl"
        self.counts: Counts = export_decisions(desk.database, self.file, **asked)
        self.rows: dict[str, Decided] = {one.row: one for one in read_decided(self.file)}
        self.header = json.loads(self.file.read_text("utf-8").splitlines()[0])

    def said(self, row: str) -> tuple[str, str | None, dict[str, float]]:
        one = self.rows[row]
        return one.origin, one.decision, one.labels


def set_policy(desk: Desk, text: str) -> None:
    """Activate another policy."""
    desk.pipeline = desk.pipeline.with_policy(text, "test")
    desk.do(lambda tx: policies.replace(tx, "admin", text, None, policies.newest(tx)))


def test_a_decision_with_all_that_is_known_of_it(desk: Desk, tmp_path: Path) -> None:
    under = Thread("a-17", "Bridge closed", "https://paper.example/17", "The bridge is closed.")
    kept = desk.take("spam that waits", "a", thread=under, parent="p", parent_text="an answer", author="u")
    desk.rule(kept.comment, "reject", labels=("profanity",), code="spam", via="console", blind=True)
    found = Exported(desk, tmp_path)
    [one] = found.rows.values()
    made = desk.rows("decisions")[-1]
    assert one.model_dump(exclude={"scores"}) == {
        **{"row": "s:a", "site": "s", "text": "spam that waits", "labels": {"profanity": 1.0, "spam": 1.0}},
        **{"origin": "moderator", "decision": "reject", "code": "spam", "overturned": False, "blind": True},
        **{"split_key": "s thread a-17", "article": "Bridge closed\nThe bridge is closed."},
        **{
            "parent": "an answer",
            "sampled": "picked",
            "weight": 1.0,
            "decided_at": made.at,
            "model": "9.9.9",
        },
    }
    assert one.scores == made.scores
    assert found.counts.model_dump(mode="json") == found.header["counts"]
    assert found.header["counts"] == {
        **{"examples": 1, "origin": {"moderator": 1}, "sampled": {"picked": 1}, "unweighted": 0},
        **{"labels": {"profanity": {"yes": 1}, "spam": {"yes": 1}}, "left_out": {}},
    }
    assert (found.header["site"], found.header["since"], found.header["belowline"][:2]) == (None, None, "0.")
    assert "delete this file" in found.header["erasure"]
    assert "ann" not in found.file.read_text("utf-8")


def test_publishing_blind_settles_nothing_that_the_moderator_did_not_see(desk: Desk, tmp_path: Path) -> None:
    for name, more in {
        "a": {},
        "b": {"blind": True},
        "c": {"blind": True, "labels": ("personal_attack",)},
    }.items():
        desk.rule(desk.take("a personal_attack of sorts", name).comment, "publish", **more)
    found = Exported(desk, tmp_path).rows
    assert found["s:a"].labels == {**CLEAN, "personal_attack": 0.0}
    assert found["s:b"].labels == CLEAN
    assert found["s:c"].labels == {**CLEAN, "personal_attack": 1.0}


def test_publishing_answers_what_the_comment_was_held_for(desk: Desk, tmp_path: Path) -> None:
    desk.rule(desk.take("a personal_attack of sorts", "a").comment, "publish")
    desk.rule(desk.take("a word", "b").comment, "publish", labels=("on_topic",))
    found = Exported(desk, tmp_path)
    assert found.rows["s:a"].labels == {**CLEAN, "personal_attack": 0.0}
    assert found.rows["s:b"].labels == {**CLEAN, "on_topic": 1.0}


def test_only_the_last_of_several_decisions_counts(desk: Desk, tmp_path: Path) -> None:
    mind, undone, twice, back = desk.hold(4)
    desk.rule(mind, "reject", code="spam")
    desk.rule(mind, "publish")
    desk.undo(desk.rule(undone, "reject", code="spam").id)
    desk.rule(twice, "reject", code="threat")
    desk.undo(desk.rule(twice, "publish", BEN).id, BEN)
    desk.rule(back, "reject", code="spam")
    desk.rule(back, "hold", BEN)
    desk.hold()  # decided by the policy alone
    desk.rule(desk.take(" \n ", "blank").comment, "publish")  # a picture, for example
    found = Exported(desk, tmp_path)
    assert [*found.rows] == ["s:c1", "s:c3"]
    assert found.said("s:c1") == ("moderator", "publish", CLEAN)
    assert found.rows["s:c1"].overturned
    assert found.said("s:c3") == ("moderator", "reject", {"threat": 1.0})
    assert not found.rows["s:c3"].overturned
    assert found.counts.left_out == {"taken back": 1, "held": 1, "blank": 1}


def test_appeals_and_second_reviews_have_the_last_word(desk: Desk, tmp_path: Path) -> None:
    lost, won, waits, second, agreed = desk.hold(5)
    for one in (lost, won, waits):
        desk.rule(one, "reject", labels=("spam",), code="spam")
        desk.do(appeal, ANN, one, "please")
    desk.rule(lost, "reject", BEN, code="other")
    desk.rule(won, "publish", BEN)
    desk.pipeline = desk.pipeline.with_policy(SECOND, "test")
    for one in (second, agreed):
        desk.rule(one, "reject", code="threat")
    desk.rule(second, "publish", BEN)
    desk.rule(agreed, "reject", BEN)
    found = Exported(desk, tmp_path)
    assert found.said("s:c1") == ("appeal", "reject", {"spam": 1.0})
    assert (found.rows["s:c1"].code, found.rows["s:c1"].overturned) == ("spam", False)
    assert found.said("s:c2") == ("appeal", "publish", CLEAN)
    assert found.rows["s:c2"].overturned
    assert found.said("s:c3") == ("moderator", "reject", {"spam": 1.0})
    assert found.said("s:c4") == ("second_review", "publish", CLEAN)
    assert found.rows["s:c4"].overturned
    assert found.said("s:c5") == ("second_review", "reject", {"threat": 1.0})
    assert desk.see(reviews.pairs) == [("reject", "publish"), ("reject", "reject")]


def test_a_golden_answer_is_that_which_was_agreed(local: Desk, tmp_path: Path) -> None:
    agreed, later, dropped = local.hold(3)
    for one in (agreed, later, dropped):
        local.rule(one, "reject", labels=("spam",), code="spam")
        local.do(reviews.make_golden, "admin", one)
    assert not local.do(reviews.answer_golden, "ben", agreed, "publish")
    local.rule(agreed, "reject", BEN, labels=("threat",))
    local.rule(later, "publish", CLEO)
    local.undo(local.rule(dropped, "publish", BEN).id, BEN)
    assert Exported(local, tmp_path).said("s:c3")[0] == "golden"
    local.do(reviews.drop_golden, dropped)
    found = Exported(local, tmp_path)
    assert found.said("s:c1") == ("golden", "reject", {"spam": 1.0})
    assert found.rows["s:c1"].code == "spam"
    assert found.said("s:c2") == ("moderator", "publish", CLEAN)
    assert found.said("s:c3") == ("moderator", "reject", {"spam": 1.0})


def test_an_edited_comment_is_exported_as_it_was_decided_on(local: Desk, tmp_path: Path) -> None:
    local.rule(local.take("spam, the first text", "a").comment, "reject", code="spam")
    local.take("a word, edited since", "a")
    local.rule(local.take("spam, the first text", "b").comment, "reject", code="spam")
    local.rule(local.take("a word, decided since", "b").comment, "publish", BEN)
    found = Exported(local, tmp_path)
    assert (found.rows["s:a"].text, found.rows["s:a"].labels) == ("spam, the first text", {"spam": 1.0})
    assert (found.rows["s:b"].text, found.rows["s:b"].decision) == ("a word, decided since", "publish")
    assert not found.rows["s:b"].overturned  # of another text


def test_what_was_decided_alike_is_left_out_unless_asked_for(local: Desk, tmp_path: Path) -> None:
    local.pipeline = local.pipeline.with_policy(SAMPLE, "test")
    ids = [local.take(OFFER.format(name, "100"), thread=name).comment for name in ("Ann", "Ben")]
    drawn = local.take("a word", "drawn").comment
    local.rule_all("publish", chosen=[*ids, drawn])
    assert local.rows("decisions")[-1].via == "sample"  # it was reached through its sample item
    assert Exported(local, tmp_path).counts.left_out == {"bulk": 3}
    found = Exported(local, tmp_path, bulk=True)
    assert [one.origin for one in found.rows.values()] == ["bulk"] * 3
    assert found.rows["s:drawn"].sampled == "random"


def test_random_draws_weigh_by_the_share_of_their_time(local: Desk, tmp_path: Path) -> None:
    own = tmp_path / "policy.toml"
    own.write_text("sample = 0.5\n", "utf-8")
    local.pipeline = local.pipeline.with_policy("sample = 0.5\n", "test")
    drawn: dict[str, float] = {}
    for text, share in (("", 0.5), ("sample = 0.25\n", 0.25), ("[sites.s]\nsample = 0.009\n", 0.01)):
        if text:
            set_policy(local, text)
        names = (f"{share}-{number}" for number in range(1000))
        for name in islice((one for one in names if sampled(local.pipeline.policy, "s", one)), 3):
            local.rule(local.take("a word", name).comment, "publish")
            drawn[f"s:{name}"] = 1 / share
    local.rule(local.take("spam", "held").comment, "publish")
    local.rule(local.take("a word", "found").comment, "reject")
    found = Exported(local, tmp_path, policy=own)
    assert len(drawn) == 9
    random = {row: one.weight for row, one in found.rows.items() if one.sampled == "random"}
    assert random == pytest.approx(drawn)
    assert {row: one.weight for row, one in found.rows.items() if row not in drawn} == {
        "s:held": 1,
        "s:found": 1,
    }
    assert found.counts.unweighted == 0
    assert Exported(local, tmp_path).counts.unweighted == sum(row.startswith("s:0.5") for row in drawn)


def test_near_copies_go_where_the_first_of_them_goes(local: Desk, tmp_path: Path) -> None:
    for name, thread in (("Ann", "t"), ("Ben", "u"), ("Cleo", None)):
        local.rule(local.take(OFFER.format(name, "100"), name, thread=thread).comment)
    for name, thread in (("x", "u"), ("y", None)):
        local.rule(local.take("spam", name, thread=thread).comment)
    found = Exported(local, tmp_path)
    assert {row: one.split_key for row, one in found.rows.items()} == {
        **{"s:Ann": "s thread t", "s:Ben": "s thread t", "s:Cleo": "s thread t"},
        **{"s:x": "s thread u", "s:y": "s comment y"},
    }


def test_what_was_erased_is_gone_from_the_next_export(desk: Desk, tmp_path: Path) -> None:
    for name, author in (("a", "u"), ("b", "v"), ("c", "w")):
        desk.rule(desk.take(f"spam of {name}", name, author=author).comment, "reject", code="spam")
    desk.do(feedback.add, "x", "s", Feedback("perspective", "told of e", {"toxicity": 1.0}, {}, "e"))
    answer = desk.take("spam, an answer", "d", parent="a", parent_text="spam of a")
    desk.rule(answer.comment, "reject", code="spam")
    assert [*Exported(desk, tmp_path).rows] == ["s:a", "s:b", "s:c", "s:d", "s:e"]
    desk.do(erase_comment, ANN, desk.row("comments", caller_id="a").id)
    desk.do(erase_author, ANN, desk.row("authors", caller_id="v").id)
    desk.do(feedback.erase, "s", "e")
    # An erased comment is reported again; another is submitted again and has no decision.
    desk.do(feedback.add, "x", "s", Feedback("perspective", "spam of b", {"spam": 1.0}, {}, "b"))
    desk.take("another spam", "a", author="u")
    found = Exported(desk, tmp_path)
    assert [*found.rows] == ["s:c", "s:d"]
    assert found.rows["s:d"].parent is None
    assert found.counts.left_out == {"erased": 3}
    assert not {"spam of a", "spam of b", "told of e"} & {*found.file.read_text("utf-8").split('"')}


def test_sites_that_decide_themselves_arrive_by_their_protocols(tmp_path: Path) -> None:
    page = {"blog": "https://s.example", "user_ip": "192.0.2.7", "permalink": "https://s.example/1"}
    with client_of(tmp_path) as client:
        for call, content in (("spam", "fine, they say it is spam"), ("ham", "hate, and yet no advert")):
            answer = client.post(f"/1.1/submit-{call}", data=page | {"comment_content": content})
            assert answer.text.startswith("Thanks")
        told = {"TOXICITY": 0.9, "IDENTITY_ATTACK": 0.0, "ATTACK_ON_AUTHOR": 1.0}
        scores = {name: {"summaryScore": {"value": value}} for name, value in told.items()}
        body = {"comment": {"text": "so rude"}, "clientToken": "comment:7", "communityId": "s.example"}
        context = {"entries": [{"text": "Bridge closed"}]}
        suggest = "/v1alpha1/comments:suggestscore"
        for one in (body, body | {"context": context}, {k: body[k] for k in ("comment", "communityId")}):
            assert client.post(suggest, json=one | {"attributeScores": scores}).status_code == 200
        vague = {"ATTACK_ON_AUTHOR": {"summaryScore": {"value": 1}}}
        assert client.post(suggest, json={"comment": {"text": "x"}, "attributeScores": vague}).is_success
        desk = Desk(client.app.state.service.database)  # type: ignore[attr-defined]
        paper = FakeWordPress()
        for number in (1, 2, 3):
            paper.write(number, f"a personal_attack, it seems, {number}", author_name="Ann")
        rounds(paper, desk)
        for number, status in ((1, "approved"), (2, "spam"), (3, "trash")):
            paper.comments[number]["status"] = status
        assert set(rounds(paper, desk).values()) == {"learn"}
        found = Exported(desk, tmp_path)
    rows = [*found.rows.values()]
    assert [(one.origin, one.labels) for one in rows[:2]] == [
        ("akismet", {"spam": 1}),
        ("akismet", {"spam": 0}),
    ]
    assert [one.split_key for one in rows[:2]] == ["s.example thread https://s.example/1"] * 2
    assert found.said("paper.example:1") == ("wordpress", "publish", CLEAN)
    assert found.said("paper.example:2") == ("wordpress", "reject", {"spam": 1.0})
    assert found.said("paper.example:3") == ("wordpress", "reject", {})
    rude = {"toxicity": 0.9, "hate": 0.0, "antisemitism": 0.0}
    assert found.said("s.example:7") == ("feedback", None, rude)
    assert found.rows["s.example:7"].article == "Bridge closed"  # as last reported
    assert found.said("s.example:feedback-3") == ("feedback", None, rude)
    assert found.counts.left_out == {"told of no label": 1}
    assert found.counts.origin == {"akismet": 2, "wordpress": 3, "feedback": 2}
    assert {one.slice for one in read_decisions(found.file)} == {"picked", "feedback"}


@pytest.mark.parametrize(
    ("context", "article"),
    [
        ('{"url":"https://s.example/a","Coral_comment_id":"c42"}', None),
        ('Bridge closed\n\n{"url": 1}', "Bridge closed"),
        ("Bridge closed\n\nOn Monday", "Bridge closed\n\nOn Monday"),
        (None, None),
    ],
)
def test_data_that_an_earlier_version_kept_as_an_article_is_left_out(
    local: Desk, tmp_path: Path, context: str | None, article: str | None
) -> None:
    told = Feedback("perspective", "so rude", {"toxicity": 1.0}, {"TOXICITY": 1.0}, "7", context)
    with local.database.write() as tx:
        feedback.add(tx, "key", "s.example", told)
    assert Exported(local, tmp_path).rows["s.example:7"].article == article


def test_a_decision_counts_before_feedback_and_a_text_told_twice_once(local: Desk, tmp_path: Path) -> None:
    for name in ("decided", "held"):
        local.take("spam", name, thread="t")
    local.rule(1, "publish")
    names: tuple[str | None, ...] = ("decided", "held", None, None)
    for about in names:
        for value in (0.0, 1.0):
            told = Feedback("perspective", "some  words", {"toxicity": value}, {}, about)
            local.do(feedback.add, "x", "s", told)
    found = Exported(local, tmp_path)
    assert {row: one.labels for row, one in found.rows.items()} == {
        **{"s:decided": CLEAN, "s:feedback-8": {"toxicity": 1.0}, "s:held": {"toxicity": 1.0}}
    }
    assert [*found.rows] == ["s:decided", "s:feedback-8", "s:held"]
    assert found.rows["s:held"].split_key == "s thread t"
    assert found.counts.left_out == {"told of what was decided": 1, "told again": 3}


def test_site_and_time_choose(local: Desk, tmp_path: Path) -> None:
    start = now() - timedelta(days=10)
    for day, site in enumerate(["s", "t", "s"]):
        made = local.rule(local.take("spam", f"d{day}", site=site).comment)
        at = start + timedelta(days=day)
        local.do(
            lambda tx, n=made.id, at=at: tx.execute(
                update(decisions).where(decisions.c.id == n).values(at=at)
            )
        )
        local.do(feedback.add, "x", site, Feedback("perspective", f"f{day}", {"spam": 1.0}, {}, f"f{day}"))
    second = start + timedelta(days=1)
    assert [*Exported(local, tmp_path, site="t").rows] == ["t:d1", "t:f1"]
    assert [*Exported(local, tmp_path, since=second, until=now() - timedelta(days=5)).rows] == [
        "t:d1",
        "s:d2",
    ]
    found = Exported(local, tmp_path, until=second)
    assert [*found.rows] == ["s:d0"]
    assert found.header["until"] is not None
    with pytest.raises(ExportError, match="site 'u' has no comments"):
        Exported(local, tmp_path, site="u")


def test_what_was_overturned_after_the_time_asked_for_is_no_truth(local: Desk, tmp_path: Path) -> None:
    [one] = local.hold()
    local.rule(one, "reject", code="spam")
    between = now()
    local.rule(one, "publish", BEN)
    assert not Exported(local, tmp_path, until=between).rows


def test_an_export_does_not_replace_a_review(local: Desk, tmp_path: Path) -> None:
    file = write_reviews(tmp_path / "decisions.jsonl", {"text": "fine", "reviewed_at": now().isoformat()})
    before = file.read_bytes()
    with pytest.raises(ExportError, match=r"decisions\.jsonl: is a review"):
        export_decisions(local.database, file, reviews=[file])
    assert file.read_bytes() == before


def test_reviews_are_merged_by_comment_and_text(local: Desk, tmp_path: Path) -> None:
    before, after = (now() + timedelta(days=days) for days in (-1, 1))
    for name in ("old", "new", "golden", "id"):
        local.rule(local.take(f"spam, {name}", name).comment, "reject", code="spam")
    local.do(reviews.make_golden, "admin", 3)
    local.do(feedback.add, "x", "s", Feedback("perspective", "told", {"spam": 1.0}, {}, "told"))
    erased = local.take("spam, erased", "erased").comment
    local.do(erase_comment, ANN, erased)

    def review(text: str, at: Any, **more: Any) -> dict[str, Any]:
        return {"text": text, "reviewed_at": at.isoformat(), "labels": {"hate": 0, "spam": 0}, **more}

    first, second = (
        write_reviews(tmp_path / "1.jsonl", review("spam,   old", before), review("new only", before)),
        write_reviews(
            tmp_path / "2.jsonl",
            review("spam, new", after, decision="reject", labels={"hate": 1}),
            review("spam, golden", after, stratum="picked"),
            review("spam, id, edited", after, site="s", id="id", weight=7.0),
            review("spam, erased", after, site="s", id="erased"),
            review("new only", after, labels={"hate": 1}),
            review("told", before - timedelta(days=3)),
            review("spam, old", after, site="elsewhere"),
        ),
    )
    found = Exported(local, tmp_path, site="s", reviews=[second, first])
    by_text = {one.text: one for one in found.rows.values()}
    assert {
        text: (one.origin, one.labels.get("spam"), one.labels.get("hate")) for text, one in by_text.items()
    } == {
        "spam, old": ("moderator", 1.0, None),
        "spam, new": ("review", None, 1.0),
        "spam, golden": ("golden", 1.0, None),
        "spam, id, edited": ("review", 0.0, 0.0),
        "new only": ("review", 0.0, 1.0),
        "told": ("review", 0.0, 0.0),
    }
    assert (by_text["spam, old"].sampled, by_text["spam, old"].weight) == ("random", 100.0)
    assert (by_text["spam, golden"].sampled, by_text["spam, golden"].weight) == ("picked", 1.0)
    assert (by_text["spam, id, edited"].row, by_text["spam, id, edited"].weight) == ("s:id", 7.0)
    assert found.counts.left_out == {"reviewed again": 1, "reviewed": 3, "erased": 1}
    assert Exported(local, tmp_path, reviews=[first, second]).counts.origin["review"] == 5


def test_a_review_that_counts_keeps_the_random_draw_of_the_store(local: Desk, tmp_path: Path) -> None:
    set_policy(local, "sample = 1.0\n")
    local.rule(local.take("a word", "a").comment, "publish")
    path = write_reviews(tmp_path / "r.jsonl", {"text": "a word", "stratum": "picked", "weight": 3.0})
    row = json.loads(path.read_text("utf-8")) | {"reviewed_at": (now() + timedelta(days=1)).isoformat()}
    path.write_text(json.dumps(row) + "\n", "utf-8")
    [one] = Exported(local, tmp_path, reviews=[path]).rows.values()
    assert (one.origin, one.sampled, one.weight, one.site) == ("review", "random", 1.0, "audit")


def test_pages_and_order_are_the_same_each_time(
    local: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        local.rule(local.take(f"spam {number}", f"d{number}").comment)
        local.do(feedback.add, "x", "s", Feedback("perspective", "t", {"spam": 1.0}, {}, f"f{number}"))
    whole = Exported(local, tmp_path).file.read_text("utf-8").splitlines()[1:]
    monkeypatch.setattr(histories, "_AT_ONCE", 3)
    monkeypatch.setattr("belowline.serve.training_data.export._AT_ONCE", 2)
    found = Exported(local, tmp_path)
    assert found.file.read_text("utf-8").splitlines()[1:] == whole
    assert [*found.rows] == [f"s:d{n}" for n in range(7)] + [f"s:f{n}" for n in reversed(range(7))]


def test_a_file_is_written_whole_or_not_at_all(local: Desk, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    local.rule(local.take("spam").comment)
    target = out / "decisions.jsonl"
    target.write_text("as it was", "utf-8")
    bad = write_reviews(tmp_path / "bad.jsonl", {}, {"decision": "maybe"})
    with pytest.raises(Exception, match=r"bad.jsonl, line 2, field 'decision'"):
        export_decisions(local.database, target, reviews=[bad])
    local.do(lambda tx: tx.execute(update(decisions).values(scores={"spam": 7.0})))
    with pytest.raises(ValueError, match="scores"):
        export_decisions(local.database, target)
    assert [(path.name, path.read_text("utf-8")) for path in out.iterdir()] == [
        ("decisions.jsonl", "as it was")
    ]
    for wrong in (out, out / "none" / "a.jsonl"):
        with pytest.raises(ExportError, match="existing folder"):
            export_decisions(local.database, wrong)


def test_the_command_says_what_was_exported(
    local: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    local.pipeline = local.pipeline.with_policy(SAMPLE, "test")
    for text, action in (("a word", "publish"), ("spam", "reject"), ("spam and hate", "hold")):
        local.rule(local.take(text).comment, action, code="spam")
    monkeypatch.setenv("BELOWLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'queue.sqlite3'}")
    run_export(tmp_path / "d.jsonl", since=now().date(), until=now().date() + timedelta(days=1))
    said = capsys.readouterr().out
    assert "2 examples: 1 picked, 1 random" in said
    assert "origin: 2 moderator" in said
    assert "left out: 1 held" in said
    assert "weight: 1 random" in said
    assert [line.split() for line in said.splitlines() if line.startswith("spam")] == [["spam", "1", "1"]]
    assert "a word" not in said
    monkeypatch.setenv("BELOWLINE_DATABASE_URL", f"sqlite:///{tmp_path / 'none.sqlite3'}")
    with pytest.raises(ExportError, match="there is no database"):
        run_export(tmp_path / "d.jsonl")
    assert not (tmp_path / "none.sqlite3").exists()


def test_an_empty_store_gives_a_file_without_examples(local: Desk, tmp_path: Path) -> None:
    found = Exported(local, tmp_path)
    assert (found.rows, found.counts.examples, found.counts.left_out) == ({}, 0, {})
