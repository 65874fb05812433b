"""Recovery from unreadable input: each bad record or file is reported once with its position, and no other is lost."""

import csv
import gzip
import io
import json
import os
import re
import sqlite3
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from belowline.data import ReadError, Reject, Thread, read_threads
from belowline.data.archives import containers
from belowline.data.archives.readers import FORMATS
from belowline.data.archives.shapes import hosts
from tests.support.containers import encrypted, zipped
from tests.support.warc import small
from tests.support.xml_exports import disqus, entry, item, post, thread, wxr

PAGE = b"Bridge\n\nDivers.\n\n\nNotify of\nView all comments\n\nAnn Lee\n\nIt is old.\n\n\nVery."
JSONL = b'{"text": "One."}\n{"text": "Two."}\n'
CSV = b"author,text\nAnn,One.\nBob,Two.\n"
HTML = b'<!DOCTYPE html><title>B</title><li id="comment-1"><p class="comment-content">One.</p></li>'


def read(path: Path, content: bytes | str | None = None, **options) -> tuple[list[Thread], list[Reject]]:
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    rejects: list[Reject] = []
    threads = list(read_threads(path, on_reject=rejects.append, **options))
    places = [(reject.source, reject.position) for reject in rejects]
    assert len(set(places)) == len(places), "nothing is reported twice"
    for reject in rejects:
        assert "\n" not in reject.reason
        assert str(path.absolute().parent) not in reject.reason
    return threads, rejects


def texts(threads: list[Thread]) -> list[str]:
    return [comment.text for thread in threads for comment in thread.comments]


def places(rejects: list[Reject], path: Path) -> list[tuple[str, int | None]]:
    return [(reject.source.removeprefix(f"{path}/"), reject.position) for reject in rejects]


def test_bad_lines_of_jsonl(tmp_path):
    good = '{"text": "%s", "thread": "a"}\n'
    bad = [
        b"{broken\n",
        b'["x"]\n',
        b'{"text": "\xff\xff\xffs"}\n',
        b'{"text": " "}\n',
        b'{"text": false}\n',
        b'{"author": "Ann"}\n',
        b'{"text": "secr',
    ]
    lines = [line for number, spoilt in enumerate(bad) for line in ((good % number).encode(), spoilt)]
    threads, rejects = read(tmp_path / "a.jsonl", b"\n" + b"".join(lines))
    assert len(threads) == 1
    assert texts(threads) == [str(number) for number in range(len(bad))]
    assert [reject.position for reject in rejects] == list(range(3, 3 + 2 * len(bad), 2))
    assert {reject.source for reject in rejects} == {str(tmp_path / "a.jsonl")}
    for reject, reason in zip(
        rejects,
        [
            "JSON",
            "list",
            "byte ",
            "field 'text': ",
            "field 'text': true or false",
            "text.*'author'",
            "JSON",
        ],
        strict=True,
    ):
        assert re.search(reason, reject.reason)
        assert "secret" not in reject.reason


def test_bad_rows_of_csv(tmp_path):
    content = (
        b'text,author,time\nOne.,Ann,\n"x, y" z,Ann,\nTwo.,Bob,\na,b,c,d\n"Three\nlines",Ann,\n"\xff\n\xff",Ann,\n'
        b'Four.,\xff,never\n ,Ann,\na,b,c,d\nSix.,"Ann,\nSeven.,Bob,\nEight.,"Bob",\n'
    )
    threads, rejects = read(tmp_path / "a.csv", content)
    assert texts(threads) == ["One.", "Two.", "Three\nlines", "Four.", "Seven.", "Eight."]
    assert [reject.position for reject in rejects] == [3, 5, 8, 11, 12, 13]
    expected = [
        *("CSV", "4 fields", f"byte {content.index(0xFF) + 1} ", "field 'text'", "4 fields", "CSV"),
    ]
    for reject, words in zip(rejects, expected, strict=True):
        assert words in reject.reason


def test_bad_rows_of_parquet(tmp_path):
    table = pa.table({"text": ["One.", None, "Two.", " ", "Three."], "time": [None, None, None, "never", ""]})
    parquet.write_table(table, tmp_path / "a.parquet")
    threads, rejects = read(tmp_path / "a.parquet")
    assert texts(threads) == ["One.", "Two.", "Three."]
    assert places(rejects, tmp_path) == [("a.parquet", 2), ("a.parquet", 4)]


