"""Encodings, delimiters and quoting of the files that people bring."""

import codecs
import gzip
import json
from pathlib import Path

import pytest

from belowline.data import Reject, read_threads
from belowline.data.archives.columns import excel_delimiter
from belowline.data.archives.encodings import encoding_of, open_utf8
from belowline.data.archives.rows import read_rows
from tests.support.containers import zipped
from tests.support.reading import read

CSV = "id;author;text\r\n1;Zoë;Straße nach „Köln“ – 5 €\r\n2;Bo;Thanks.\r\n"


def texts(threads) -> list[str]:
    return [comment.text for thread in threads for comment in thread.comments]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda content: zipped(("in.csv", content))])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a"])
def test_encodings_of_csv(tmp_path, encoding, pack, name):
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(encoding, b"")
    (thread,) = read(tmp_path / name, pack(mark + CSV.encode(encoding)))
    assert texts([thread]) == ["Straße nach „Köln“ – 5 €", "Thanks."]
    assert thread.comments[0].author == "Zoë"
    assert [note for note in thread.notes if "Windows-1252" in note] == list(thread.notes)
    assert bool(thread.notes) == (encoding == "cp1252")
    found = [record for _, record in read_rows(tmp_path / name, (("text", "text"),))]
    assert [record["text"] for record in found] == texts([thread])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_encodings_of_other_text(tmp_path, encoding):
    page = "Brücke\n\nTaucher.\n\n\nNotify of\nView all comments\n\nAnn Lee\n\nJa, schön, über Köln.\n"
    (thread,) = read(tmp_path / "a.txt", page.encode(encoding))
    assert (thread.title, texts([thread])) == ("Brücke", ["Ja, schön, über Köln."])
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in ("Ja, schön.", "Nein."))
    assert texts(read(tmp_path / "a.jsonl", lines.encode(encoding))) == ["Ja, schön.", "Nein."]
    whole = json.dumps([{"text": "Ja, schön."}], ensure_ascii=False, indent=1)
    assert texts(read(tmp_path / "a.json", whole.encode(encoding))) == ["Ja, schön."]


def test_broken_utf_8_is_never_taken_for_windows_1252(tmp_path):
    rows = [f"Übung {n} – schön.".encode() for n in range(300)]
    for broken in (b"caf\xe9", b"\x93caf\xe9 now\x94", "Schön".encode()[:-2]):
        content = b"text\n" + b"\n".join([*rows[:200], broken, *rows[200:]]) + b"\n"
        (thread,) = read(tmp_path / "a.csv", content)
        assert texts([thread]) == [
            *(row.decode() for row in rows[:200]),
            broken.decode("utf-8", "replace"),
            *(row.decode() for row in rows[200:]),
        ]
        (note,) = thread.notes
        assert note.endswith(": 1")
    whole = json.dumps([{"text": row.decode()} for row in rows], ensure_ascii=False).encode()
    (thread,) = read(tmp_path / "a.json", whole.replace(b"299", b"\xe9"))
    assert thread.comments[-1].text == "Übung \ufffd – schön."


def test_a_broken_byte_beside_the_text_costs_nothing(tmp_path):
    rejects: list[Reject] = []
    path = tmp_path / "a.csv"
    path.write_bytes("text,author\nÜber.,Zoë\nTwo.,Bo\xff\n".encode("latin-1").replace(b"\xdc", b"\xc3\x9c"))
    (thread,) = read_threads(path, on_reject=rejects.append)
    assert (texts([thread]), rejects) == (["Über.", "Two."], [])
    assert thread.comments[1].author == "Bo\ufffd"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", None),
        (b"plain", None),
        (b"caf\xe9", "cp1252"),
        (b"x" * 200_000 + b"caf\xe9", "cp1252"),
        (("x" * 200_000 + "café").encode(), None),
        (b"\xff", None),
        (b"\x81\x8d", None),
        ("日本語のテキスト".encode("shift_jis"), None),
        ("\ufeffx".encode("utf-16-le"), "utf-16"),
    ],
)
def test_the_encoding_of_a_file(tmp_path, content, encoding):
    (tmp_path / "a").write_bytes(content)
    assert encoding_of(tmp_path / "a") == encoding


