import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from belowline.serve.audit import to_queue as audit_queue
from belowline.serve.audit.archive import Archive
from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.redact import Redactor
from belowline.serve.audit.run import run_audit
from belowline.serve.audit.to_queue import comment_id
from belowline.serve.queue import comments, queue_items
from belowline.serve.queue.erasure import erase_comment
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database
from tests.support.serve_fakes import fake_scorer
from tests.support.store_fakes import ANN, Desk

SITE = "paper.example"
URL = "https://paper.example/harbour"
ROWS: list[dict[str, Any]] = [
    {"id": "1", "text": "fine", "author": "Ann", "url": URL},
    {
        "id": "2",
        "text": "spam here",
        "author": "Ben",
        "parent": "1",
        "time": "2026-01-02T03:04:05Z",
        "url": URL,
    },
    {"id": "3", "text": "explode", "url": URL},
    {"id": "1", "text": "a threat", "author": "Ben", "thread": "two", "title": "Bridge"},
    {"id": "2", "text": "fine too", "author": "Ben", "thread": "two", "title": "Bridge"},
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(database_url=f"sqlite:///{tmp_path / 'queue.sqlite3'}")


@pytest.fixture
def desk(settings: Settings) -> Iterator[Desk]:
    database = Database.open(settings.database_url)
    yield Desk(database)
    database.close()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return audited(tmp_path, ROWS)


def audited(tmp_path: Path, rows: list[dict[str, Any]], policy: str = "", **more: Any) -> Path:
    """Write an audit of rows; rows without a thread are under the article Harbour."""
    archive = tmp_path / "archive"
    archive.mkdir(exist_ok=True)
    whole = ({"thread": "one", "title": "Harbour", **row} for row in rows)
    (archive / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in whole))
    file = tmp_path / "policy.toml"
    file.write_text(policy)
    run_audit(
        Archive([archive]), tmp_path / "out", ModerationPipeline.of(fake_scorer(), file), force=True, **more
    )
    return tmp_path / "out"


def queue_held(out: Path, settings: Settings, site: str) -> tuple[int, int]:
    """Queue the audit's comments, with the policy that ``audited`` wrote."""
    pipeline = ModerationPipeline.of(fake_scorer(), out.parent / "policy.toml")
    return audit_queue.queue_held(out, pipeline, settings, site)


def waiting(desk: Desk) -> dict[str | None, comments.CommentOut]:
    """Return the comments of the queue's first page, by text."""
    page, _ = desk.see(queue_items.page, queue_items.Filter(sites=(SITE,)), "oldest", 100)
    return {one.text: one for one in desk.see(comments.load, [item.comment_id for item in page])}