def test_a_value_of_parquet_that_is_no_text_spoils_its_row_alone(tmp_path):
    bounds = pa.array([0, 3, 6, 9], pa.int32()).buffers()[1]
    words = pa.StringArray.from_buffers(3, bounds, pa.py_buffer(b"One\xff\xfe\xfdTwo"))
    parquet.write_table(pa.table({"text": words}), tmp_path / "a.parquet")
    threads, rejects = read(tmp_path / "a.parquet")
    assert texts(threads) == ["One", "Two"]
    assert places(rejects, tmp_path) == [("a.parquet", 2)]


def test_parquet_that_is_damaged_halfway_keeps_the_rows_before(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table({"text": [f"Comment {number}." for number in range(4_000)]})
    parquet.write_table(table, path, row_group_size=2_000, compression="gzip", use_dictionary=False)
    second = parquet.ParquetFile(path).metadata.row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[second.data_page_offset + 100 : second.data_page_offset + 400] = b"\xff" * 300
    threads, rejects = read(path, bytes(content))
    assert texts(threads) == [f"Comment {number}." for number in range(2_000)]
    assert places(rejects, tmp_path) == [("a.parquet", None)]
    assert "after row 2000" in rejects[0].reason
    with pytest.raises(ReadError, match="Parquet"):
        list(read_threads(path))


def test_wxr_that_is_cut_keeps_the_items_before(tmp_path):
    content = wxr(item(entry("One.")), item(entry("Two.")), item(entry("Three.")))
    cut = content[: content.index("Three.")]
    threads, rejects = read(tmp_path / "a.xml", cut)
    assert texts(threads) == ["One.", "Two."]
    assert places(rejects, tmp_path) == [("a.xml", cut.count("\n") + 1)]
    assert "early" in rejects[0].reason


def test_disqus_that_is_cut_keeps_the_posts_before(tmp_path):
    content = disqus(thread("1"), post("2", "1", "One."), post("3", "1", "Two."), post("4", "1", "Three."))
    cut = content[: content.index("Three.")]
    threads, rejects = read(tmp_path / "a.xml", cut)
    assert texts(threads) == ["One.", "Two."]
    assert places(rejects, tmp_path) == [("a.xml", cut.count("\n") + 1)]
    threads, rejects = read(tmp_path / "a.xml", content[: content.index("<thread")])
    assert (threads, len(rejects)) == ([], 1)
    with pytest.raises(ReadError, match="early"):
        next(read_threads(tmp_path / "a.xml"))


def test_files_of_a_folder_go_on(tmp_path):
    files = {
        "a.jsonl": JSONL,
        "b.txt": b"\x89PNG\0",
        "c.csv": b"words,author\nx,y\n",
        "d.jsonl.gz": gzip.compress(JSONL)[:-9],
        "e.parquet": b"PAR1nothing",
        "f.xml": b"<a/>",
        "g.csv": b"",
        "h.html": b"<!DOCTYPE html>",
        "i.warc": b"WARC/1.0\r\n",
        "j.txt": PAGE + b"\xff" * 80,
        "k.zip": zipped(("README.md", b"x")),
        "l/m.csv": CSV,
    }
    (tmp_path / "l").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    threads, rejects = read(tmp_path)
    assert texts(threads) == ["One.", "Two."] * 2
    spoilt = sorted(set(files) - {"a.jsonl", "l/m.csv"})
    assert [source for source, _ in places(rejects, tmp_path)] == spoilt
    positions = dict(places(rejects, tmp_path))
    assert {name: place for name, place in positions.items() if place is not None} == {
        "c.csv": 1,
        "i.warc": 0,
    }


def test_files_that_may_not_be_read(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_bytes(JSONL)
    (tmp_path / "a.jsonl").chmod(0)
    if os.access(tmp_path / "a.jsonl", os.R_OK):
        pytest.skip("this user may read every file")
    threads, rejects = read(tmp_path)
    assert texts(threads) == ["One.", "Two."]
    assert places(rejects, tmp_path) == [("a.jsonl", None)]


def test_members_of_a_zip_file_go_on(tmp_path):
    spoilt = bytearray(zipped(("a.csv", CSV), ("b.jsonl", JSONL), method=zipfile.ZIP_STORED))
    spoilt[spoilt.index(b"Ann")] ^= 1
    content = zipped(
        ("a.zip", bytes(spoilt)),
        ("b.zip", encrypted()),
        ("c.csv.gz", gzip.compress(CSV)[:-9]),
        ("d.zip", zipped(("e.zip", zipped(("f.csv", CSV))))),
        ("g.zip", b"PK\x03\x04"),
        ("h.jsonl", b"{broken\n" + JSONL),
        ("i.bin.gz", CSV),
        ("j.csv", CSV),
    )
    threads, rejects = read(tmp_path / "z.zip", content)
    assert texts(threads) == ["One.", "Two."] * 3
    assert places(rejects, tmp_path / "z.zip") == [
        ("a.zip/a.csv", None),
        ("b.zip/a.csv", None),
        ("c.csv.gz", None),
        ("d.zip/e.zip", None),
        ("g.zip", None),
        ("h.jsonl", 1),
    ]


def test_what_unpacks_to_too_much_ends_its_container_only(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "MAX_BYTES", 1_000)
    rows = b"text\n" + b"x\n" * 300
    (tmp_path / "b.csv").write_bytes(CSV)
    threads, rejects = read(tmp_path / "a.zip", zipped(*((f"{n}.csv", rows) for n in range(4))))
    assert (len(texts(threads)), len(rejects)) == (300, 1)
    assert "unpack" in rejects[0].reason
    threads, rejects = read(tmp_path)
    assert (len(texts(threads)), places(rejects, tmp_path)) == (302, [("a.zip/1.csv", None)])


def records_of_a_warc(zipped: bool, path: Path) -> tuple[bytes, int, int]:
    """A WARC file, and the offsets of its two pages."""
    whole = small(zipped).bytes()
    one, two = (int(thread.source.rpartition(":")[2]) for thread in read(path, whole)[0])
    return whole, one, two


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("spoilt", [(70, 200), (0, 12)])
def test_damaged_records_of_a_warc_go_on(tmp_path, zipped, spoilt):
    path = tmp_path / "a.warc"
    whole, one, two = records_of_a_warc(zipped, path)
    start, end = (one + offset for offset in spoilt)
    threads, rejects = read(path, whole[:start] + b"\xff" * (end - start) + whole[end:])
    assert texts(threads) == ["Third."]
    assert places(rejects, tmp_path) == [("a.warc", one)]
    assert not any("damaged" in note for note in threads[0].notes)
    threads, rejects = read(path, whole[:-60])
    assert (texts(threads), places(rejects, tmp_path)) == (["First.", "Second."], [("a.warc", two)])


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [(b"Content-Length: 40", "length"), (b"Xontent-Length: 40", "length or type")],
)
def test_wrong_headers_of_a_warc_record(tmp_path, wrong, reason):
    path = tmp_path / "a.warc"
    whole, one, _ = records_of_a_warc(False, path)
    start = whole.index(b"Content-Length: ", one)
    end = whole.index(b"\r\n", start)
    threads, rejects = read(path, whole[:start] + wrong + whole[end:])
    assert (texts(threads), places(rejects, tmp_path)) == (["Third."], [("a.warc", one)])
    assert reason in rejects[0].reason


def test_a_warc_in_one_gzip_member_counts_bytes_as_they_are_unpacked(tmp_path):
    path = tmp_path / "a.warc.gz"
    whole, _, two = records_of_a_warc(False, path)
    threads, rejects = read(path, gzip.compress(whole[:-60]))
    assert (texts(threads), places(rejects, tmp_path)) == (["First.", "Second."], [("a.warc.gz", two)])
    threads, rejects = read(path, gzip.compress(whole)[:-9])  # every record is whole, the checksum is missing
    assert texts(threads) == ["First.", "Second.", "Third."]
    assert places(rejects, tmp_path) == [("a.warc.gz", len(whole))]


def test_a_warc_with_nothing_but_damage_is_reported_by_its_records(tmp_path):
    archive = small()
    content = archive.bytes()
    threads, rejects = read(tmp_path / "a.warc", content[: len(content) // 6])
    assert threads == []
    assert len(rejects) == 1
    archive.add("https://a.example/0", b"\x00", more=[("Content-Encoding", "br")])
    threads, rejects = read(tmp_path / "a.warc", archive.bytes())
    assert places(rejects, tmp_path) == [("a.warc", len(content))]
    assert "'br'" in rejects[0].reason


def test_what_the_caller_got_wrong_is_raised(tmp_path):
    rejects: list[Reject] = []
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(ReadError, match="file"):
        read_threads(tmp_path / "nothing", on_reject=rejects.append, name="-")
    with pytest.raises(ReadError, match="format"):
        read_threads(tmp_path, on_reject=rejects.append, format="xml")
    with pytest.raises(ReadError, match="no archives"):
        list(read_threads(tmp_path, on_reject=rejects.append))
    assert rejects == []


@pytest.mark.parametrize("path", ["a", "b/a"])
def test_another_name(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    spoilt = JSONL + b"{broken a\n"
    threads, rejects = read(Path(path), spoilt, name="standard input")
    assert [thread.source for thread in threads] == ["standard input:1"]
    assert (rejects[0].source, rejects[0].position) == ("standard input", 3)
    with pytest.raises(ReadError, match=r"^standard input, line 3: not valid JSON"):
        list(read_threads(Path(path), name="standard input"))
    threads, rejects = read(Path(path), zipped(("a/banana.csv", CSV), ("c.jsonl", spoilt)), name="-")
    assert [thread.source for thread in threads] == ["-/a/banana.csv:2", "-/c.jsonl:1"]
    assert [(reject.source, reject.position) for reject in rejects] == [("-/c.jsonl", 3)]
    with pytest.raises(ReadError, match=r"^-/c\.jsonl, line 3: not valid JSON"):
        list(read_threads(Path(path), name="-"))


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\0", b"<a/>", PAGE + b"\xff" * 80, gzip.compress(JSONL)[:-9]]
)
def test_another_name_for_what_cannot_be_read(tmp_path, content):
    _, rejects = read(tmp_path / "a", content, name="-")
    assert [(reject.source, reject.position) for reject in rejects] == [("-", None)]
    with pytest.raises(ReadError, match=r"^-: ") as caught:
        list(read_threads(tmp_path / "a", name="-"))
    assert str(tmp_path) not in str(caught.value)


def test_loose_rows_keep_memory_bounded_when_all_are_bad(tmp_path):
    count = 0

    def counting(_: Reject) -> None:
        nonlocal count
        count += 1

    (tmp_path / "a.jsonl").write_bytes(b"{broken\n" * 20_000)
    assert list(read_threads(tmp_path / "a.jsonl", on_reject=counting)) == []
    assert count == 20_000


def parquet_bytes() -> bytes:
    target = io.BytesIO()
    parquet.write_table(pa.table({"text": ["One.", "Two."], "id": [1, 2]}), target)
    return target.getvalue()


def isso_bytes() -> bytes:
    database = sqlite3.connect(":memory:")
    database.executescript(
        "CREATE TABLE threads (id INTEGER PRIMARY KEY, uri TEXT, title TEXT);"
        "CREATE TABLE comments (tid INTEGER, id INTEGER PRIMARY KEY, parent INTEGER, created FLOAT, mode INTEGER, text TEXT,"
        "author TEXT); INSERT INTO threads VALUES (1, '/a', 'A');"
        "INSERT INTO comments VALUES (1, 1, NULL, 1715238720, 1, 'One.', 'Ann'), (1, 2, 1, 0, 2, 'Two.', NULL)"
    )
    return database.serialize()


ARCHIVES = {
    "page": PAGE,
    "html": HTML,
    "warc": small(True).bytes(),
    "jsonl": JSONL * 3,
    "csv": CSV * 2,
    "parquet": parquet_bytes(),
    "wxr": wxr(item(entry()), item(entry())).encode(),
    "disqus": disqus(thread("1"), post("2", "1"), post("3", "1", parent="2")).encode(),
    "gzip": gzip.compress(JSONL),
    "zip": zipped(("a.csv", CSV), ("b.jsonl", JSONL), ("c.xml", wxr(item(entry())).encode())),
    "warc, plain": small(False).bytes(),
    "json": b'[{"text": "One.", "user": {"name": "Ann"}, "replies": [{"text": "Two.", "time": 5}]}, {"text": "Three."}]',
    "isso": isso_bytes(),
    "zstd": zstandard.ZstdCompressor().compress(JSONL * 3),
    **{
        path.name: path.read_bytes()
        for path in sorted((Path(__file__).parent / "exports").glob("[!t]*.json*"))
    },
    "utf-16": "text;author\nÜber.;Zoë\n".encode("utf-16"),
    "cp1252": "text;author\nÜber.;Zoë\n".encode("cp1252"),
}
PIECES = st.binary(max_size=12) | st.sampled_from(
    [b"\n", b'"', b"\0", b"<", b"&", b"\xff\xfe", b"{", b"PK\x03\x04"]
)


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    content = bytearray(good[: draw(st.none() | st.integers(0, len(good)))])
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.integers(0, 12))] = draw(PIECES)
    return bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize("format", ARCHIVES)
@pytest.mark.parametrize("named", [True, False])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_raises_nothing_at_all(tmp_path, format, named, data):
    known = (format if format in FORMATS else hosts()[len(format) % len(hosts())]) if named else None
    threads, rejects = read(tmp_path / "a", data.draw(damaged(ARCHIVES[format])), format=known)
    assert threads or rejects
    assert all(text.strip() for text in texts(threads))
    assert all(reject.source.startswith(str(tmp_path / "a")) for reject in rejects)


WORDS = st.lists(
    st.sampled_from(["bridge", "old, very", "yes", "né", "Ann: no"]), min_size=1, max_size=4
).map(" ".join)
DAMAGE = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20), PIECES.map(lambda piece: piece.replace(b"\n", b"?"))),
    min_size=1,
    max_size=3,
)


