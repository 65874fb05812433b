import csv
import io
import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from belowline.data import SAMPLE_DIR, read_threads
from belowline.model import ScoreInput, Scorer
from belowline.serve import cli
from belowline.serve.audit import outputs as audit_outputs
from belowline.serve.audit import run as audit_module
from belowline.serve.audit.archive import Archive
from belowline.serve.audit.outputs import comments_schema
from belowline.serve.audit.run import run_audit
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.results import Result
from tests.support.audit_fakes import TABLES
from tests.support.serve_fakes import LABELS, fake_scorer

ROWS = [
    {"thread": "one", "title": "Harbour", "id": "1", "text": "lovely spam </script><b>", "author": "Ana <i>"},
    {"thread": "one", "title": "Harbour", "id": "2", "text": "fine", "parent": "1"},
    {"thread": "one", "title": "Harbour", "id": "3", "text": "explode"},
    {"thread": "two", "title": "Bridge", "id": "1", "text": "שלום hate"},
    {"thread": "two", "title": "Bridge", "id": "2", "text": "lovely spam </script><b>"},
]


FILES = {*TABLES, "summary.json", "report.html"}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return write_archive(tmp_path / "archive", ROWS)


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> ModerationPipeline:
    scorer = fake_scorer()
    monkeypatch.setattr(Scorer, "load", lambda *_, **__: scorer)
    return ModerationPipeline.of(scorer, None)


def write_archive(folder: Path, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def rows_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "comments.jsonl").read_text("utf-8").splitlines()]


def summary_of(out: Path) -> Any:
    return json.loads((out / "summary.json").read_text("utf-8"))


def test_every_comment_is_a_row_with_its_place_and_result(
    archive: Path, pipeline: ModerationPipeline, tmp_path: Path
) -> None:
    run_audit(Archive([archive]), tmp_path / "out", pipeline)
    rows = rows_of(tmp_path / "out")
    assert [(row["thread"], row["position"], row["id"]) for row in rows] == [
        ("Harbour", 0, "1"),
        ("Harbour", 1, "2"),
        ("Harbour", 2, "3"),
        ("Bridge", 0, "1"),
        ("Bridge", 1, "2"),
    ]
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS]
    assert rows[0]["author"] == "Ana <i>"
    assert rows[0]["source"].startswith(str(archive))
    fields = set(Result.model_fields)
    results = [Result.model_validate({name: row[name] for name in fields}) for row in rows]
    assert [(one.action, one.reason.code) for one in results] == [
        ("hold", "spam"),
        ("publish", "none"),
        ("hold", "scoring_failed"),
        ("hold", "hate_speech"),
        ("hold", "spam"),
    ]
    place = {"source", "thread", "position", "author", "parent", "time", "permalink", "line"}
    assert set(rows[0]) == fields | place | {"text", "verdict", "campaign"}
    assert [row["parent"] for row in rows] == [None, "1", None, None, None]
    assert [row["line"] for row in rows] == [1, 2, 3, 4, 5]


def section(report: str, id: str) -> str:
    """The section of a report under the heading ``id``."""
    return report.partition(f'<h2 id="{id}">')[2].partition("</section>")[0]


def test_the_summary_counts(archive: Path, pipeline: ModerationPipeline, tmp_path: Path) -> None:
    run_audit(Archive([archive]), tmp_path / "out", pipeline)
    summary = summary_of(tmp_path / "out")
    assert summary["comments"] == 5
    assert summary["actions"] == {"publish": 1, "hold": 4, "reject": 0}
    assert summary["reasons"] == {"spam": 2, "none": 1, "scoring_failed": 1, "hate_speech": 1}
    assert summary["labels"]["spam"]["threshold"] == 0.5
    assert summary["labels"]["spam"]["at_threshold"] == 2
    assert sum(summary["labels"]["spam"]["histogram"]) == 4
    assert summary["labels"]["on_topic"]["threshold"] is None
    assert summary["relevance"]["comments"] == summary["relevance"]["histogram"][15] == 4
    assert summary["languages"] == {"en": 4, "und": 1}
    inputs = summary["made_with"]["inputs"]
    assert summary["made_with"] == {**pipeline.identity, "inputs": inputs}
    run_audit(Archive([write_archive(tmp_path / "other", ROWS)]), tmp_path / "again", pipeline)
    assert summary_of(tmp_path / "again")["made_with"]["inputs"] != inputs, "another source"
    assert summary["finished"]
    threads = [
        (one["thread"], one["comments"], one["actions"]["hold"]) for one in summary["threads"]["worst"]
    ]
    assert threads == [("Harbour", 3, 2), ("Bridge", 2, 2)]
    assert summary["threads"]["worst"][0]["labels"]["spam"] == 1


