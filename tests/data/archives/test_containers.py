"""gzip and zip files of archives."""

import errno
import gzip
import io
import struct
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belowline.data import ReadError, read_threads
from belowline.data.archives import containers, formats
from tests.support.containers import CSV, encrypted, zipped
from tests.support.reading import read, refusal

JSONL = b'{"text": "One."}\n{"text": "Two."}\n'
PAGE = b"Bridge\n\nDivers.\n\n\nNotify of\nView all comments\n\nAnn Lee\n\nIt is old.\n\n\nVery."
WXR = (
    b'<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel><item><wp:comment><wp:comment_id>1</wp:comment_id>'
    b"<wp:comment_content>One.</wp:comment_content></wp:comment><wp:comment><wp:comment_id>2</wp:comment_id>"
    b"<wp:comment_content>Two.</wp:comment_content></wp:comment></item></channel></rss>"
)


@pytest.fixture(autouse=True)
def scratch(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch):
    """Folder in which containers are unpacked; nothing may be left in it."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


@pytest.mark.parametrize("content", [JSONL, CSV, PAGE, WXR])
@pytest.mark.parametrize("name", ["a.gz", "a", "a.bin"])
def test_gzip_of_any_format(tmp_path, content, name):
    (thread,) = read(tmp_path / name, gzip.compress(content))
    assert len(thread.comments) == 2
    assert thread.source.partition(":")[0] == str(tmp_path / name)


def test_gzip_of_several_members(tmp_path):
    (thread,) = read(tmp_path / "a.jsonl.gz", gzip.compress(JSONL) + gzip.compress(JSONL))
    assert len(thread.comments) == 4


def test_the_suffix_before_gz_counts(tmp_path):
    (thread,) = read(tmp_path / "a.csv.GZ", gzip.compress(b"text\nOne.\n"))
    assert thread.source == f"{tmp_path / 'a.csv.GZ'}:2"


def test_zip_members_come_in_sorted_order(tmp_path):
    content = zipped(
        ("b.txt", PAGE),
        ("a/z.jsonl", JSONL),
        ("a/c.csv", CSV),
        ("a/", b""),
        ("README.md", b"x"),
        ("LICENSE.txt", b"x"),
        (".hidden.txt", PAGE),
        ("__MACOSX/a/._c.csv", b"\0"),
        ("p.png", b"\x89PNG"),
        ("w.xml", WXR),
    )
    path = tmp_path / "archive.zip"
    sources = [thread.source.removeprefix(f"{path}/") for thread in read(path, content)]
    assert sources == ["a/c.csv:2", "a/z.jsonl:1", "b.txt", "w.xml:1"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_methods_of_zip(tmp_path, method):
    (thread,) = read(tmp_path / "a.zip", zipped(("a.csv", CSV), method=method))
    assert len(thread.comments) == 2


def test_lzma_is_refused_for_the_memory_that_it_may_ask_for(tmp_path):
    content = zipped(("a.csv", CSV), method=zipfile.ZIP_LZMA)
    assert "zip's method 14" in refusal(tmp_path / "a.zip", content)


def test_a_named_format_holds_for_members(tmp_path):
    content = zipped(("a", CSV), ("b.data", CSV))
    (first, second) = read(tmp_path / "a.zip", content, format="csv")
    assert (len(first.comments), len(second.comments)) == (2, 2)
    assert read(tmp_path / "a.gz", gzip.compress(CSV), format="page")[0].comments == ()


@pytest.mark.parametrize("name", ["../../x.csv", "/etc/x.csv", "a/../../x.csv", "C:\\x.csv", "..\\x.csv"])
def test_names_that_lead_elsewhere_are_only_names(tmp_path, name, scratch):
    inside = tmp_path / "deep" / "er"
    inside.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    (thread,) = read(inside / "a.zip", zipped((name, CSV)))
    assert thread.source == f"{inside / 'a.zip'}/{name}:2"
    assert sorted(tmp_path.rglob("*")) == [*before, inside / "a.zip"]


def test_names_with_line_ends_stay_on_one_line(tmp_path):
    assert refusal(tmp_path / "a.zip", zipped(("a\nb\x1b.csv", b"nothing"))).startswith("/a\ufffdb\ufffd.csv")


def test_refusals_name_the_member(tmp_path):
    content = zipped(("a.jsonl", JSONL), ("b.jsonl", b"{broken\n"))
    (tmp_path / "a.zip").write_bytes(content)
    threads = read_threads(tmp_path / "a.zip")
    assert len(next(threads).comments) == 2
    with pytest.raises(ReadError) as caught:
        next(threads)
    assert str(caught.value).startswith(f"{tmp_path / 'a.zip'}/b.jsonl, line 1: not valid JSON")


def test_containers_nest_once(tmp_path):
    inner = zipped(("x.csv", CSV))
    (one, two) = read(tmp_path / "a.zip", zipped(("i.zip", inner), ("j.csv.gz", gzip.compress(CSV))))
    assert one.source == f"{tmp_path / 'a.zip'}/i.zip/x.csv:2"
    assert two.source == f"{tmp_path / 'a.zip'}/j.csv.gz:2"
    assert len(read(tmp_path / "a.gz", gzip.compress(inner))) == 1
    assert len(read(tmp_path / "b.gz", gzip.compress(gzip.compress(CSV)))) == 1
    deeper = zipped(("i.zip", zipped(("k.zip", inner))))
    assert "/i.zip/k.zip: " in refusal(tmp_path / "c.zip", deeper)


def test_nothing_to_read(tmp_path):
    assert "no archives" in refusal(tmp_path / "a.zip", zipped(("README.md", b"x")))
    assert "no archives" in refusal(tmp_path / "b.zip", zipped())
    assert "empty" in refusal(tmp_path / "a.gz", gzip.compress(b""))
    assert "binary" in refusal(tmp_path / "a.tar.gz", gzip.compress(b"x\0\0"))


def test_members_without_a_name_are_passed_over(tmp_path):
    content = zipped(("a.csv", CSV), ("\0.csv", CSV))
    assert len(read(tmp_path / "a.zip", content)) == 1


def test_encrypted_members_are_refused(tmp_path):
    assert "/a.csv: encrypted" in refusal(tmp_path / "a.zip", encrypted())


@pytest.mark.parametrize("cut", [5, 12, 30, -1, -9])
def test_cut_off_gzip(tmp_path, cut):
    assert "broken" in refusal(tmp_path / "a.gz", gzip.compress(JSONL)[:cut])


@pytest.mark.parametrize("cut", [5, 60, -1, -30])
def test_cut_off_zip(tmp_path, cut):
    assert "broken" in refusal(tmp_path / "a.zip", zipped(("a.csv", CSV))[:cut])


def test_wrong_checksums(tmp_path):
    content = bytearray(gzip.compress(JSONL))
    content[-8] ^= 1
    assert "CRC" in refusal(tmp_path / "a.gz", bytes(content))
    content = bytearray(zipped(("a.csv", CSV), method=zipfile.ZIP_STORED))
    content[content.index(b"Ann")] ^= 1
    assert "(Bad CRC-32" in refusal(tmp_path / "a.zip", bytes(content))
    assert "broken" in refusal(tmp_path / "b.gz", gzip.compress(JSONL) + b"rubbish")


def test_what_unpacks_to_a_thousand_times_its_size_is_refused(tmp_path, monkeypatch):
    line = b"x" * 1_999 + b"\n"
    rows = b"text\n" + line * 1_500
    assert len(read(tmp_path / "a.csv.gz", gzip.compress(rows))) == 2
    monkeypatch.setattr(containers, "RATIO_FROM", 1_000_000)
    monkeypatch.setattr(containers, "MAX_RATIO", 500)
    assert "500 times" in refusal(tmp_path / "a.csv.gz", gzip.compress(rows))
    assert "/a.csv: " in refusal(tmp_path / "a.zip", zipped(("a.csv", rows)))
    # Each member alone is within the limit; twenty of them in one more container are not.
    inner = gzip.compress(b"text\n" + line * 600)
    many = [(f"{i:02}.csv.gz", inner) for i in range(20)]
    assert "/01.csv.gz: " in refusal(tmp_path / "b.zip", zipped(*many))


def test_what_unpacks_to_more_than_a_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "MAX_BYTES", 1_000)
    two = zipped(("a.csv", b"text\n" + b"x\n" * 300), ("b.csv", b"text\n" * 300), method=zipfile.ZIP_STORED)
    threads = read_threads(write(tmp_path / "a.zip", two))
    assert len(next(threads).comments) == 300
    with pytest.raises(ReadError, match=r"/b\.csv: .*1000 bytes"):
        next(threads)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_sizes_that_a_header_makes_up_do_not_count(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "MAX_BYTES", 100_000)
    content = bytearray(zipped(("a.csv", b"text\n" + b"x\n" * 100_000)))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 10)
    assert "broken" in refusal(tmp_path / "a.zip", bytes(content))


def test_a_full_disk_is_named():
    class Full(io.BytesIO):
        def write(self, *_: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(ReadError, match=r"No space left on device.*TMPDIR"):
        containers._write(Full(), b"x", "a.gz")


def test_leaving_early_leaves_nothing(tmp_path, scratch):
    threads = read_threads(write(tmp_path / "a.zip", zipped(("a.csv", CSV), ("b.csv", CSV))))
    next(threads)
    assert list(scratch.iterdir())
    threads.close()
    assert not list(scratch.iterdir())


def test_pages_are_not_read_into_memory_whatever_their_size(tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "LARGEST_PAGE", 50)
    assert "saved page" in refusal(tmp_path / "a.txt.gz", gzip.compress(PAGE))


ZIP = zipped(("a.csv", CSV), ("b/c.jsonl", JSONL), ("d.gz", gzip.compress(WXR)))


@given(
    st.sampled_from([ZIP, gzip.compress(JSONL), gzip.compress(ZIP)]),
    st.integers(0, 700),
    st.integers(0, 20),
    st.binary(max_size=8),
)
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spliced_containers_are_read_or_refused_in_one_line(tmp_path, good, start, length, spliced):
    path = write(tmp_path / "a", good[:start] + spliced + good[start + length :])
    refused = None
    try:
        threads = list(read_threads(path))
    except ReadError as error:
        threads, refused = [], str(error)
    assert threads or refused
    assert "\n" not in (refused or "")
    assert "belowline-" not in (refused or "")