def spoil(line: bytes, damage: list[tuple[int, int, bytes]]) -> bytes:
    """The line with pieces removed and inserted, still one line."""
    for start, length, piece in damage:
        line = line[:start] + piece + line[start + length :]
    return line.replace(b"\n", b"") + b"\n"


@pytest.mark.slow
@given(st.lists(WORDS, min_size=1, max_size=8), st.integers(0, 8), DAMAGE)
@example(["yes"], 0, [(0, 0, b"\r\x00")])
@example(["yes"], 0, [(0, 0, b"\x00\r")])
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_around_a_damaged_line_are_all_read(tmp_path, written, at, damage):
    lines = [json.dumps({"text": text}).encode() + b"\n" for text in written]
    spoilt = spoil(json.dumps({"text": "spoilt row"}).encode(), damage)
    at = min(at, len(lines))
    content = b"".join([*lines[:at], spoilt, *lines[at:]])
    assume(not content.startswith((b"\x1f\x8b", b"PK\x03\x04", b"\xff\xfe", b"\xfe\xff")))
    # With more returns than newlines, returns end the lines: see the next test.
    assume(content.count(b"\r") <= content.count(b"\n"))
    threads, rejects = read(tmp_path / "a.jsonl", content, format="jsonl")
    found = texts(threads)
    assert len(rejects) + len(found) <= len(lines) + 1
    assert {reject.position for reject in rejects} <= {at + 1}
    if len(found) > len(lines):
        del found[at]
    assert found == written