def test_what_the_audit_would_hold_waits_with_its_context_and_reason(
    out: Path, settings: Settings, desk: Desk
) -> None:
    assert queue_held(out, settings, SITE) == (3, 0)
    found = waiting(desk)
    assert set(found) == {"spam here", "explode", "a threat"}
    spam = found["spam here"]
    assert spam.thread is not None
    assert (spam.thread.title, spam.thread.url) == ("Harbour", URL)
    assert spam.author is not None
    assert (spam.author.name, spam.author.caller_id) == ("Ben", "archive:Ben")
    assert (spam.parent_text, spam.written) == ("fine", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert (spam.probabilities["spam"], spam.relevance, spam.model) == (0.9, 0.75, "9.9.9")
    assert [(one.label, one.start, one.end) for one in spam.evidence] == [("spam", 0, 4)]
    assert spam.decision is not None
    assert (spam.decision.code, spam.decision.rule) == ("spam", "spam >= 0.5")
    assert found["explode"].decision is not None
    assert found["explode"].decision.code == "scoring_failed"
    assert found["explode"].author is None
    assert found["a threat"].thread is not None
    assert found["a threat"].thread.title == "Bridge"


def test_the_same_call_again_adds_nothing(out: Path, settings: Settings, desk: Desk) -> None:
    queue_held(out, settings, SITE)
    before = [
        desk.rows(table) for table in ("comments", "decisions", "items", "scores", "threads", "authors")
    ]
    assert queue_held(out, settings, SITE) == (0, 3)
    after = [desk.rows(table) for table in ("comments", "decisions", "items", "scores", "threads", "authors")]
    assert after == before
    assert queue_held(out, settings, "other.example") == (3, 0)


def test_what_was_cut_off_is_made_good(
    out: Path, settings: Settings, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_queue, "_AT_ONCE", 1)
    with monkeypatch.context() as patch:
        real = audit_queue.ingest

        def stop_at_the_second(*given: Any) -> Any:
            if waiting(desk):
                raise KeyboardInterrupt
            return real(*given)

        patch.setattr(audit_queue, "ingest", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            queue_held(out, settings, SITE)
    assert len(waiting(desk)) == 1
    assert queue_held(out, settings, SITE) == (2, 1)
    assert len(waiting(desk)) == 3


def test_nothing_that_was_decided_or_erased_comes_back(out: Path, settings: Settings, desk: Desk) -> None:
    queue_held(out, settings, SITE)
    found = waiting(desk)
    desk.rule(found["spam here"].id, "publish")
    desk.do(erase_comment, ANN, found["explode"].id)
    assert queue_held(out, settings, SITE) == (0, 3)
    assert set(waiting(desk)) == {"a threat"}


def test_what_the_site_itself_sent_is_not_sent_again(out: Path, settings: Settings, desk: Desk) -> None:
    known = desk.take("spam here", "2", site=SITE)
    desk.rule(known.comment, "publish")
    desk.take("another comment with that number", "3", site=SITE)
    assert queue_held(out, settings, SITE) == (2, 1)
    assert desk.row("comments", id=known.comment).action == "publish"
    assert set(waiting(desk)) == {"explode", "a threat"}


def test_what_the_audit_would_reject_is_held_and_nothing_is_published(
    tmp_path: Path, settings: Settings, desk: Desk
) -> None:
    policy = 'version = "7"\nautomatic_rejection = true\n[thresholds.threat]\nhold = 0.5\nreject = 0.8\n'
    assert queue_held(audited(tmp_path, ROWS, policy), settings, SITE) == (3, 0)
    decisions = desk.rows("decisions")
    assert {(row.action, row.via, row.policy) for row in decisions} == {("hold", "policy", "7")}
    assert {row.action for row in desk.rows("comments")} == {"hold"}
    [rejected] = [row for row in decisions if row.code == "threat"]
    assert rejected.rule == "threat >= 0.8"


def test_ids_are_the_same_from_wherever_an_archive_is_read() -> None:
    row = {"source": "a/x.jsonl", "thread": "Harbour", "id": "1", "author": None, "text": "fine"}
    assert comment_id(row) == comment_id(row | {"source": "b/x.jsonl"})
    assert len({comment_id(row | {name: "2"}) for name in ("thread", "id", "author", "text")}) == 4
    assert len(comment_id(row)) < 200


def test_the_queue_is_ordered_by_the_scores_of_the_audit(out: Path, settings: Settings, desk: Desk) -> None:
    queue_held(out, settings, SITE)
    priorities = {row.code: row.priority for row in desk.rows("items")}
    assert priorities == {"spam": 0.9, "threat": 0.9, "scoring_failed": queue_items.UNKNOWN_PRIORITY}


@pytest.mark.parametrize("site", ["", "two words", "x" * 101, "a\n"])
def test_strange_sites_are_refused(out: Path, settings: Settings, site: str) -> None:
    with pytest.raises(AuditError, match="name it like") as caught:
        queue_held(out, settings, site)
    assert "\n" not in str(caught.value)


def test_redacted_audits_are_refused(tmp_path: Path, settings: Settings) -> None:
    redacted = audited(tmp_path, ROWS, redactor=Redactor(b"key"))
    with pytest.raises(AuditError, match="redacted"):
        queue_held(redacted, settings, SITE)


def test_either_database_takes_them_once(out: Path, empty_url: str) -> None:
    settings = Settings(database_url=empty_url)
    assert queue_held(out, settings, SITE) == (3, 0)
    assert queue_held(out, settings, SITE) == (0, 3)
