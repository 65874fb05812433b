import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.finished import FinishedAudit
from belowline.serve.audit.review.sample import (
    CELLS,
    SMALLEST,
    cell_of,
    draw_sample,
    read_sample,
    write_sample,
)
from tests.support.audit_fakes import audit_row, mixed_rows, sheet_of, write_audit


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return write_audit(tmp_path / "out", list(mixed_rows(1000)))


def note_of(out: Path) -> Any:
    return json.loads((out / "sample.json").read_text())


def test_half_is_random_and_half_is_picked_where_the_model_is_unsure_or_sees_harm(out: Path) -> None:
    rows = sheet_of(write_sample(out, 100))
    assert Counter(row["stratum"] for row in rows) == {"random": 50, "picked": 50}
    assert len({row["number"] for row in rows}) == 100
    cells = note_of(out)["cells"]
    assert set(cells) == set(CELLS)
    picked = {cell: one["picked"] for cell, one in cells.items()}
    assert picked["publish near"] > picked["reject"] > 0
    assert picked["publish far"] == 0
    assert cells["publish far"]["random"] > 25


def test_weights_are_one_over_the_probability_and_add_up_to_the_archive(out: Path) -> None:
    rows = sheet_of(write_sample(out, 100))
    assert sum(float(row["weight"]) for row in rows) == pytest.approx(1000, rel=1e-4)
    sample = read_sample(FinishedAudit.open(out))
    for cell, one in note_of(out)["cells"].items():
        assert one["weight"] == one["comments"] / (one["random"] + one["picked"])
        assert sample.cells[cell].weight == one["weight"]


