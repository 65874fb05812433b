"""Input columns come through to the results."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from belowline.model import Scorer
from belowline.serve import cli
from tests.support.serve_fakes import LABELS, fake_scorer

RESULT = ["scores", "relevance", "action", "reason", "evidence", "language", "model"]


@pytest.fixture(autouse=True)
def _scorer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scorer, "load", lambda *_, **__: fake_scorer())


def scored(folder: Path, name: str, content: str | bytes, out: str, *options: str) -> Path:
    source, target = folder / name, folder / out
    source.write_bytes(content.encode() if isinstance(content, str) else content)
    assert cli.run(["score", "--in", str(source), "--out", str(target), *options]) == 0
    return target


def json_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def csv_rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as content:
        return list(csv.DictReader(content))


def test_columns_of_json_lines_come_through_with_their_types(tmp_path: Path) -> None:
    row = {
        "text": "fine",
        "user": {"name": "Ann", "tags": [1, None]},
        "likes": 3,
        "pinned": True,
        "when": None,
    }
    [out] = json_rows(scored(tmp_path, "a.jsonl", json.dumps(row) + "\n", "o.jsonl"))
    assert list(out) == ["id", *row, *RESULT]
    assert {name: out[name] for name in row} == row
    assert out["id"] == "1"


def test_columns_of_csv_come_through_in_their_order(tmp_path: Path) -> None:
    content = 'id,date,text,text,\n7,03.05.2024,"my spam\r\nmore",second,third\n'
    [out] = json_rows(scored(tmp_path, "a.csv", content, "o.jsonl"))
    assert list(out) == ["id", "date", "text", "text_2", "column_5", *RESULT]
    assert (out["text"], out["text_2"], out["column_5"]) == ("my spam\r\nmore", "second", "third")
    [out] = csv_rows(scored(tmp_path, "a.csv", content, "o.csv"))
    scores = [f"score_{label}" for label in LABELS]
    own = ["action", "code", "rule", "label", *scores, "relevance", "evidence", "language", "model"]
    assert list(out) == ["id", "date", "text", "text_2", "column_5", *own]
    assert (out["text"], out["date"], out["code"]) == ("my spam\r\nmore", "03.05.2024", "spam")


def test_columns_of_parquet_come_through(tmp_path: Path) -> None:
    table = pa.table(
        {"id": [1, 2], "text": ["fine", "spam"], "n": [1, None], "tags": [["a"], []], "b": [b"x", b"\xff"]}
    )
    parquet.write_table(table, tmp_path / "in.parquet")
    content = (tmp_path / "in.parquet").read_bytes()
    rows = parquet.read_table(scored(tmp_path, "a.parquet", content, "o.parquet")).to_pylist()
    assert [(row["id"], row["n"], row["tags"]) for row in rows] == [("1", 1, '["a"]'), ("2", None, "[]")]
    assert [row["action"] for row in rows] == ["publish", "hold"]
    assert [row["n"] for row in json_rows(scored(tmp_path, "a.parquet", content, "o.jsonl"))] == [1, None]


def test_a_column_of_parquet_has_the_type_of_its_values(tmp_path: Path) -> None:
    rows = [
        {"text": "a", "n": 1, "f": 1, "b": True, "s": "x", "m": 1, "big": 2**80, "none": None, "o": {"a": 1}},
        {"text": "b", "n": 2, "f": 0.5, "b": None, "s": "y", "m": "z", "big": 1, "none": None, "o": [1]},
        {"text": "c"},
    ]
    content = "".join(json.dumps(row) + "\n" for row in rows)
    table = parquet.read_table(scored(tmp_path, "a.jsonl", content, "o.parquet"))
    types = {name: str(table.schema.field(name).type) for name in rows[0]}
    numbers = {"n": "int64", "f": "double", "b": "bool"}
    assert types == dict.fromkeys(rows[0], "string") | numbers
    assert table.column("m").to_pylist() == ["1", "z", None]
    assert table.column("o").to_pylist() == ['{"a":1}', "[1]", None]
    assert table.column("big").to_pylist() == [str(2**80), "1", None]


@pytest.mark.parametrize("out", ["o.jsonl", "o.csv", "o.parquet"])
def test_a_column_named_like_a_field_of_the_results_is_renamed(tmp_path: Path, out: str) -> None:
    row = {
        "id": "7",
        "text": "spam",
        "action": "mine",
        "model": "T",
        "score_spam": 2,
        "input_model": "m",
        "code": "c",
    }
    file = scored(tmp_path, "a.jsonl", json.dumps(row) + "\n", out)
    read = {"o.jsonl": json_rows, "o.csv": csv_rows}.get(
        out, lambda path: parquet.read_table(path).to_pylist()
    )
    [result] = read(file)
    assert (result["id"], result["action"], result["model"]) == ("7", "hold", "9.9.9")
    assert (result["input_action"], result["input_code"]) == ("mine", "c")
    assert (result["input_model"], result["input_input_model"]) == ("m", "T")
    assert str(result["input_score_spam"]) == "2"


def test_another_column_for_the_id_leaves_the_column_id(tmp_path: Path) -> None:
    [out] = json_rows(scored(tmp_path, "a.csv", "id,key,text\n1,k7,fine\n", "o.jsonl", "--id-column", "key"))
    assert (out["id"], out["key"], out["input_id"]) == ("k7", "k7", "1")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        ("x", "x"),
        (None, "1"),
        (" ", "1"),
        ({"$oid": "5f"}, "5f"),
        ("7.0", "7"),
        ("NULL", "1"),
        (True, "1"),
    ],
)
def test_an_id_of_any_type_is_a_text(tmp_path: Path, sent: object, expected: str) -> None:
    [out] = json_rows(scored(tmp_path, "a.jsonl", json.dumps({"id": sent, "text": "fine"}) + "\n", "o.jsonl"))
    assert out["id"] == expected


def test_repeated_ids_are_kept(tmp_path: Path) -> None:
    rows = json_rows(scored(tmp_path, "a.csv", "id,text\n1,fine\n1,spam\n", "o.jsonl"))
    assert [(row["id"], row["action"]) for row in rows] == [("1", "publish"), ("1", "hold")]


def test_csv_has_no_formulas_and_plain_numbers_stay(tmp_path: Path) -> None:
    content = 'text,n,phone,=head\n"=HYPERLINK(""http://x.example"")",-5,+49 30 1,@x\nfine,"-1,5",,-x\n'
    rows = csv_rows(scored(tmp_path, "a.csv", content, "o.csv"))
    assert [row["text"] for row in rows] == ['\'=HYPERLINK("http://x.example")', "fine"]
    assert [row["n"] for row in rows] == ["-5", "-1,5"]
    assert [row["phone"] for row in rows] == ["'+49 30 1", ""]
    assert [row["'=head"] for row in rows] == ["'@x", "'-x"]
    exact = json_rows(scored(tmp_path, "a.csv", content, "o.jsonl"))
    assert exact[0]["text"] == '=HYPERLINK("http://x.example")'


def test_a_long_cell_is_not_cut(tmp_path: Path) -> None:
    [out] = csv_rows(scored(tmp_path, "a.jsonl", json.dumps({"text": "x" * 100_000}) + "\n", "o.csv"))
    assert len(out["text"]) == 100_000


@pytest.mark.parametrize(("head", "marked"), [("", False), ("\ufeff", True)])
def test_a_file_from_excel_becomes_a_file_for_excel(tmp_path: Path, head: str, marked: bool) -> None:
    file = scored(tmp_path, "a.csv", head + "id;text\r\n7;naïve\r\n", "o.csv")
    assert file.read_bytes().startswith(b"\xef\xbb\xbfid,text," if marked else b"id,text,")


def test_odd_values_do_not_break_a_line(tmp_path: Path) -> None:
    deep = '{"a":' * 400 + "1" + "}" * 400
    content = f'{{"text": "fine", "nan": NaN, "deep": {deep}, "half": "\\ud83d", "\\ud83d": 1}}\n'
    [out] = json_rows(scored(tmp_path, "a.jsonl", content, "o.jsonl"))
    assert (out["half"], out["\ufffd"], out["action"]) == ("\ufffd", 1, "publish")
    assert out["nan"] is None
    assert csv_rows(scored(tmp_path, "a.jsonl", content, "o.csv"))[0]["deep"] == deep
    assert parquet.read_table(scored(tmp_path, "a.jsonl", content, "o.parquet")).num_rows == 1


def test_an_unreadable_side_field_costs_no_comment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = '{"text": "spam", "who": true}\n{"text": "fine", "who": "Ann"}\n'
    rows = json_rows(scored(tmp_path, "a.jsonl", content, "o.jsonl", "--author-column", "who"))
    assert [row["who"] for row in rows] == [True, "Ann"]
    assert "note: rows without a readable author, scored without it: 1" in capsys.readouterr().err


def test_a_table_of_too_many_columns_is_refused_before_scoring(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "".join(json.dumps({"text": "fine", f"key{number}": 1}) + "\n" for number in range(1500))
    assert len(json_rows(scored(tmp_path, "a.jsonl", content, "o.jsonl"))) == 1500
    monkeypatch.setattr(cli, "_pipeline", lambda *_: pytest.fail("the model is loaded"))
    assert cli.run(["score", "--in", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "o.csv")]) == 1
    assert "1000 different columns" in capsys.readouterr().err
