"""The invented week: every reference resolves, and all of it is invented."""

import ast
import re
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from belowline.model.signatures import signature_of
from belowline.serve.demo import command
from belowline.serve.demo.command import DemoError, run_demo
from belowline.serve.demo.week import FOLDER, Week, read_week
from belowline.serve.store.database import at, now

WEEK = timedelta(days=7)
ADDRESS = re.compile(r"(?:https?://|www\.)([\w.-]+)|\b([\w-]+\.(?:com|net|org|info|io|ru|de|co|tv|me|biz))\b")


@pytest.fixture(scope="module")
def week() -> Week:
    return read_week()


def named(week: Week, field: str) -> set[str]:
    """Return the values of a field of the acts."""
    return {event.fields[field] for event in week.events if event.do != "comment" and field in event.fields}


def test_it_has_the_size_of_a_small_newspaper(week: Week) -> None:
    authors = Counter(comment["author"] for comment in week.comments)
    assert 110 <= len(week.comments) <= 140
    assert 30 <= len(authors) <= 45
    assert set(Counter(comment["article"] for comment in week.comments)) == set(week.articles)
    assert len(week.articles) == 3
    assert all(timedelta() < event.ago <= WEEK for event in week.events)


def test_ids_are_unique_and_answers_follow_what_they_answer(week: Week) -> None:
    said = {comment["id"]: comment for comment in week.comments}
    assert len(said) == len(week.comments)
    for comment in week.comments:
        if "parent" in comment:
            parent = said[comment["parent"]]
            assert parent["hours"] > comment["hours"]
            assert parent["article"] == comment["article"]


def test_threads_are_three_answers_deep(week: Week) -> None:
    depth: dict[str, int] = {}
    for comment in week.comments:
        depth[comment["id"]] = depth[comment["parent"]] + 1 if "parent" in comment else 0
    assert max(depth.values()) == 3
    assert Counter(depth.values())[2] >= 10


def test_acts_name_what_is_there_before_them(week: Week) -> None:
    hours = {comment["id"]: comment["hours"] for comment in week.comments}
    authors = {comment["author"] for comment in week.comments}
    assert named(week, "by") == {*week.people, "local", "courier"}
    assert named(week, "author") <= authors
    for event in week.events:
        if event.do != "comment":
            one = [event.fields[name] for name in ("comment", "campaign") if name in event.fields]
            for name in (*one, *event.fields.get("comments", ())):
                assert hours[name] > event.fields["hours"], name


def test_every_kind_of_act_occurs(week: Week) -> None:
    acts = Counter(event.do for event in week.events if event.do != "comment")
    assert acts["filter"] == acts["appeal"] == 2
    assert acts["bulk"] == acts["undo"] == acts["escalate"] == acts["golden"] == acts["policy"] == 1
    assert named(week, "standing") == {"banned", "suspended", "pre_moderated", "trusted"}


def test_the_campaign_has_seven_near_duplicates(week: Week) -> None:
    copies = [comment["text"] for comment in week.comments if "best-watches.example" in comment["text"]]
    first, *others = [signature_of(text) for text in copies]
    assert len(copies) == 7
    assert first is not None
    assert all(other is not None and set(first.bands) & set(other.bands) for other in others)


def test_every_address_is_invented() -> None:
    found = [
        host or bare
        for path in FOLDER.iterdir()
        if path.suffix in (".toml", ".jsonl")
        for host, bare in ADDRESS.findall(path.read_text("utf-8"))
    ]
    assert len(found) > 10
    assert {host for host in found if not host.endswith(".example")} == set()


def test_the_clock_is_set_for_one_thread_and_one_block() -> None:
    past = datetime(2020, 1, 2, tzinfo=UTC)
    seen: list[datetime] = []
    with at(past):
        assert now() == past
        other = threading.Thread(target=lambda: seen.append(now()))
        other.start()
        other.join()
    assert seen[0] > past
    assert now() > past


def test_only_the_demo_sets_the_clock() -> None:
    users = {
        path.parent.name
        for path in FOLDER.parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "belowline.serve.store.database"
        if "at" in {name.name for name in node.names}
    }
    assert users == {"demo"}


def test_a_store_that_exists_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run_server", lambda *_: pytest.fail("it serves"))
    store = tmp_path / "kept.sqlite3"
    store.write_bytes(b"comments")
    with pytest.raises(DemoError, match=r"kept\.sqlite3"):
        run_demo(store)
    assert store.read_bytes() == b"comments"


def test_a_store_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(DemoError, match="missing"):
        run_demo(tmp_path / "missing" / "demo.sqlite3")
