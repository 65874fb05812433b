import csv
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from belowline.data.decisions import read_decisions
from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.finished import FinishedAudit
from belowline.serve.audit.review.importing import ReviewAnswer, import_review, review_lines, review_of
from belowline.serve.audit.review.sample import cell_of, draw_sample, write_sample
from tests.support.audit_fakes import mixed_rows, sheet_of, write_audit

Fill = Callable[[dict[str, str]], dict[str, str]]
HARM = {
    "publish far": 0.005,
    "publish middle": 0.05,
    "publish near": 0.2,
    "hold near": 0.5,
    "hold far": 0.9,
    "hold other": 0.3,
    "reject": 0.95,
}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    rows = list(mixed_rows(400))
    rows[9]["parent"] = "0"
    out = write_audit(tmp_path / "out", rows)
    write_sample(out, 400)
    return out


def reject_spam(row: dict[str, str]) -> dict[str, str]:
    """Answer that every tenth comment is spam and that nothing else is wrong."""
    spam = int(row["number"]) % 10 == 0
    return {"decision": "reject" if spam else "publish", "spam": str(int(spam)), "hate": "0"}


def filled(out: Path, fill: Fill = reject_spam, encoding: str = "utf-8-sig", **dialect: Any) -> Path:
    """Return a copy of sample.csv as a reviewer saves it."""
    rows = sheet_of(out / "sample.csv")
    file = out.parent / "reviewed.csv"
    with file.open("w", encoding=encoding, newline="") as target:
        writer = csv.DictWriter(target, list(rows[0]), **dialect)
        writer.writeheader()
        writer.writerows(row | fill(row) for row in rows)
    return file


def refusal(out: Path, fill: Fill) -> str:
    with pytest.raises(AuditError) as caught:
        import_review(filled(out, fill), out)
    assert "\n" not in str(caught.value)
    assert not (out / "decisions.jsonl").exists()
    assert not (out / "estimate.json").exists()
    return str(caught.value)


def decisions_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "decisions.jsonl").read_text("utf-8").splitlines()]


def test_an_archive_that_was_judged_whole_is_known(out: Path) -> None:
    review = import_review(filled(out), out, reviewer="ann")
    assert (review.comments, review.sampled, review.judged, review.unfinished) == (400, 400, 400, 0)
    assert review.not_published is not None
    assert review.not_published.value == pytest.approx(0.1)
    assert review.not_published.low == review.not_published.high == pytest.approx(0.1)
    [flagged, rejecting] = review.policy.values()
    assert (flagged.comments, rejecting.comments) == (40, 8)
    assert flagged.precision is not None
    assert flagged.recall is not None
    assert (flagged.precision.value, flagged.recall.value) == (1.0, 1.0)
    assert rejecting.recall is not None
    assert rejecting.recall.value == pytest.approx(0.2)
    assert review.labels["on_topic"] is None


def test_decisions_have_the_comment_its_context_and_its_weight(out: Path) -> None:
    write_sample(out, 100, seed=1)
    import_review(filled(out, lambda row: reject_spam(row) | {"note": "why"}), out, reviewer="ann")
    rows = decisions_of(out)
    assert len(rows) == 100
    assert [row["number"] for row in rows] == sorted(row["number"] for row in rows)
    row = rows[0]
    assert row["text"] == f"comment {row['number'] - 1}"
    assert row["article"] == row["thread"] == f"Article {(row['number'] - 1) // 10}"
    assert (row["reviewer"], row["model"], row["policy"], row["note"]) == ("ann", "9.9.9", "3", "why")
    assert row["labels"] == {"spam": int(row["number"] % 10 == 0), "hate": 0}
    assert {row["stratum"] for row in rows} == {"random", "picked"}
    assert sum(row["weight"] for row in rows) == pytest.approx(400)


def test_the_comment_that_is_answered_comes_along(out: Path) -> None:
    import_review(filled(out), out)
    found = {row["number"]: row["parent"] for row in decisions_of(out)}
    assert (found[10], found[11]) == ("comment 0", None)


def test_training_reads_the_decisions(out: Path) -> None:
    import_review(filled(out), out)
    examples = read_decisions(out / "decisions.jsonl")
    assert len(examples) == 400
    assert {(one.labels["spam"], one.weight, one.slice) for one in examples} == {
        (0.0, 1.0, "random"),
        (1.0, 1.0, "random"),
    }


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_what_a_spreadsheet_made_of_the_file_does_not_matter(
    out: Path, delimiter: str, encoding: str
) -> None:
    def as_saved(row: dict[str, str]) -> dict[str, str]:
        changed = {"number": f"{row['number']},0", "weight": "1,00E+00", "id": "#NAME?", "text": "lost"}
        judged = reject_spam(row)
        return changed | judged | {"decision": judged["decision"].title()}

    review = import_review(filled(out, as_saved, encoding, delimiter=delimiter, lineterminator="\n"), out)
    assert review.not_published is not None
    assert review.not_published.value == pytest.approx(0.1)
    assert decisions_of(out)[0]["text"] == "comment 0"


