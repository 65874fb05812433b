"""Input of an audit: unreadable records, standard input, and mapped columns."""

import io
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from belowline.model import Scorer
from belowline.serve import cli
from belowline.serve.active.files import digest_of
from belowline.serve.audit.archive import Archive
from belowline.serve.audit.engines import PipelineSpec, run_in_processes
from belowline.serve.audit.run import run_audit
from belowline.serve.scoring.pipeline import ModerationPipeline
from tests.support.audit_fakes import TABLES
from tests.support.serve_fakes import FakeScorer, fake_scorer


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> FakeScorer:
    scorer = fake_scorer()
    monkeypatch.setattr(Scorer, "load", lambda *_, **__: scorer)
    return scorer  # type: ignore[no-any-return]


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def written(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(
    scorer: FakeScorer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, out = tmp_path / "archive", tmp_path / "out"
    archive.mkdir()
    bad = archive / "a.jsonl"
    bad.write_bytes(b'{"text": "one"}\n{"text": "\xff"}\nnonsense\n{"text": "two"}\n')
    (archive / "b.xml").write_text("<a>")
    written(archive / "c.jsonl", {"text": "three"})
    for _ in range(2):  # the second run has nothing to do and returns the same status
        assert cli.run(["audit", str(archive), "--out", str(out)]) == 3
        assert str(out / "rejects.jsonl") in capsys.readouterr().err
    assert [row["text"] for row in lines_of(out / "comments.jsonl")] == ["one", "two", "three"]
    rejects = lines_of(out / "rejects.jsonl")
    assert [(one["source"], one["position"]) for one in rejects] == [
        (str(bad), 2),
        (str(bad), 3),
        (str(archive / "b.xml"), None),
    ]
    assert "UTF-8" in rejects[0]["reason"]
    assert "not valid JSON" in rejects[1]["reason"]
    summary = json.loads((out / "summary.json").read_text())
    assert summary["rejects"] == {"rejects": 3, "first": rejects}
    assert '<h2 id="rejects">' in (out / "report.html").read_text("utf-8")


def test_an_archive_without_fault_has_no_rejects(scorer: FakeScorer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli.run(["audit", str(written(tmp_path / "a.jsonl", {"text": "one"})), "--out", str(out)]) == 0
    assert (out / "rejects.jsonl").read_bytes() == b""


def test_standard_input_is_a_file_of_any_format(
    scorer: FakeScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    piped = io.TextIOWrapper(io.BytesIO(b"text,author\nso much spam,Ann\n,Ben\n"), "utf-8")
    monkeypatch.setattr(sys, "stdin", piped)
    out = tmp_path / "out"
    assert cli.run(["audit", "-", "--out", str(out)]) == 3
    [row] = lines_of(out / "comments.jsonl")
    assert (row["source"], row["author"], row["action"]) == ("standard input:2", "Ann", "hold")
    [reject] = lines_of(out / "rejects.jsonl")
    assert (reject["source"], reject["position"]) == ("standard input", 3)


def test_columns_are_what_they_are_said_to_be(scorer: FakeScorer, tmp_path: Path) -> None:
    rows = [{"body_html": "spam", "who": "Ann", "post": 7, "text": "not this"}]
    archive, out = written(tmp_path / "a.jsonl", *rows), tmp_path / "out"
    told = [f"--column={one}" for one in ("text=body_html", "author=who", "thread=post")]
    assert cli.run(["audit", str(archive), "--out", str(out), *told]) == 0
    [row] = lines_of(out / "comments.jsonl")
    assert (row["text"], row["author"]) == ("spam", "Ann")


OFFER = "Earn ${0} every week, it is no spam, from home at https://{1}.example/ now"
COPIED = [
    {"id": "1", "thread": "a", "title": "Harbour", "text": OFFER.format(97, "one")},
    {"id": "2", "thread": "a", "title": "Harbour", "text": "once"},
    {"id": "3", "thread": "b", "title": "Bridge", "text": OFFER.format(1285, "two")},
    {"id": "4", "thread": "b", "title": "Bridge", "text": OFFER.format(97, "one")},
    {"id": "5", "thread": "b", "title": "Bridge", "text": "explode"},
    {"id": "6", "thread": "b", "title": "Bridge", "text": "explode"},
]


def test_repeated_texts_are_counted_and_one_that_fails_is_held(
    scorer: FakeScorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr("belowline.serve.audit.run.PART_COMMENTS", 2)
    inventory = run_audit(
        Archive([written(tmp_path / "a.jsonl", *COPIED)]), out, ModerationPipeline.of(scorer, None)
    )  # type: ignore[arg-type]
    assert (inventory.comments, inventory.rejects) == (6, 0)
    rows = lines_of(out / "comments.jsonl")
    assert [row["action"] for row in rows] == ["hold", "publish", "hold", "hold", "hold", "hold"]
    assert [row["reason"]["code"] for row in rows[4:]] == ["scoring_failed"] * 2
    for row in rows[0], rows[2], rows[3]:
        [span] = row["evidence"]
        assert row["text"][span["start"] : span["end"]] == "spam"
    assert json.loads((out / "summary.json").read_text())["copies"] == {"comments": 4, "texts": 2}


@pytest.mark.slow
def test_results_do_not_depend_on_order_processes_or_part_size(
    tiny_scorer: Scorer, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {**row, "id": f"{n}-{row['id']}", "thread": f"{n}{row['thread']}"} for n in range(9) for row in COPIED
    ]
    pipeline = ModerationPipeline.of(tiny_scorer, None, digest_of(tiny_model_dir))
    spec = PipelineSpec(tiny_model_dir, pipeline.policy, 1, pipeline.identity)
    engine = partial(run_in_processes, spec, 2)
    whole, other, backwards = (tmp_path / name for name in ("whole", "other", "backwards"))
    archive = Archive([written(tmp_path / "a.jsonl", *rows)])
    run_audit(archive, whole, pipeline)
    monkeypatch.setattr("belowline.serve.audit.run.PART_COMMENTS", 5)
    run_audit(archive, other, pipeline, engine=engine)
    assert [(whole / name).read_bytes() for name in TABLES] == [
        (other / name).read_bytes() for name in TABLES
    ]
    run_audit(Archive([written(tmp_path / "b.jsonl", *reversed(rows))]), backwards, pipeline)
    results = [
        {
            row["id"]: (row["scores"], row["relevance"], row["evidence"], row["action"])
            for row in lines_of(out / "comments.jsonl")
        }
        for out in (whole, backwards)
    ]
    assert results[0] == results[1]


def test_positions_go_on_in_the_parts_of_a_thread(tmp_path: Path) -> None:
    rows = [{"title": title, "text": "fine"} for title in ("Tram", "Tram", "Bus", "Tram", "Bus")]
    comments = list(Archive([written(tmp_path / "a.jsonl", *rows, {"text": "loose"})]).comments())
    assert [(one.thread, one.position) for one in comments[:5]] == [
        *(("Tram", 0), ("Tram", 1), ("Bus", 0)),
        *(("Tram", 2), ("Bus", 1)),
    ]
    assert comments[5].position == 0
    written(tmp_path / "b.jsonl", *rows)
    assert [one.position for one in Archive([tmp_path]).comments()][6:] == [0, 1, 0, 2, 1]
