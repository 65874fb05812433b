from pathlib import Path

import pytest

from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.finished import FinishedAudit, article_of
from tests.support.audit_fakes import audit_row, write_audit


def refusal(out: Path) -> str:
    with pytest.raises(AuditError) as caught:
        FinishedAudit.open(out)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_finished_audit_tells_what_it_was_made_with(tmp_path: Path) -> None:
    audit = FinishedAudit.open(write_audit(tmp_path / "out", [audit_row(0)]))
    assert audit.policy_version == "3"
    assert audit.thresholds == {"spam": 0.5, "hate": 0.6}
    assert audit.made_with == {"inputs": "f00d", "model": "9.9.9 (abc)", "policy": "3 (def)"}


def test_what_is_no_finished_audit_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).startswith(f"{tmp_path}: holds no finished audit")
    out = write_audit(tmp_path / "out", [audit_row(0)])
    (out / "parts").mkdir()
    assert "holds no finished audit" in refusal(out)
    (out / "parts").rmdir()
    (out / "summary.json").write_text("{}")
    assert "summary.json: damaged" in refusal(out)


def test_a_redacted_audit_is_refused(tmp_path: Path) -> None:
    out = write_audit(tmp_path / "out", [audit_row(0)], redaction="names and texts")
    assert refusal(out).startswith(f"{out}: redacted")


def test_comments_that_are_damaged_or_too_few_are_noticed(tmp_path: Path) -> None:
    out = write_audit(tmp_path / "out", [audit_row(at) for at in range(3)])
    audit = FinishedAudit.open(out)
    assert [number for number, _ in audit.rows()] == [1, 2, 3]
    whole = (out / "comments.jsonl").read_bytes()
    (out / "comments.jsonl").write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    with pytest.raises(AuditError, match="has 2 comments"):
        list(audit.rows())
    (out / "comments.jsonl").write_bytes(whole[:-20])
    with pytest.raises(AuditError, match="line 3: damaged"):
        list(audit.rows())


def test_chosen_comments_come_with_what_they_answer_in_their_own_thread(tmp_path: Path) -> None:
    rows = [audit_row(at) for at in range(20)]
    rows[2]["parent"] = "5"  # the newest may be first
    rows[13]["parent"] = "5"
    rows[14]["parent"] = "99"
    audit = FinishedAudit.open(write_audit(tmp_path / "out", rows))
    found = list(audit.chosen(lambda number, row: number in (1, 3, 14, 15)))
    told = [(number, row["text"], parent and parent["text"]) for number, row, parent in found]
    assert told == [
        (1, "comment 0", None),
        (3, "comment 2", "comment 5"),
        (14, "comment 13", "comment 15"),
        (15, "comment 14", None),
    ]


def test_a_thread_without_title_names_no_article() -> None:
    assert article_of(audit_row(0)) == "Article 0"
    assert article_of(audit_row(0, thread="pages/a.txt")) is None