def test_a_long_file_is_converted_in_parts(tmp_path: Path):
    text = "Straße – „Köln“ 😀\n" * 50_000
    for encoding in ("utf-16", "cp1252"):
        (tmp_path / "a").write_bytes(text.replace("😀", "€").encode(encoding))
        with open_utf8(tmp_path / "a") as file:
            assert file.read().decode() == text.replace("😀", "€")
    (tmp_path / "a").write_bytes("ab😀".encode("utf-16")[:-1])
    with open_utf8(tmp_path / "a") as file:
        assert file.read() == "ab\ufffd".encode()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("declared", ["", "sep={}\r\n", '"sep={}"\r\n', "SEP={}\n", "\ufeffsep={}\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_delimiters_and_the_line_of_excel(tmp_path, delimiter, declared, encoding):
    lines = [["id", "author", "text"], ["1", "Ann", '"It is in, annex; two."'], ["2", "Bo", "Thanks."]]
    content = declared.format(delimiter) + "".join(delimiter.join(line) + "\r\n" for line in lines)
    (thread,) = read(tmp_path / "a.csv", content.encode(encoding))
    assert [(c.id, c.author, c.text) for c in thread.comments] == [
        ("1", "Ann", "It is in, annex; two."),
        ("2", "Bo", "Thanks."),
    ]


@pytest.mark.parametrize(
    ("line", "delimiter"),
    [
        ("sep=;", ";"),
        ('"sep=,"', ","),
        ("sep=\t", "\t"),
        ("sep=^", "^"),
        ("sep", None),
        ("separator=;", None),
        ("", None),
    ],
)
def test_the_line_of_excel(line, delimiter):
    assert excel_delimiter(line) == delimiter


def test_empty_cells_at_the_end_of_rows_are_fine(tmp_path):
    rejects: list[Reject] = []
    path = tmp_path / "a.csv"
    path.write_text("author,text\nAnn,One.,,,\nBo,Two.,x\nCy,Three., ,\n")
    (thread,) = read_threads(path, on_reject=rejects.append)
    assert texts([thread]) == ["One.", "Three."]
    assert [reject.position for reject in rejects] == [3]


def test_quotes_with_backslashes_as_mysql_writes_them(tmp_path):
    (thread,) = read(
        tmp_path / "a.csv", '"id","text"\n"1","He said \\"no\\", twice."\n"2","Two\\\\\nlines."\n'
    )
    assert texts([thread]) == ['He said "no", twice.', "Two\\\nlines."]
    (thread,) = read(tmp_path / "b.csv", '"id","text"\n"1","Look in C:\\"\n"2","He said ""no""."\n')
    assert texts([thread]) == ["Look in C:\\", 'He said "no".']


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", ["Plain words.", "Трамвай нужен всем жителям нашего города да."])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a"])
def test_utf_16_without_a_byte_order_mark(tmp_path, encoding, text, name):
    rows = "id,author,text\n" + "".join(f"{n},Ann,{text}\n" for n in range(9))
    (thread,) = read(tmp_path / name, rows.encode(encoding))
    assert texts([thread]) == [text] * 9
    record = json.dumps({"text": text}, ensure_ascii=False) + "\n"
    assert texts(read(tmp_path / "a.jsonl", record.encode(encoding))) == [text]


def test_nul_in_a_text_is_removed(tmp_path):
    (thread,) = read(tmp_path / "a.csv", "id,author,text\n1,An\0n,He\0llo.\n")
    assert (thread.comments[0].author, thread.comments[0].text) == ("Ann", "Hello.")
    (thread,) = read(tmp_path / "a.jsonl", '{"text": "He\\u0000llo."}\n')
    assert texts([thread]) == ["Hello."]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a"])
def test_line_ends_of_old_macs(tmp_path, encoding, name):
    rows = 'id,author,text\r1,Zoë,"Schön,\nja."\r2,Bo,Two.\r'
    (thread,) = read(tmp_path / name, rows.encode(encoding))
    assert texts([thread]) == ["Schön,\nja.", "Two."]
    assert [comment.line for comment in thread.comments] == [2, 4]
    records = '{"text": "One."}\r{"text": "Two."}\r'
    assert texts(read(tmp_path / "a.jsonl", records.encode(encoding))) == ["One.", "Two."]


def test_broken_bytes_between_returns(tmp_path):
    (thread,) = read(tmp_path / "a.csv", "id,text\r1,Grün ist alles hier.\r2,Schö".encode()[:-1] + b"n so.\r")
    assert texts([thread]) == ["Grün ist alles hier.", "Sch\ufffdn so."]
    assert thread.notes[0].endswith(": 1")
