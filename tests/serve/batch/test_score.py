import csv
import gzip
import io
import json
import os
import sys
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from belowline.model import ScoreInput, Scorer
from belowline.serve import cli
from belowline.serve.batch.read import Row
from belowline.serve.batch.score import score_rows
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.results import Result
from tests.support.containers import zipped
from tests.support.serve_fakes import fake_scorer

ROWS = [{"id": "a", "text": 'my spam, "quoted"\nsecond line'}, {"id": "b", "text": "fine שלום 😀"}]


@pytest.fixture(autouse=True)
def scorer(monkeypatch: pytest.MonkeyPatch) -> Any:
    scorer = fake_scorer()
    monkeypatch.setattr(Scorer, "load", lambda *_, **__: scorer)
    return scorer


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def feed(content: bytes) -> None:
        stream = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
        monkeypatch.setattr(sys, "stdin", stream)

    return feed


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    else:
        parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def read(path: Path) -> list[dict[str, Any]]:
    """Return id, action, code, spam score and evidence of each result, for any format."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [
                {"id": r["id"], "action": r["action"], "code": r["code"], "spam": float(r["score_spam"])}
                | {"evidence": json.loads(r["evidence"]), "model": r["model"]}
                for r in csv.DictReader(file)
            ]
    rows = (
        parquet.read_table(path).to_pylist()
        if path.suffix == ".parquet"
        else [json.loads(line) for line in path.read_text().splitlines()]
    )
    return [
        {"id": r["id"], "action": r["action"], "code": r["reason"]["code"], "spam": r["scores"]["spam"]}
        | {"evidence": r["evidence"], "model": r["model"]}
        for r in rows
    ]


def failure(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return the one line with which the command fails; check that nothing is written."""
    assert cli.run(["score", *map(str, arguments)]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("belowline: ")
    assert shown.err.count("\n") == 1
    return shown.err.removeprefix("belowline: ").rstrip()


@pytest.mark.parametrize("target", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize("source", [".jsonl", ".csv", ".parquet"])
def test_each_format_becomes_each_other(tmp_path: Path, source: str, target: str) -> None:
    rows = write(tmp_path / f"in{source}", ROWS)
    out = tmp_path / f"out{target}"
    assert cli.run(["score", "--in", str(rows), "--out", str(out)]) == 0
    evidence = [{"label": "spam", "start": 3, "end": 7, "strength": 0.8765}]
    assert read(out) == [
        {"id": "a", "action": "hold", "code": "spam", "spam": 0.9, "evidence": evidence, "model": "9.9.9"},
        {"id": "b", "action": "publish", "code": "none", "spam": 0.01, "evidence": [], "model": "9.9.9"},
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([rows.name, out.name])


def test_a_lone_surrogate_in_json_lines_is_read_as_the_replacement_character(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text('{"id": "\\ud83d", "text": "\\ud83d spam"}\n')
    assert cli.run(["score", "--in", str(source), "--out", str(out)]) == 0
    [result] = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert (result["id"], result["reason"]["code"]) == ("\ufffd", "spam")
    assert [(one["start"], one["end"]) for one in result["evidence"]] == [(2, 6)]


def test_arguments_give_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["score", "spam", "fine"]) == 0
    results = [Result.model_validate_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one.id, one.action) for one in results] == [("1", "hold"), ("2", "publish")]


def test_a_terminal_gets_tables(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert cli.run(["score", "spam"]) == 0
    shown = capsys.readouterr().out
    assert "Hold" in shown
    assert "Substance" in shown
    assert "Personal attack" in shown
    assert "0.90" in shown
    assert "Relevance" not in shown
    assert cli.run(["score", "spam", "--article", "Harbour"]) == 0
    shown = capsys.readouterr().out
    assert "Relevance" in shown
    assert "0.75" in shown


def test_standard_input_is_one_comment_a_line(
    capsys: pytest.CaptureFixture[str], pipe: Callable[[bytes], None]
) -> None:
    pipe("spam\r\nשלום\nlast without an end".encode())
    assert cli.run(["score"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["id"], one["action"]) for one in results] == [
        ("1", "hold"),
        ("2", "publish"),
        ("3", "publish"),
    ]


def test_context_reaches_the_model(tmp_path: Path, scorer: Any) -> None:
    rows = [
        {"body": "Yes", "key": 7, "title": " Harbour ", "to": "Is it?"},
        {"body": "No", "key": 8, "title": "", "to": ""},
    ]
    source = write(tmp_path / "in.csv", rows)
    columns = [
        "--text-column",
        "body",
        "--id-column",
        "key",
        "--article-column",
        "title",
        "--parent-column",
        "to",
    ]
    out = tmp_path / "out.jsonl"
    assert cli.run(["score", "--in", str(source), *columns, "--out", str(out)]) == 0
    assert scorer.calls == [[ScoreInput("Yes", "Harbour", "Is it?"), ScoreInput("No")]]
    assert [row["id"] for row in read(out)] == ["7", "8"]
    assert [json.loads(line)["relevance"] for line in out.read_text().splitlines()] == [0.75, None]
    for name in ("out.csv", "out.parquet"):
        cli.run(["score", "--in", str(source), *columns, "--out", str(tmp_path / name)])
    assert [row["relevance"] for row in parquet.read_table(tmp_path / "out.parquet").to_pylist()] == [
        0.75,
        None,
    ]
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        assert [row["relevance"] for row in csv.DictReader(file)] == ["0.75", ""]
    cli.run(["score", "Yes", "--article", "Harbour"])
    assert scorer.calls[-1] == [ScoreInput("Yes", "Harbour")]


def test_rows_without_an_id_are_numbered(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": "x"}, {"text": "y", "id": None}, {"text": "z", "id": 9}])
    out = tmp_path / "out.jsonl"
    assert cli.run(["score", "--in", str(source), "--out", str(out)]) == 0
    assert [row["id"] for row in read(out)] == ["1", "2", "9"]


def test_tables_are_read_as_in_an_audit(tmp_path: Path, scorer: Any) -> None:
    for name, content in (
        ("a.csv", b"\xef\xbb\xbfID;Text\n7;one\n\n8;two\n"),
        ("a.jsonl", b'\n{"ID": 7, "Text": "one"}\n'),
        ("a", b'{"ID": 7, "Text": "one"}\n'),
        ("a.tsv.gz", gzip.compress(b"ID\tText\n7\tone\n")),
        ("a.zip", zipped(("x.ndjson", b'{"ID": 7, "Text": "one"}\n'))),
    ):
        source, out = tmp_path / name, tmp_path / "out.jsonl"
        source.write_bytes(content)
        assert cli.run(["score", "--in", str(source), "--out", str(out)]) == 0
        assert [row["id"] for row in read(out)] == (["7", "8"] if name == "a.csv" else ["7"])


@pytest.mark.parametrize("text", [{"rendered": "one"}, ["one"], [{"text": "one"}]])
def test_a_text_in_an_object_is_read_as_in_an_audit(tmp_path: Path, scorer: Any, text: object) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": text}, {"text": "", "body": "two"}])
    assert cli.run(["score", "--in", str(source), "--out", str(tmp_path / "out.jsonl")]) == 0
    assert scorer.calls == [[ScoreInput("one"), ScoreInput("two")]]


def test_a_comment_that_cannot_be_scored_is_held(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": "explode"}, {"text": "fine"}])
    for name in ("out.jsonl", "out.parquet"):
        assert cli.run(["score", "--in", str(source), "--out", str(tmp_path / name)]) == 0
    actions = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(one["action"], one["reason"]["code"]) for one in actions] == [
        ("hold", "scoring_failed"),
        ("publish", "none"),
    ]
    assert parquet.read_table(tmp_path / "out.parquet").to_pylist()[0]["scores"] is not None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "in.csv",
            b"kommentar,author\nx,y\n",
            "in.csv, line 1: no text column; the columns are 'kommentar', 'author'",
        ),
        ("in.csv", b"", "in.csv: empty"),
        ("in.csv", b"text\n", "in.csv: no comments"),
        ("in.csv", b"id,text\n1,a,b\n", "in.csv, line 2: row has 3 fields"),
        ("in.csv", b'text\n"open\n', "in.csv, line 2: not valid CSV"),
        (
            "in.csv",
            b"id,text\n1,\n2,  \n",
            "in.csv: none of 2 rows can be scored; the first: line 2, field 'text': blank",
        ),
        ("in.jsonl", b"", "in.jsonl: empty"),
        ("in.jsonl", b"\n" * 70_000, "no comments"),
        ("in.jsonl", b"[1]\n", "in.jsonl, line 1: a list"),
        (
            "in.jsonl",
            b'{"kommentar": "x"}\n',
            "in.jsonl, line 1: no field with the text; the columns are 'kommentar'",
        ),
        ("in.jsonl", b'{"text": [[]]}\n', "in.jsonl, line 1, field 'text': a list"),
        ("in.jsonl", b'{"text": null}\n', "in.jsonl, line 1, field 'text': blank"),
        ("in.parquet", b"not parquet at all", "in.parquet: damaged, or not Parquet"),
        ("in.zip", zipped(("a.jpg", b"")), "in.zip: the zip file holds no archives"),
        ("in.xlsx", zipped(("xl/workbook.xml", b"")), "in.xlsx: a workbook; save the sheet as CSV"),
        ("in", b"a line of text\n", "in: unknown format"),
        (
            "in.html",
            b"<!DOCTYPE html><p>x",
            "in.html: not rows of JSONL, JSON, CSV or Parquet but the format 'html'",
        ),
        ("in.zip", zipped(("a.csv", b"kommentar\nx\n")), "in.zip/a.csv, line 1: no text column"),
    ],
)
def test_a_file_without_comments_is_one_line_before_the_model_is_loaded(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    content: bytes,
    words: str,
) -> None:
    monkeypatch.setattr(cli, "_pipeline", lambda *_: pytest.fail("the model is loaded"))
    source, out = tmp_path / name, tmp_path / "out.jsonl"
    source.write_bytes(content)
    out.write_text("what was there before")
    assert words in failure(capsys, "--in", source, "--out", out)
    assert out.read_text() == "what was there before"
    assert sorted(tmp_path.iterdir()) == sorted([source, out])


def test_a_named_column_must_exist(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("in.jsonl", "in.csv", "in.parquet"):
        source = write(tmp_path / name, [{"text": "x"}])
        for option in ("--text-column", "--author-column", "--id-column"):
            assert "'nmae'" in failure(capsys, "--in", source, option, "nmae")


@pytest.mark.parametrize(
    ("name", "content", "ids", "rejects"),
    [
        ("in.csv", b"id,text\n1,ok\n2,\n3,more\n4\n", ["1", "3"], [(3, 2, "text"), (5, 4, None)]),
        ("in.csv", b"text\n  \nok\n", ["1"], []),
        (
            "in.jsonl",
            b'{"text": "a"}\n\n{"text": "b"\n7\n{"text": "c"}\n',
            ["1", "4"],
            [(3, 2, None), (4, 3, None)],
        ),
        (
            "in.jsonl",
            b'{"text": {"a": 1}}\n{"text": 42}\n{"other": 1}\n',
            ["2"],
            [(1, 1, "text"), (3, 3, None)],
        ),
        ("in.jsonl", b'{"text": "\xff"}\n{"text": "ok"}\n', ["2"], [(1, 1, None)]),
    ],
)
def test_bad_rows_are_listed_and_the_rest_is_scored(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    content: bytes,
    ids: list[str],
    rejects: list[tuple[int, int, str | None]],
) -> None:
    source, out = tmp_path / name, tmp_path / "out.jsonl"
    source.write_bytes(content)
    assert cli.run(["score", "--in", str(source), "--out", str(out)]) == (3 if rejects else 0)
    assert [row["id"] for row in read(out)] == ids
    file = tmp_path / "out.jsonl.rejects.jsonl"
    assert file.exists() == bool(rejects)
    listed = [json.loads(line) for line in file.read_text().splitlines()] if rejects else []
    assert [(one["position"], one["row"], one["field"]) for one in listed] == rejects
    assert all(one["source"] == str(source) and one["reason"] for one in listed)
    summary = capsys.readouterr().err
    assert f"scored {len(ids)}: {len(ids)} published" in summary
    assert (f"{len(rejects)} not readable ({file})" in summary) == bool(rejects)


def test_a_rejected_row_keeps_its_columns_and_an_old_list_goes(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": "ok"}, {"text": " ", "user": {"name": "Ann"}}])
    out, rejects = tmp_path / "out.csv", tmp_path / "out.csv.rejects.jsonl"
    assert cli.run(["score", "--in", str(source), "--out", str(out)]) == 3
    [listed] = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert listed["record"] == {"text": " ", "user": {"name": "Ann"}}
    write(source, [{"text": "ok"}])
    assert cli.run(["score", "--in", str(source), "--out", str(out)]) == 0
    assert not rejects.exists()


def test_a_parquet_row_without_text_is_rejected(tmp_path: Path) -> None:
    source = write(tmp_path / "in.parquet", [{"text": "ok"}, {"text": None}])
    out = tmp_path / "out.jsonl"
    assert cli.run(["score", "--in", str(source), "--out", str(out)]) == 3
    [listed] = [json.loads(line) for line in (tmp_path / "out.jsonl.rejects.jsonl").read_text().splitlines()]
    assert (listed["position"], listed["field"]) == (2, "text")


@pytest.mark.parametrize("text", ["", " \t", "\udcff"])
def test_a_bad_argument_is_one_line(capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert "TEXT 1: " in failure(capsys, text)
    assert cli.run(["score", "fine", text]) == 3
    shown = capsys.readouterr()
    assert [json.loads(line)["id"] for line in shown.out.splitlines()] == ["1"]
    assert shown.err.startswith("belowline: TEXT 2: ")


@pytest.mark.parametrize("size", [20_481, 30_694, 1_000_000])
def test_a_text_of_any_length_is_scored(tmp_path: Path, scorer: Any, size: int) -> None:
    text = "x" * (size - 5) + " spam"
    source, out = write(tmp_path / "in.jsonl", [{"text": text}]), tmp_path / "out.jsonl"
    assert cli.run(["score", "--in", str(source), "--out", str(out)]) == 0
    assert [row["action"] for row in read(out)] == ["hold"]
    assert json.loads(out.read_text())["text"] == text
    assert cli.run(["score", text]) == 0
    assert [one.text for [one] in scorer.calls] == [text, text]


@pytest.mark.parametrize(
    ("content", "ids"),
    [(b"a\n\nb", ["1", "3"]), (b"a\n\xff", ["1"]), (b"a\n \ncaf\xe9 open\n", ["1", "3"])],
)
def test_a_bad_line_of_standard_input_is_reported(
    capsys: pytest.CaptureFixture[str], pipe: Callable[[bytes], None], content: bytes, ids: list[str]
) -> None:
    pipe(content)
    assert cli.run(["score"]) == 3
    shown = capsys.readouterr()
    assert [json.loads(line)["id"] for line in shown.out.splitlines()] == ids
    assert "standard input, line 2" in shown.err
    assert f"scored {len(ids)}:" in shown.err


def test_empty_standard_input_is_one_line(
    capsys: pytest.CaptureFixture[str], pipe: Callable[[bytes], None]
) -> None:
    pipe(b"")
    assert "no comments" in failure(capsys)


def test_many_bad_rows_are_not_all_shown(
    capsys: pytest.CaptureFixture[str], pipe: Callable[[bytes], None]
) -> None:
    pipe(b"fine\n" + b"\n" * 500)
    assert cli.run(["score"]) == 3
    shown = capsys.readouterr().err
    assert shown.count("blank") == 20
    assert "500 not readable" in shown


def test_a_file_on_standard_input_or_in_a_pipe_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], pipe: Callable[[bytes], None]
) -> None:
    pipe(b"id,text\n7,spam\n8,\n")
    assert cli.run(["score", "--in", "-"]) == 3
    shown = capsys.readouterr()
    assert [json.loads(line)["id"] for line in shown.out.splitlines()] == ["7"]
    assert "standard input, line 3, field 'text': blank" in shown.err
    os.mkfifo(tmp_path / "fifo.csv")
    writer = threading.Thread(target=(tmp_path / "fifo.csv").write_bytes, args=(b"id,text\n9,spam\n",))
    writer.start()
    assert cli.run(["score", "--in", str(tmp_path / "fifo.csv")]) == 0
    writer.join()
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == ["9"]


def test_a_terminal_without_text_is_told_what_to_give(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert cli.run(["score"]) == 2
    assert "Give TEXT, or --in FILE" in capsys.readouterr().err


def test_a_bad_target_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert "is a folder" in failure(capsys, "--in", tmp_path)
    source = write(tmp_path / "in.csv", [{"text": "x"}])
    assert "is the input" in failure(capsys, "--in", source, "--out", source)
    repaired = write(tmp_path / "out.csv.rejects.jsonl", [{"text": "x"}])
    assert "is the input" in failure(capsys, "--in", repaired, "--out", tmp_path / "out.csv")
    assert repaired.exists()
    assert "is not a file" in failure(capsys, "x", "--out", tmp_path / "folder.csv")
    assert "there is no folder" in failure(capsys, "x", "--out", tmp_path / "none" / "out.csv")
    assert "format .txt is unknown" in failure(capsys, "x", "--out", tmp_path / "out.txt")
    assert "check the path" in failure(capsys, "--in", tmp_path / "none.csv")


@pytest.mark.slow
def test_memory_stays_flat(tmp_path: Path, scorer: Any) -> None:
    peaks = []
    for count in (3_000, 12_000):
        rows = (Row(str(number), ScoreInput("fine" * 50)) for number in range(count))
        tracemalloc.start()
        score_rows(rows, tmp_path / "out.jsonl", ModerationPipeline.of(scorer, None))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        scorer.calls.clear()
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 12_000
    assert peaks[1] < 1.5 * peaks[0]