def test_the_model_is_told_of_article_and_parent(tmp_path: Path) -> None:
    rows = [row | {"article": "First.\n\nSecond."} for row in ROWS[:2]]
    rows[0]["website"] = "https://shop.example"
    comments = list(Archive([write_archive(tmp_path / "a", rows)]).comments())
    author = "Ana <i>", "https://shop.example"
    assert comments[0].comment == ScoreInput(ROWS[0]["text"], "Harbour\nFirst.\n\nSecond.", None, *author)
    assert comments[1].comment == ScoreInput("fine", "Harbour\nFirst.\n\nSecond.", ROWS[0]["text"])


@pytest.mark.parametrize(
    ("title", "shown", "other"), [("Harbour", "On topic", "Substance"), (None, "Substance", "On topic")]
)
def test_without_an_article_the_report_says_substance(
    tmp_path: Path, pipeline: ModerationPipeline, title: str | None, shown: str, other: str
) -> None:
    archive = write_archive(tmp_path / "a", [{"id": "1", "text": "fine", "title": title}])
    run_audit(Archive([archive]), tmp_path / "out", pipeline)
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert f">{shown}<" in report
    assert f">{other}<" not in report


def test_the_report_needs_nothing_else_and_escapes_everything(
    archive: Path, pipeline: ModerationPipeline, tmp_path: Path
) -> None:
    run_audit(Archive([archive]), tmp_path / "out", pipeline)
    report = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "<script" not in report
    assert "</script>" not in report
    assert "<b>lovely" not in report
    assert "Ana &lt;i&gt;" in report
    assert not re.search(r'(src|href)="(?!#)', report)
    assert "url(" not in report
    assert "default-src 'none'" in report
    assert "Audit of 5 comments in 2 threads" in report
    listed = section(report, "review")
    assert listed.count('lovely <mark title="Spam">spam</mark> &lt;/script&gt;&lt;b&gt;</blockquote>') == 1
    assert '<span class="tag">×2</span>' in report
    assert 'שלום <mark title="Hate">hate</mark>' in report
    assert 'href="#top-spam"' in report
    assert 'id="top-spam"' in report
    assert "Relevance to article or parent" in report
    assert "· relevance 0.75" in report


def test_a_report_of_comments_without_context_does_not_speak_of_relevance(
    pipeline: ModerationPipeline, tmp_path: Path
) -> None:
    rows = write_archive(tmp_path / "a", [{"text": "spam"}])
    run_audit(Archive([rows]), tmp_path / "out", pipeline)
    assert rows_of(tmp_path / "out")[0]["relevance"] is None
    assert "relevance" not in (tmp_path / "out" / "report.html").read_text("utf-8").lower()