def test_unfinished_rows_are_counted_and_weights_cover_for_them(out: Path) -> None:
    def half(row: dict[str, str]) -> dict[str, str]:
        return reject_spam(row) if int(row["number"]) % 20 < 11 else {}

    review = import_review(filled(out, half), out)
    assert review.unfinished == 400 - review.judged == 180
    assert sum(row["weight"] for row in decisions_of(out)) == pytest.approx(400)
    assert "180" in review_lines(review)[0]
    assert json.loads((out / "estimate.json").read_text())["unfinished"] == 180


def test_what_nobody_can_have_meant_is_told_with_row_and_field(out: Path) -> None:
    def third(**cells: str) -> Fill:
        return lambda row: reject_spam(row) | (cells if row["number"] == numbers[1] else {})

    numbers = [row["number"] for row in sheet_of(out / "sample.csv")]
    where = f"{out.parent / 'reviewed.csv'}, row 3, field"
    for cells, message in (
        ({"decision": "delete it"}, "decision: not publish or reject"),
        ({"decision": ""}, "decision: empty"),
        ({"spam": "2"}, "spam: not 0 or 1"),
        ({"hate": "maybe"}, "hate: not 0 or 1"),
        ({"number": "401"}, "number: no comment"),
        ({"number": "x"}, "number: no comment"),
        ({"number": numbers[0]}, "number: same as in row 2"),
        ({"sample": "s0000"}, "sample: not s"),
    ):
        assert refusal(out, third(**cells)).startswith(f"{where} {message}")
    assert "no row has a decision" in refusal(out, lambda _: {})


def test_a_file_of_another_sample_or_audit_is_noticed(out: Path) -> None:
    file = filled(out)
    write_sample(out, 100, seed=5)
    with pytest.raises(AuditError, match="field sample"):
        import_review(file, out)
    write_sample(out, 400)
    assert import_review(file, out).judged == 400
    write_audit(out, list(mixed_rows(400)), policy="4 (new)")
    with pytest.raises(AuditError, match="another audit"):
        import_review(file, out)


def test_a_label_that_is_only_ever_one_is_not_estimated(out: Path) -> None:
    def only_ones(row: dict[str, str]) -> dict[str, str]:
        given = reject_spam(row)
        return given | {"spam": given["spam"].replace("0", "")}

    review = import_review(filled(out, only_ones), out)
    assert review.labels["spam"] is None
    assert review.labels["hate"] is not None
    assert [note.partition(":")[0] for note in review.notes] == ["spam"]


def test_the_terminal_gets_one_screen(out: Path) -> None:
    write_sample(out, 100)
    lines = review_lines(import_review(filled(out), out))
    assert lines[0] == "100 of 100 comments judged"
    assert len(lines) < 24
    assert any(line.startswith("  should not be published  10.") and " to " in line for line in lines)
    assert "policy, hold or reject: 40 comments" in lines
    assert "  on topic                 not known" in lines


@dataclass(frozen=True)
class Held(FinishedAudit):
    """An audit whose rows are read once for many draws."""

    known: list[tuple[int, dict[str, Any]]]

    def rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        return iter(self.known)


def test_estimates_are_unbiased_and_their_intervals_hold_the_truth(tmp_path: Path) -> None:
    """200 samples of one archive: the mean of the estimates, and the coverage of the intervals."""
    opened = FinishedAudit.open(write_audit(tmp_path / "out", list(mixed_rows(1500))))
    audit = Held(opened.folder, opened.summary, list(opened.rows()))
    rng = random.Random(2)
    cells = {number: cell_of(row, audit.thresholds) for number, row in audit.known}
    harmful = {number for number, cell in cells.items() if rng.random() < HARM[cell]}
    flagged = {number for number, cell in cells.items() if not cell.startswith("publish")}
    caught = len(harmful & flagged)
    truth = {
        "prevalence": len(harmful) / 1500,
        "precision": caught / len(flagged),
        "recall": caught / len(harmful),
    }
    held: Counter[str] = Counter()
    means = dict.fromkeys(truth, 0.0)
    for seed in range(200):
        sample = draw_sample(audit, 150, seed, ("spam",))
        verdicts = {
            one: ReviewAnswer("reject" if one in harmful else "publish", {}, "") for one in sample.by_number
        }
        review = review_of(sample, verdicts)
        measured = review.policy["hold or reject"]
        given = (review.not_published, measured.precision, measured.recall)
        for (name, true), one in zip(truth.items(), given, strict=True):
            assert one is not None
            held[name] += one.low <= true <= one.high
            means[name] += one.value
    assert min(held.values()) >= 0.93 * 200, held
    assert means["prevalence"] / 200 == pytest.approx(truth["prevalence"], abs=0.004)
    assert means["precision"] / 200 == pytest.approx(truth["precision"], abs=0.01)
