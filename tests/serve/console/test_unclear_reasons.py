"""Rejections as spam by versions before 0.8, which did not record whether spam was chosen.

They are marked and counted, not exported, and can be decided again.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from belowline.data.decisions import read_decided
from belowline.serve.queue import decision_log
from belowline.serve.queue.appeals import appeal
from belowline.serve.queue.decision_log import LogFilter
from belowline.serve.queue.reviews import make_golden
from belowline.serve.store.database import Database
from belowline.serve.store.tables import decisions
from belowline.serve.training_data.export import export_decisions, run_export
from tests.support.older_store import back_to
from tests.support.serve_fakes import client_of
from tests.support.store_fakes import ANN, BEN, SECOND, Desk

LISTED = "[words]\nhold = ['casino']\n"
UNCLEAR = {"blind", "listed", "published", "labelled", "many", "later", "appealed", "undone", "second"}
CLEAR = {"spam", "chosen", "api", "named", "wordpress", "many spam", "other"}


def of_version_0_7(desk: Desk) -> None:
    """Comments by a name that states how they were decided, as 0.7.0 recorded it: without ``code_choice``."""

    def reject(name: str, said: str, who: Any = ANN, **more: Any) -> int:
        decided = {"via": "console", "code": "spam"} | more
        return int(desk.rule(desk.take(said, name).comment, "reject", who, **decided).id)

    desk.pipeline = desk.pipeline.with_policy(LISTED, "test")
    reject("blind", "a threat", blind=True)
    reject("listed", "casino")
    reject("published", "good morning")
    reject("labelled", "casino", labels=("toxicity",))
    reject("spam", "spam")
    reject("chosen", "a threat")
    reject("api", "casino", via="api")
    reject("named", "casino", labels=("spam",), blind=True)
    reject("wordpress", "casino", via="wordpress", elsewhere=True)
    reject("other", "casino", code="other")
    reject("many", "a threat", via="bulk")
    reject("many spam", "spam", via="bulk")
    later = desk.take("casino", "later").comment
    desk.rule(later, "hold", via="console", code="spam")
    desk.rule(later, "reject", BEN, via="console", code="spam")
    reject("appealed", "casino")
    desk.do(appeal, ANN, desk.row("comments", caller_id="appealed").id, "why?")
    desk.undo(reject("undone", "a threat", code="threat"))
    with desk.database.write() as tx:  # an undo had no reason then
        tx.execute(update(decisions).where(decisions.c.undoes.is_not(None)).values(code="undo", labels=[]))
    desk.rule(desk.row("comments", caller_id="undone").id, "reject", via="console", code="spam")
    desk.pipeline = desk.pipeline.with_policy(SECOND + LISTED, "test")
    reject("second", "casino")
    desk.rule(desk.row("comments", caller_id="second").id, "reject", BEN, code="spam", via="console")


@pytest.fixture
def older(database_url: str) -> Iterator[Desk]:
    """A store written by 0.7.0, upgraded to the current schema."""
    before = Database.open(database_url)
    of_version_0_7(Desk(before))
    before.close()
    back_to(database_url, "0005")
    database = Database.open(database_url)
    yield Desk(database)
    database.close()


def last(desk: Desk, name: str) -> Any:
    return desk.rows("decisions", comment_id=desk.row("comments", caller_id=name).id)[-1]


def number(desk: Desk, *sites: str) -> int:
    return int(desk.see(decision_log.number, LogFilter(sites, kind="unclear")))


def test_the_migration_marks_what_nobody_may_have_chosen_and_nothing_else(older: Desk) -> None:
    assert {name: last(older, name).code_choice for name in UNCLEAR | CLEAR} == {
        name: "unclear" if name in UNCLEAR else None for name in UNCLEAR | CLEAR
    }
    assert {row.code for row in older.rows("decisions", code_choice="unclear")} == {"spam"}, "the log stays"
    marked = [row.action for row in older.rows("decisions", code_choice="unclear")]
    assert (marked.count("hold"), marked.count("reject")) == (1, len(UNCLEAR) + 1)
    waits = older.waiting(older.row("comments", caller_id="appealed").id)
    assert waits is not None
    assert (waits.kind, waits.code) == ("appeal", "other"), "the appeal is not offered the unclear reason"
    assert number(older) == number(older, "s") == len(UNCLEAR)
    assert number(older, "another") == 0


@pytest.mark.parametrize("bulk", [False, True])
def test_the_export_leaves_them_out_until_they_are_decided_again(
    older: Desk, tmp_path: Path, bulk: bool
) -> None:
    counts = export_decisions(older.database, tmp_path / "a.jsonl", bulk=bulk)
    found = {one.row.removeprefix("s:"): one for one in read_decided(tmp_path / "a.jsonl")}
    many = {"many spam"} if bulk else set()
    assert set(found) == CLEAR - {"many spam"} | many | {"labelled"}
    assert (found["labelled"].code, found["labelled"].labels) == ("other", {"toxicity": 1.0})
    assert found["spam"].labels == found["chosen"].labels == found["api"].labels == {"spam": 1.0}
    assert (found["other"].code, found["other"].labels) == ("other", {})
    assert counts.left_out["unclear reason"] == len(UNCLEAR) - (1 if bulk else 2), "the labelled one is in"
    assert counts.left_out["bulk"] == (0 if bulk else 2)

    older.rule(last(older, "listed").comment_id, "reject", BEN, code="spam", code_choice="person")
    older.rule(
        last(older, "blind").comment_id, "reject", BEN, code="other", code_choice="default", blind=True
    )
    older.rule(last(older, "published").comment_id, "publish", BEN)
    assert number(older) == len(UNCLEAR) - 3
    export_decisions(older.database, tmp_path / "b.jsonl", bulk=bulk)
    again = {one.row.removeprefix("s:"): one for one in read_decided(tmp_path / "b.jsonl")}
    assert again["listed"].labels == {"spam": 1.0}
    assert (again["blind"].code, again["blind"].labels) == ("other", {}), "it confirms no unclear reason"
    assert again["published"].labels["spam"] == 0.0


def test_a_golden_answer_has_no_unclear_reason(older: Desk, tmp_path: Path) -> None:
    for name in ("listed", "labelled"):
        older.do(make_golden, "adam", last(older, name).comment_id)
    export_decisions(older.database, tmp_path / "a.jsonl")
    found = {one.row: one for one in read_decided(tmp_path / "a.jsonl")}
    assert "s:listed" not in found
    assert (found["s:labelled"].origin, found["s:labelled"].labels) == ("golden", {"toxicity": 1.0})


def test_an_unclear_reason_that_confirms_a_clear_one_gives_way_to_it(
    database_url: str, tmp_path: Path
) -> None:
    before = Database.open(database_url)
    desk = Desk(before)
    desk.pipeline = desk.pipeline.with_policy(SECOND, "test")
    desk.rule(desk.take("a threat", "a").comment, "reject", code="threat", via="console")
    desk.rule(1, "reject", BEN, code="spam", via="console", blind=True)
    before.close()
    back_to(database_url, "0005")
    database = Database.open(database_url)
    export_decisions(database, tmp_path / "a.jsonl")
    database.close()
    [one] = read_decided(tmp_path / "a.jsonl")
    assert (one.code, one.labels) == ("threat", {"threat": 1.0})


def test_admins_are_told_and_decide_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'queue.sqlite3'}"
    before = Database.open(url)
    of_version_0_7(Desk(before))
    before.close()
    back_to(url, "0005")
    monkeypatch.setenv("BELOWLINE_DATABASE_URL", url)
    with client_of(tmp_path) as client:
        assert client.get("/v1/stats").json()["unclear_reasons"] == len(UNCLEAR)
        page = client.get("/console/dashboard").text
        assert 'id="unclear"' in page
        assert f"<b>{len(UNCLEAR)} " in page
        listed = client.get("/console/log?unclear=true").text
        comment = client.get("/v1/comments/s:listed").json()
        assert listed.count('<a href="/console/comments/') == len(UNCLEAR)
        assert f'<a href="/console/comments/{comment["id"]}">' in listed
        decision = comment["decision"]
        assert (decision["code"], decision["code_choice"]) == ("spam", "unclear")
        statement = client.get(f"/v1/decisions/{decision['id']}/statement").json()
        assert statement["category"] == "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
        assert "spam" not in statement["incompatible_content_explanation"]
        card = client.get(f"/console/comments/{comment['id']}").text
        assert '<option value="other" selected>' in card, "the card does not offer the unclear reason again"

        run_export(tmp_path / "a.jsonl")
        assert f"{len(UNCLEAR) - 2} unclear reason" in capsys.readouterr().out

        form = {"comment": str(comment["id"]), "action": "reject", "code": "spam", "default_code": "other"}
        client.post("/console/decide", data=form)
        assert client.get("/v1/stats").json()["unclear_reasons"] == len(UNCLEAR) - 1
        again = client.get("/v1/comments/s:listed").json()["decision"]
        statement = client.get(f"/v1/decisions/{again['id']}/statement").json()
        assert statement["category"] == "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"
