import csv
import gzip
import io
import json
import sys
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
        ("in.csv", b"body,author\nx,y\n", "in.csv, line 1: no column 'text'"),
        ("in.csv", b"", "in.csv: empty"),
        ("in.csv", b"text\n", "no comments"),
        ("in.csv", b"id,text\n1,ok\n2\n", "in.csv, line 3: no field 'text'"),
        ("in.csv", b"id,text\n1,a,b\n", "in.csv, line 2: 3 fields"),
        ("in.csv", b'text\n"open\n', "in.csv, line 2: not valid CSV"),
        ("in.csv", b"text\nok\n\xff\n", "in.csv, line 3: byte 9 is not valid UTF-8"),
        ("in.csv", b"id,text\n1,ok\n2,  \n", "in.csv, line 3: blank"),
        ("in.jsonl", b"", "in.jsonl: empty"),
        ("in.jsonl", b"\n" * 70_000, "no comments"),
        ("in.jsonl", b'{"text": "ok"}\n{"text": "x"\n', "in.jsonl, line 2: not valid JSON"),
        ("in.jsonl", b"[1]\n", "in.jsonl, line 1: a JSON list"),
        ("in.jsonl", b'{"body": "x"}\n', "in.jsonl, line 1: no field 'text'; the columns are 'body'"),
        ("in.jsonl", b'{"text": null}\n', "in.jsonl, line 1: blank"),
        ("in.jsonl", b'{"text": "' + b"x" * 20_481 + b'"}\n', "20481 characters"),
        ("in.jsonl", b'{"text": "\xff"}\n', "in.jsonl, line 1: byte 11 is not valid UTF-8"),
        ("in.parquet", b"not parquet at all", "in.parquet: damaged, or not Parquet"),
        ("in.xlsx", zipped(("xl/workbook.xml.rels", b"")), "in.xlsx: the zip file holds no archives"),
        ("in", b"a line of text\n", "in: unknown format"),
        (
            "in.html",
            b"<!DOCTYPE html><p>x",
            "in.html: not rows of JSONL, CSV or Parquet but the format 'html'",
        ),
        ("in.csv.gz", gzip.compress(b"text\n\xff\n"), "in.csv.gz, line 2: byte 6 is not valid UTF-8"),
        ("in.zip", zipped(("a.csv", b"body\nx\n")), "in.zip/a.csv, line 1: no column 'text'"),
    ],
)
def test_a_bad_file_is_one_line_and_nothing_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    source, out = tmp_path / name, tmp_path / "out.jsonl"
    source.write_bytes(content)
    out.write_text("what was there before")
    assert words in failure(capsys, "--in", source, "--out", out)
    assert out.read_text() == "what was there before"
    assert sorted(tmp_path.iterdir()) == sorted([source, out])


def test_a_parquet_file_without_the_column_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    source = write(tmp_path / "in.parquet", [{"body": "x"}])
    assert "no column 'text'" in failure(capsys, "--in", source)
    source = write(tmp_path / "in.parquet", [{"text": "ok"}, {"text": None}])
    assert "in.parquet, row 2: blank" in failure(capsys, "--in", source)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "TEXT 1: blank"),
        (" \t", "TEXT 1: blank"),
        ("x" * 1_000_000, "TEXT 1: 1000000 characters"),
        ("word" * 10_000, "TEXT 1: 40000 characters"),
        ("\udcff", "TEXT 1: not valid Unicode"),
    ],
)
def test_a_bad_argument_is_one_line(capsys: pytest.CaptureFixture[str], text: str, words: str) -> None:
    assert words in failure(capsys, text)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "no comments"), (b"a\n\n", "line 2: blank"), (b"a\n\xff", "line 2: byte 3 is not valid UTF-8")],
)
def test_bad_standard_input_is_one_line(
    capsys: pytest.CaptureFixture[str], pipe: Callable[[bytes], None], content: bytes, words: str
) -> None:
    pipe(content)
    assert words in failure(capsys)


def test_a_terminal_without_text_is_told_what_to_give(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert cli.run(["score"]) == 2
    assert "Give TEXT, or --in FILE" in capsys.readouterr().err


def test_a_bad_target_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert "is not a file" in failure(capsys, "x", "--out", tmp_path / "folder.csv")
    assert "there is no folder" in failure(capsys, "x", "--out", tmp_path / "none" / "out.csv")
    assert "format .txt is unknown" in failure(capsys, "x", "--out", tmp_path / "out.txt")
    assert "check the path" in failure(capsys, "--in", tmp_path / "none.csv")


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