def test_returns_that_outnumber_newlines_end_lines_and_cost_no_row(tmp_path: Path) -> None:
    content = b'\0\r\r\r{"text": "spoilt row"}\n{"text": "bridge"}\n'
    threads, rejects = read(tmp_path / "a.jsonl", content, format="jsonl")
    assert texts(threads) == ["spoilt row", "bridge"]
    assert [reject.position for reject in rejects] == [1]


def csv_line(*cells: str) -> bytes:
    target = io.StringIO()
    csv.writer(target, lineterminator="\n").writerow(cells)
    return target.getvalue().encode()


@pytest.mark.slow
@given(st.lists(WORDS, min_size=1, max_size=8), st.integers(0, 8), DAMAGE)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_around_a_damaged_row_are_all_read(tmp_path, written, at, damage):
    rows = [csv_line(str(number), text, "Ann") for number, text in enumerate(written)]
    at = min(at, len(rows))
    spoilt = spoil(csv_line("x", "spoilt, row", "Bob"), damage)
    content = b"id,text,author\n" + b"".join([*rows[:at], spoilt, *rows[at:]])
    threads, rejects = read(tmp_path / "a.csv", content)
    found = [(comment.id, comment.text) for thread in threads for comment in thread.comments]
    expected = [(str(number), text) for number, text in enumerate(written)]
    assert {reject.position for reject in rejects} <= {at + 2}
    assert [one for one in found if one in expected] == expected
    assert len(found) <= len(expected) + 1