def test_every_comment_is_drawn_as_often_as_its_cell_says(out: Path) -> None:
    """Inclusion is uniform within a cell, and the weighted sample equals the archive on average."""
    audit = FinishedAudit.open(out)
    rows = dict(audit.rows())
    drawn: Counter[int] = Counter()
    totals = []
    for seed in range(60):
        sample = draw_sample(audit, 100, seed, ("spam",))
        drawn.update(list(sample.by_number))
        numbers = [(one.number, sample.cells[one.cell].weight) for one in sample.rows]
        totals.append(sum(weight for number, weight in numbers if number % 7 == 0))
    cells = {number: cell_of(row, audit.thresholds) for number, row in rows.items()}
    for cell in ("publish far", "publish near"):
        counts = [drawn[number] for number in rows if cells[number] == cell]
        expected = sum(counts) / len(counts)
        assert max(counts) < expected + 6 * expected**0.5
        assert min(counts) > expected - 6 * expected**0.5
    assert sum(totals) / len(totals) == pytest.approx(1000 // 7, rel=0.08)


def test_the_sheet_has_what_a_reviewer_needs_and_no_scores(tmp_path: Path) -> None:
    rows = [audit_row(at) for at in range(10)]
    rows[4] |= {"text": "=HYPERLINK(1)", "parent": "9", "author": "@ann", "id": "-4"}
    file = write_sample(write_audit(tmp_path / "out", rows), 500)
    assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    [row] = [row for row in sheet_of(file) if row["number"] == "5"]
    assert list(row) == [
        *("number", "sample", "id", "source", "thread", "author", "time", "text", "parent_text"),
        *("decision", "spam", "hate", "on_topic", "note", "stratum", "weight"),
    ]
    assert row["text"] == "'=HYPERLINK(1)"
    assert (row["author"], row["id"], row["parent_text"]) == ("'@ann", "'-4", "comment 9")
    assert (row["decision"], row["spam"], row["note"]) == ("", "", "")
    assert not {"0.01", "hold", "publish"} & set(row.values())


def test_a_small_archive_is_taken_whole(tmp_path: Path) -> None:
    rows = sheet_of(write_sample(write_audit(tmp_path / "out", list(mixed_rows(60))), 60))
    assert sorted(int(row["number"]) for row in rows) == list(range(1, 61))
    assert {(row["stratum"], row["weight"]) for row in rows} == {("random", "1")}


def test_rows_are_shuffled_and_the_same_seed_gives_the_same_sample(out: Path) -> None:
    first = write_sample(out, 80, seed=3).read_bytes()
    numbers = [int(row["number"]) for row in sheet_of(out / "sample.csv")]
    assert numbers != sorted(numbers)
    assert [one["number"] for one in note_of(out)["rows"]] == numbers
    assert write_sample(out, 80, seed=3).read_bytes() == first
    assert write_sample(out, 80, seed=4).read_bytes() != first


def test_a_sheet_that_was_filled_in_is_not_replaced(out: Path) -> None:
    file = write_sample(out, 80)
    write_sample(out, 80, seed=1)  # no reviewer has worked on it
    filled = file.read_text("utf-8-sig").replace(",,,,,", ",,,1,,", 1)
    file.write_text(filled)
    with pytest.raises(AuditError, match=r"sample\.csv: already filled in"):
        write_sample(out, 80)
    assert file.read_text() == filled
    file.write_text("somebody's own notes\n")
    with pytest.raises(AuditError, match="already filled in"):
        write_sample(out, 80)


def test_too_small_samples_and_redacted_audits_are_refused(out: Path) -> None:
    with pytest.raises(AuditError, match=f"take {SMALLEST} or more"):
        write_sample(out, SMALLEST - 1)
    write_audit(out, list(mixed_rows(100)), redaction="names and texts")
    with pytest.raises(AuditError, match="redacted"):
        write_sample(out, 80)
    assert not (out / "sample.csv").exists()


@pytest.mark.parametrize("seed", range(5))
def test_no_cell_that_has_comments_is_left_out(tmp_path: Path, seed: int) -> None:
    rows = [audit_row(at) for at in range(2000)]
    rare = [0.06, 0.4, 0.55, 0.9]
    for at, spam in zip(random.Random(seed).sample(range(2000), 4), rare, strict=True):
        rows[at] = audit_row(at, spam)
    out = write_audit(tmp_path / "out", rows)
    write_sample(out, SMALLEST, seed=seed)
    cells = note_of(out)["cells"]
    assert set(cells) == {"publish far", "publish middle", "publish near", "hold near", "hold far"}
    assert all(one["random"] + one["picked"] >= 1 for one in cells.values())
    assert sum(one["random"] + one["picked"] for one in cells.values()) == SMALLEST


def test_cells_follow_action_and_distance_to_the_threshold() -> None:
    thresholds = {"spam": 0.5, "hate": 0.6}
    found = [cell_of(audit_row(0, spam), thresholds) for spam in (0.04, 0.05, 0.25, 0.5, 0.62, 0.63)]
    assert found == [
        *("publish far", "publish middle", "publish near"),
        *("hold near", "hold near", "hold far"),
    ]
    failed = {"code": "scoring_failed", "rule": "scoring failed", "label": None}
    assert cell_of(audit_row(0, scores={}, action="hold", reason=failed), thresholds) == "hold other"
    assert cell_of(audit_row(0, 0.9, action="reject"), thresholds) == "reject"
    assert cell_of(audit_row(0, scores={}), thresholds) == "publish far"


def test_a_sample_of_another_audit_or_none_is_noticed(out: Path) -> None:
    audit = FinishedAudit.open(out)
    with pytest.raises(AuditError, match="no sample"):
        read_sample(audit)
    write_sample(out, 80)
    assert read_sample(audit) == draw_sample(audit, 80, 0, ("spam", "hate", "on_topic"))
    write_audit(out, list(mixed_rows(1000)), model="10 (new)")
    with pytest.raises(AuditError, match="another audit"):
        read_sample(FinishedAudit.open(out))
    (out / "sample.json").write_text("[]")
    with pytest.raises(AuditError, match=r"sample\.json: damaged"):
        read_sample(audit)