def test_an_interrupted_audit_goes_on_where_it_was(
    archive: Path, pipeline: ModerationPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "PART_COMMENTS", 2)
    out = tmp_path / "out"
    real = pipeline.scorer.score

    def stop_at_the_second_part(comments: Any) -> Any:
        if any("explode" in comment.text for comment in comments):
            raise KeyboardInterrupt
        return real(comments)

    monkeypatch.setattr(pipeline.scorer, "score", stop_at_the_second_part)
    with pytest.raises(KeyboardInterrupt):
        run_audit(Archive([archive]), out, pipeline)
    assert [path.name for path in out.iterdir()] == ["parts"]
    assert sorted(path.name for path in (out / "parts").iterdir()) == ["000000.jsonl", "made_with.json"]

    monkeypatch.setattr(pipeline.scorer, "score", real)
    pipeline.scorer.calls.clear()
    run_audit(Archive([archive]), out, pipeline)
    scored = {comment.text for call in pipeline.scorer.calls for comment in call}
    assert "fine" not in scored
    assert [row["text"] for row in rows_of(out)] == [row["text"] for row in ROWS]
    assert {path.name for path in out.iterdir()} == FILES


def test_a_complete_audit_is_not_made_again(
    archive: Path, pipeline: ModerationPipeline, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_audit(Archive([archive]), out, pipeline)
    before = (out / "summary.json").stat().st_mtime_ns
    pipeline.scorer.calls.clear()
    run_audit(Archive([archive]), out, pipeline)
    assert (pipeline.scorer.calls, (out / "summary.json").stat().st_mtime_ns) == ([], before)
    run_audit(Archive([archive]), out, pipeline, force=True)
    assert pipeline.scorer.calls


@pytest.mark.parametrize("other", ["inputs", "model"])
def test_another_audit_is_replaced_only_when_forced(
    archive: Path,
    tmp_path: Path,
    other: str,
    pipeline: ModerationPipeline,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    arguments = ["audit", str(archive), "--out", str(out)]
    assert cli.run(arguments) == 0
    before = (out / "comments.jsonl").read_bytes()
    if other == "inputs":
        write_archive(archive, ROWS[:1])
    else:
        monkeypatch.setattr("belowline.serve.active.files.digest_of", lambda _: "0" * 64)
    capsys.readouterr()
    assert cli.run(arguments) == 1
    assert f"other {other};" in capsys.readouterr().err
    assert (out / "comments.jsonl").read_bytes() == before
    assert cli.run([*arguments, "--force"]) == 0
    assert summary_of(out)["comments"] == (1 if other == "inputs" else 5)


def test_notes_name_their_files_if_there_are_several(
    tmp_path: Path, pipeline: ModerationPipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = [{"text": "fine", "time": "soon", "thread": str(number)} for number in range(2)]
    folder = write_archive(tmp_path / "archive", odd)
    note = "2 of 2 times cannot be read for sure"
    out = tmp_path / "out"
    assert cli.run(["audit", str(folder), "--out", str(out)]) == 0
    assert [(one["files"], one["in_files"]) for one in summary_of(out)["notes"]] == [
        ([f"{folder}/a.jsonl"], 1)
    ]
    assert "a.jsonl" not in "".join(line for line in capsys.readouterr().out.splitlines() if note in line)
    for name in "bcde":
        (folder / f"{name}.jsonl").write_bytes((folder / "a.jsonl").read_bytes())
    assert cli.run(["audit", str(folder), "--out", str(out), "--force"]) == 0
    shown = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("note: 10 of 10"))
    assert shown.endswith("(a.jsonl, b.jsonl, c.jsonl and 2 more files)")
    assert summary_of(out)["files"] == 5
    assert "a.jsonl, b.jsonl, c.jsonl and 2 more files" in (out / "report.html").read_text("utf-8")


def test_a_failing_audit_leaves_the_finished_one_alone(
    archive: Path, pipeline: ModerationPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run_audit(Archive([archive]), out, pipeline)
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(audit_outputs, "render_report", fail)
    with pytest.raises(ZeroDivisionError):
        run_audit(Archive([archive]), out, pipeline, force=True)
    (out / "parts").rename(tmp_path / "parts")
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    assert {name: after[name] for name in ("report.html", "summary.json")} == {
        name: before[name] for name in ("report.html", "summary.json")
    }
    assert sorted(after) == sorted(before)


def failure(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert cli.run(["audit", *map(str, arguments)]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("belowline: ")
    assert shown.err.count("\n") == 1
    return shown.err.removeprefix("belowline: ").rstrip()


@pytest.mark.usefixtures("pipeline")
def test_bad_input_is_one_line_and_makes_no_folder(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    assert "no such file" in failure(capsys, tmp_path / "none", "--out", out)
    assert str(empty) in failure(capsys, empty, "--out", out)
    assert "unknown format 'pdf'" in failure(capsys, archive, "--out", out, "--format", "pdf")
    assert "field 'body'" in failure(capsys, archive, "--out", out, "--column", "body=text")
    assert "--column text: " in failure(capsys, archive, "--out", out, "--column", "text")
    assert "WORD=STATUS" in failure(capsys, archive, "--out", out, "--status", "approved")
    assert "'gone'" in failure(capsys, archive, "--out", out, "--status", "approved=gone")
    assert "day-first" in failure(capsys, archive, "--out", out, "--time-format", "%H:%M")
    assert "text is already a" in failure(
        capsys, archive, "--out", out, "--column", "text=a", "--column", "text=b"
    )
    assert "--engine spark" in failure(capsys, archive, "--out", out, "--engine", "spark")
    (empty / "b.jsonl").write_bytes(b'{"text": "\xff"}\n')
    assert "b.jsonl:1: byte 11 is not valid UTF-8" in failure(capsys, empty, "--out", out)
    assert not out.exists()
    assert f"inside the archive {archive}" in failure(capsys, archive, "--out", archive / "out")
    (tmp_path / "file").write_text("")
    assert "is not a folder" in failure(capsys, archive, "--out", tmp_path / "file")


def test_the_sample_is_audited_whole(tiny_scorer: Scorer, tmp_path: Path) -> None:
    run_audit(Archive([SAMPLE_DIR]), tmp_path / "out", ModerationPipeline.of(tiny_scorer, None))
    expected = [comment.text for thread in read_threads(SAMPLE_DIR) for comment in thread.comments]
    assert [row["text"] for row in rows_of(tmp_path / "out")] == expected


def test_real_pages_are_audited_whole(archives: Path, tiny_scorer: Scorer, tmp_path: Path) -> None:
    run_audit(Archive([archives]), tmp_path / "out", ModerationPipeline.of(tiny_scorer, None))
    counts = {
        Path(one["source"]).name: one["comments"] for one in summary_of(tmp_path / "out")["threads"]["worst"]
    }
    assert len(counts) == len(list(archives.glob("*.txt")))
    assert sum(counts.values()) == len(rows_of(tmp_path / "out")) > 0


OFFER = "Hello {0}, I work from home and earn {1} dollars every week, you can do it too at {2}"
TOLD = [
    {
        "id": "1",
        "thread": "one",
        "text": OFFER.format("Ann", 97, "http://a.example"),
        "author": "Sue",
        "time": "2025-10-30T12:00:00Z",
    },
    {
        "id": "2",
        "thread": "one",
        "text": "spam, and not a copy of anything else here",
        "author": "Ben",
        "time": "2025-11-02T12:00:00Z",
    },
    {
        "id": "3",
        "thread": "two",
        "text": OFFER.format("Bob", 120, "http://b.example/x"),
        "author": "Kim",
        "time": "2025-11-05T12:00:00+02:00",
    },
    {"id": "4", "thread": "two", "text": "thanks", "author": "Ben"},
    {"id": "5", "thread": "two", "text": "thanks", "author": "Ann"},
]


def test_campaigns_months_and_authors_are_told(pipeline: ModerationPipeline, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_audit(Archive([write_archive(tmp_path / "a", TOLD)]), out, pipeline)
    assert [row["campaign"] for row in rows_of(out)] == [1, None, 1, None, None]
    [campaign] = [json.loads(line) for line in (out / "campaigns.jsonl").read_text("utf-8").splitlines()]
    assert campaign == {
        "campaign": 1,
        "comments": 2,
        "first_seen": "2025-10-30T12:00:00+00:00",
        "last_seen": "2025-11-05T10:00:00+00:00",
        "authors": 2,
        "threads": 2,
        "actions": {"publish": 2, "hold": 0, "reject": 0},
        "text": TOLD[0]["text"],
        "author_names": ["Sue", "Kim"],
        "thread_names": ["one", "two"],
    }
    summary = summary_of(out)
    assert summary["campaigns"] == {"campaigns": 1, "comments": 2, "largest": [campaign]}
    months = [(one["month"], one["comments"], one["labels"]["spam"]) for one in summary["months"]]
    assert months == [("2025-10", 1, 0), ("2025-11", 2, 1)]
    assert summary["authors"] == [], "nobody has five comments"
    report = (out / "report.html").read_text("utf-8")
    assert "2 comments in 1 campaign." in report
    assert "2025-10-30 to 2025-11-05 · 2 threads · 2 authors: Sue, Kim" in report


def test_the_tables_say_what_the_lines_say(
    archive: Path, pipeline: ModerationPipeline, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_audit(Archive([write_archive(tmp_path / "a", [*ROWS, *TOLD])]), out, pipeline)
    table = parquet.read_table(out / "comments.parquet")
    assert table.schema.equals(comments_schema(LABELS))
    for row, line in zip(table.to_pylist(), rows_of(out), strict=True):
        same = (
            "source",
            "thread",
            "position",
            "id",
            "parent",
            "author",
            "text",
            "action",
            "campaign",
            "language",
            "verdict",
        )
        assert all(row[name] == line[name] for name in same)
        assert (row["code"], row["rule"], row["label"]) == tuple(line["reason"].values())
        assert row["time"] == (datetime.fromisoformat(line["time"]) if line["time"] else None)
        for label in LABELS:
            assert row[f"score_{label}"] == pytest.approx(line["scores"].get(label))
        assert [(one["label"], one["start"]) for one in row["evidence"]] == [
            (one["label"], one["start"]) for one in line["evidence"]
        ]
    threads = parquet.read_table(out / "threads.parquet").to_pylist()
    assert [(one["thread"], one["hold"], one["spam"]) for one in threads] == [
        (one["thread"], one["actions"]["hold"], one["labels"]["spam"])
        for one in summary_of(out)["threads"]["worst"]
    ]


ODD = [
    {
        "text": "=1+1 spam\nand more",
        "author": "Bo \u202eBerg",
        "title": "\u2067Brücke",
        "time": "2024-05-09T09:40:00+02:00",
        "permalink": "https://paper.example/#comment-1",
    },
    {"text": "fine", "title": "\u2067Brücke", "author": "@cmd"},
    {"title": "\u2067Brücke", "author": "Ann"},
]


def test_the_sheet_is_safe_for_spreadsheets_and_the_lines_are_exact(
    pipeline: ModerationPipeline, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_audit(Archive([write_archive(tmp_path / "a", ODD)]), out, pipeline)
    content = (out / "comments.csv").read_bytes()
    assert content.startswith(
        b"\xef\xbb\xbfnumber,action,reason,words,thread,author,time,text,permalink,source,line,"
    )
    one, other = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    shown = ("number", "action", "reason", "words", "thread", "author", "time", "text", "permalink", "line")
    assert [one[name] for name in shown] == [
        *(
            "1",
            "hold",
            "spam or advertising",
            "spam",
            "[U+2067]Brücke",
            "Bo [U+202E]Berg",
            "2024-05-09 07:40:00",
        ),
        *("'=1+1 spam\nand more", "https://paper.example/#comment-1", "1"),
    ]
    assert [other[name] for name in ("action", "reason", "words", "author", "score_spam")] == [
        *("publish", "", "", "'@cmd", "0.01"),
    ]
    lines = (out / "comments.jsonl").read_text("utf-8")
    assert not set(lines) & set("\u202e\u2067"), "escaped"
    assert [row["author"] for row in rows_of(out)] == ["Bo \u202eBerg", "@cmd"]
    row = parquet.read_table(out / "comments.parquet").to_pylist()[0]
    assert (row["author"], row["permalink"], row["line"]) == ("Bo \u202eBerg", ODD[0]["permalink"], 1)


@pytest.mark.usefixtures("pipeline")
def test_the_command_ends_with_its_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["audit", str(write_archive(tmp_path / "a", ODD)), "--out", str(out)]
    for _ in range(2):  # the second run finds the audit complete
        assert cli.run(arguments) == 3
        shown = capsys.readouterr()
        assert not set(shown.out + shown.err) & set("\u202e\u2067")
        counts = [re.findall(r"\d+", line) for line in shown.out.splitlines()[:3]]
        assert counts[:2] == [["2", "1"], ["1", "50", "0", "1"]]
        assert "[U+2067]Brücke (1 of 2)" in shown.out
        assert shown.out.rstrip().endswith(f"report: {out / 'report.html'}")
        assert str(out / "comments.csv") in shown.out
        assert "1 records could not be read" in shown.err
        assert "1 × no field with the text" in shown.err
        assert str(out / "rejects.jsonl") in shown.err


def test_verdicts_are_set_beside_the_policys(pipeline: ModerationPipeline, tmp_path: Path) -> None:
    told = [("hate", "publish"), ("spam", "spam"), ("fine", "publish"), ("so nice", "reject"), ("spam", None)]
    rows = [{"id": str(n), "text": text, "verdict": verdict} for n, (text, verdict) in enumerate(told)]
    out = tmp_path / "out"
    run_audit(Archive([write_archive(tmp_path / "a", rows)]), out, pipeline)
    assert summary_of(out)["verdicts"] == {
        "publish": {"publish": 1, "hold": 1, "reject": 0},
        "reject": {"publish": 1, "hold": 0, "reject": 0},
        "spam": {"publish": 0, "hold": 1, "reject": 0},
    }
    report = (out / "report.html").read_text("utf-8")
    passed, _, removed = report.partition("Removed by moderators")
    assert ">hate<" in passed.partition("Published by moderators")[2]
    assert ">so nice<" in removed.partition("</ol>")[0]


def test_a_redacted_audit_holds_no_name_and_no_word(
    pipeline: ModerationPipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BELOWLINE_REDACT_KEY", "a key of the publisher's own")
    archive, out, plain = write_archive(tmp_path / "a", [*ROWS, *TOLD]), tmp_path / "out", tmp_path / "plain"
    arguments = ["audit", str(archive), "--out", str(out)]
    assert cli.run([*arguments, "--redact"]) == 0
    run_audit(Archive([archive]), plain, pipeline)
    for file in FILES:
        content = (out / file).read_bytes()
        for words in ("lovely spam", "שלום", "work from home", "Ana &lt;", "Ana <", "Sue", "Kim"):
            assert words.encode() not in content, (file, words)
    redacted, whole = rows_of(out), rows_of(plain)
    same = ("source", "thread", "id", "scores", "action", "evidence", "campaign", "time")
    assert [[row[name] for name in same] for row in redacted] == [
        [row[name] for name in same] for row in whole
    ]
    for name in ("text", "author"):
        pairs = {(one[name], other[name]) for one, other in zip(redacted, whole, strict=True)}
        assert len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})
    assert redacted[1]["author"] is None
    assert cli.run([*arguments, "--redact"]) == 0, "the same again is left as it is"
    assert cli.run(arguments) == 1, "not replaced by one with words unless forced"


def test_an_audits_table_is_an_archive(pipeline: ModerationPipeline, tmp_path: Path) -> None:
    run_audit(Archive([write_archive(tmp_path / "a", [*ROWS, *TOLD])]), tmp_path / "out", pipeline)
    run_audit(Archive([tmp_path / "out" / "comments.parquet"]), tmp_path / "again", pipeline)
    one, other = rows_of(tmp_path / "out"), rows_of(tmp_path / "again")
    same = ("thread", "id", "parent", "author", "time", "text", "campaign", "action", "verdict")
    assert [[row[name] for name in same] for row in one] == [[row[name] for name in same] for row in other]
