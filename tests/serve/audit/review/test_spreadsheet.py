import csv
from pathlib import Path

import pytest

from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.review.spreadsheet import read_sheet, write_sheet
from belowline.serve.scoring.safe_text import CELL_CHARS, cell

COLUMNS = ("number", "text", "decision")
ROWS = [
    {"number": 1, "text": 'two\nlines; and "quotes", שלום', "decision": "publish"},
    {"number": 2, "text": "=1+1"},
    {"number": 3, "text": "café", "decision": "reject"},
]
READ = [
    (2, {"number": "1", "text": 'two\nlines; and "quotes", שלום', "decision": "publish"}),
    (3, {"number": "2", "text": "'=1+1", "decision": ""}),
    (4, {"number": "3", "text": "café", "decision": "reject"}),
]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1"])
def test_what_a_spreadsheet_would_run_is_a_text(text: str) -> None:
    assert cell(text) == "'" + text


def test_harmless_cells_stay_and_long_ones_are_cut() -> None:
    assert [cell(one) for one in ("fine = fine", 7, None)] == ["fine = fine", 7, None]
    assert cell("a\x00b") == "a\ufffdb"
    long = cell("x" * 40_000)
    assert isinstance(long, str)
    assert len(long) == CELL_CHARS < 32_767
    assert long.endswith("x […]")


def test_a_sheet_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    write_sheet(file, COLUMNS, ROWS)
    assert file.read_bytes().startswith(b"\xef\xbb\xbfnumber,text,decision\r\n")
    assert read_sheet(file, COLUMNS) == READ


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\r\n", "\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_what_excel_and_libreoffice_save_is_read(
    tmp_path: Path, delimiter: str, ends: str, encoding: str
) -> None:
    file = tmp_path / "a.csv"
    with file.open("w", encoding=encoding, newline="") as target:
        writer = csv.writer(target, delimiter=delimiter, lineterminator=ends)
        writer.writerow(["Number", " text ", "DECISION", ""])
        writer.writerows([*row.values(), ""] for _, row in READ)
        writer.writerow(["", "", "", ""])
    assert [
        (number, {name: row[name] for name in COLUMNS}) for number, row in read_sheet(file, COLUMNS)
    ] == READ


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8"])
@pytest.mark.parametrize(("delimiter", "first"), [(";", ""), ("\t", ""), (";", "sep=;\r\n")])
def test_sheets_in_the_encodings_of_excel_are_read(
    tmp_path: Path, encoding: str, delimiter: str, first: str
) -> None:
    file = tmp_path / "a.csv"
    lines = [("number", "text", "decision"), ("1", "Das „Café“ – 5 €", "reject"), ("2", "Nö.", "publish")]
    file.write_bytes((first + "".join(delimiter.join(line) + "\r\n" for line in lines)).encode(encoding))
    assert [tuple(row[name] for name in COLUMNS) for _, row in read_sheet(file, COLUMNS)] == lines[1:]


def test_short_rows_are_filled_and_long_ones_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("number,text,decision\n1\n2,a,publish\n")
    assert [row["decision"] for _, row in read_sheet(file, COLUMNS)] == ["", "publish"]
    file.write_text("number,text,decision\n1,a,b,publish\n")
    with pytest.raises(AuditError, match="row has 4 fields, the header 3"):
        read_sheet(file, COLUMNS)


def test_missing_columns_and_damage_are_told(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    for content, message in (
        (b"", "no columns 'number', "),
        (b"number,text\n", "no column 'decision'"),
        (b"\xff\xfenumber\x00\xd8", "no columns? 'number'"),
    ):
        file.write_bytes(content)
        with pytest.raises(AuditError, match=message) as caught:
            read_sheet(file, COLUMNS)
        assert "\n" not in str(caught.value)
