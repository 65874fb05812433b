"""WARC files, written with warcio."""

import gzip
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.data import ReadError
from belowline.data.archives.warc.pages import read_warc
from belowline.data.archives.warc.records import looks_like_warc
from tests.support.warc import Archive, page, small


@pytest.fixture
def threads(tmp_path):
    def read(content: bytes, problems: list[ReadError] | None = None):
        file = tmp_path / "a.warc"
        file.write_bytes(content)
        return list(read_warc(file) if problems is None else read_warc(file, problems.append))

    return read


@pytest.mark.parametrize("zipped", [True, False])
def test_pages_of_a_warc(threads, zipped):
    content = small(zipped).bytes()
    assert looks_like_warc(content[:100])
    one, two = threads(content)
    assert (one.title, one.url, one.text) == ("One", "https://a.example/1", "Body of One.")
    assert [comment.text for comment in one.comments] == ["First.", "Second."]
    assert (two.title, [comment.author for comment in two.comments]) == ("Two", ["Ann"])
    offset = int(one.source.rpartition(":")[2])
    assert looks_like_warc(content[offset : offset + 100])


def test_one_gzip_around_all_records(threads):
    content = gzip.compress(small(zipped=False).bytes())
    assert looks_like_warc(content[:65_536])
    assert [thread.title for thread in threads(content)] == ["One", "Two"]


@pytest.mark.parametrize("zipped", [True, False])
def test_the_latest_capture_counts(threads, zipped):
    archive = Archive(zipped)
    for date, title in [("2024-01-02", "B"), ("2024-01-03", "C"), ("2024-01-01", "A")]:
        archive.add("https://a.example/", page(title), date=date)
    assert [thread.title for thread in threads(archive.bytes())] == ["C"]


def test_revisits_and_resources(threads):
    archive = small()
    revisit = archive.writer.create_revisit_record(
        "https://a.example/1", "sha1:X", "https://a.example/1", "2024-05-09T00:00:00Z"
    )
    archive.writer.write_record(revisit)
    archive.writer.write_record(
        archive.writer.create_warc_record(
            "file:///c.html", "resource", payload=io.BytesIO(page("Three")), warc_content_type="text/html"
        )
    )
    assert [thread.title for thread in threads(archive.bytes())] == ["One", "Two", "Three"]


def chunked(content: bytes) -> bytes:
    parts = [content[start : start + 50] for start in range(0, len(content), 50)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("payload", "more"),
    [
        (gzip.compress(page("é")), [("Content-Encoding", "gzip")]),
        (page("é"), [("Content-Encoding", "gzip")]),
        (chunked(page("é")), [("Transfer-Encoding", "chunked")]),
        (chunked(gzip.compress(page("é"))), [("Transfer-Encoding", "chunked"), ("Content-Encoding", "gzip")]),
    ],
)
def test_encodings_of_http(threads, payload, more):
    (thread,) = threads(Archive().add("https://a.example/", payload, more=more).bytes())
    assert thread.title == "é"


def test_charset_of_the_http_header(threads):
    archive = Archive().add(
        "https://a.example/", "<title>я</title>".encode("koi8-r"), type="text/html;charset=koi8-r"
    )
    assert threads(archive.bytes())[0].title == "я"


def test_an_unknown_encoding_is_reported(threads):
    archive = Archive().add("https://a.example/0", b"\x00", more=[("Content-Encoding", "br")])
    archive.add("https://a.example/1", page("One"))
    (thread,) = threads(archive.bytes(), problems := [])
    assert thread.title == "One"
    assert "'br'" in problems[0].reason


def test_a_page_that_unpacks_to_too_much_is_passed_over(threads, monkeypatch):
    monkeypatch.setattr("belowline.data.archives.warc.pages.LARGEST_PAGE", 1 << 20)
    bomb = gzip.compress(b"<p>" + b" " * (1 << 24))
    archive = small().add("https://a.example/3", bomb, more=[("Content-Encoding", "gzip")])
    one, two = threads(archive.bytes(), problems := [])
    assert (one.title, two.title) == ("One", "Two")
    assert "1 MB" in problems[0].reason


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_was_cut(threads, zipped):
    content = small(zipped).bytes()
    (one,) = threads(content[:-60], problems := [])
    assert one.title == "One"
    assert len(problems) == 1
    with pytest.raises(ReadError, match="byte"):
        threads(content[:-60])


def test_a_damaged_gzip_member_is_passed_over(threads):
    content = bytearray(small().bytes())
    (one, _) = threads(bytes(content))
    start = int(one.source.rpartition(":")[2])
    content[start + 60 : start + 200] = b"\xff" * 140
    (two,) = threads(bytes(content), problems := [])
    assert two.title == "Two"
    assert [problem.position for problem in problems] == [start]


def test_a_wrong_length_spoils_one_record(threads):
    content = small(zipped=False).bytes()
    before, mark, after = content.rpartition(b"WARC/1.0\r\n")
    assert mark
    (one, two) = threads(
        before + b"WARC/1.0\r\nnonsense" + b"\r\n" * 3 + b"junk\r\n\r\n" + mark + after, problems := []
    )
    assert (one.title, two.title) == ("One", "Two")
    assert [problem.position for problem in problems] == [len(before)]


def test_headers_without_end_are_bounded(threads):
    endless = gzip.compress(b"WARC/1.0\r\n" + b"X: y\r\n" * 100_000)
    long = gzip.compress(b"WARC/1.0\r\nX: " + b"y" * 5_000_000)
    one, _ = threads(endless + long + small().bytes(), problems := [])
    assert one.title == "One"
    assert [problem.position for problem in problems] == [0, len(endless)]


@pytest.mark.parametrize(
    "content",
    [b"WARC/1.0\r\n", b"WARC/1.0\r\n\r\n", Archive().bytes(), Archive().bytes()[:40]],
    ids=["head", "no fields", "no records", "cut"],
)
def test_a_file_without_pages(threads, content):
    with pytest.raises(ReadError, match=r"HTML|damaged"):
        threads(content)


@pytest.mark.parametrize(
    "head", [b"", b"\x1f\x8b\x08", gzip.compress(b"text"), b"<html>", b"\x1f\x8b\x08\xff\xff"]
)
def test_what_is_no_warc(head):
    assert not looks_like_warc(head)


GOOD = [small(True).bytes(), small(False).bytes(), gzip.compress(small(False).bytes())]


@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=20)), max_size=5),
    st.data(),
)
@settings(max_examples=150)
def test_damaged_files_never_raise_anything_else(tmp_path_factory, good, changes, data):
    content = bytearray(good)
    for start, piece in changes:
        content[start : start + data.draw(st.integers(0, 40))] = piece
    file = tmp_path_factory.getbasetemp() / "damaged.warc"
    file.write_bytes(bytes(content))
    problems: list[ReadError] = []
    try:
        threads = list(read_warc(file, problems.append))
    except ReadError:
        return
    assert threads or problems
