"""Detection of formats, and folders."""

import gzip
import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from belowline.data import SAMPLE_DIR, ReadError, read_threads

PAGE = "Bridge\n\nDivers found cracks.\n\n\nNotify of\nView all comments\n\nAnn Lee\n\nIt is old.\n\n\nVery."
JSONL = '{"text": "One."}\n{"text": "Two."}\n'
CSV = "author,text\nAnn,One.\nBob,Two.\n"
HTML = """<!DOCTYPE html><title>Bridge</title><p>Divers found cracks.</p><ol class="commentlist">
<li class="comment" id="comment-1"><cite class="fn">Ann</cite><div class="comment-content"><p>One.</p></div></li>
<li class="comment" id="comment-2"><cite class="fn">Bob</cite><div class="comment-content"><p>Two.</p></div></li></ol>
"""
WXR = """<?xml version="1.0"?><!-- An export. -->
<rss xmlns:wp="http://wordpress.org/export/1.2/"><channel><item>
<wp:comment><wp:comment_id>1</wp:comment_id><wp:comment_content>One.</wp:comment_content></wp:comment>
<wp:comment><wp:comment_id>2</wp:comment_id><wp:comment_content>Two.</wp:comment_content></wp:comment>
</item></channel></rss>
"""
DISQUS = """<?xml version="1.0"?><disqus xmlns="http://disqus.com">
<post><message>One.</message></post><post><message>Two.</message></post></disqus>
"""


@pytest.mark.parametrize("content", [PAGE, HTML, JSONL, CSV, WXR, DISQUS])
@pytest.mark.parametrize("name", ["archive", "archive.txt", "archive.bin"])
def test_the_content_tells_the_format(tmp_path, content, name):
    (tmp_path / name).write_text(content)
    (thread,) = read_threads(tmp_path / name)
    assert len(thread.comments) == 2


def test_xhtml_is_html_and_not_other_xml(tmp_path):
    doctype = '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "xhtml1-strict.dtd">'
    (tmp_path / "a.xml").write_text(f'<?xml version="1.0"?>\n{HTML.replace("<!DOCTYPE html>", doctype)}')
    assert len(next(read_threads(tmp_path / "a.xml")).comments) == 2


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_warc_is_read_as_it_is(tmp_path, name, pack):
    page = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{HTML}".encode()
    fields = [
        "WARC/1.0",
        "WARC-Type: response",
        "WARC-Record-ID: <urn:uuid:6a5e3a4e-0000-4000-8000-000000000001>",
        "WARC-Target-URI: https://example.com/bridge",
        "WARC-Date: 2024-05-09T07:12:00Z",
        "Content-Type: application/http; msgtype=response",
        f"Content-Length: {len(page)}",
    ]
    (tmp_path / name).write_bytes(pack("\r\n".join([*fields, "", ""]).encode() + page + b"\r\n\r\n"))
    (thread,) = read_threads(tmp_path) if name != "a" else read_threads(tmp_path / name)
    assert (thread.url, len(thread.comments)) == ("https://example.com/bridge", 2)


def test_the_suffix_tells_where_the_content_does_not(tmp_path):
    (tmp_path / "a.csv").write_text("text\nOne.\n")
    (tmp_path / "a.txt").write_text("text\nOne.\n")
    assert [comment.text for comment in next(read_threads(tmp_path / "a.csv")).comments] == ["One."]
    assert next(read_threads(tmp_path / "a.txt")).notes == ("no comments found",)


def test_a_format_that_is_named_is_not_guessed(tmp_path):
    (tmp_path / "a").write_text(CSV)
    assert next(read_threads(tmp_path / "a", format="page")).comments == ()
    (tmp_path / "b").write_text("Bridge\n\nNo form, no comments.")
    assert next(read_threads(tmp_path / "b", format="page")).title == "Bridge"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\t\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "binary"),
        (b"<?xml version='1.0'?><a/>", "root element 'a'"),
        (b"<!-- nothing else -->", "without a root element"),
        (b"<!DOCTYPE a><a/>", "DTD"),
        (b"<!DOCTYPE html>", "neither a title nor any text"),
        (b"WARC/1.0\r\n", "WARC"),
        (b'["x"]', "unknown format"),
        (b'[["x"]]', "a list"),
        (b'{\n  "words": "x"\n}', "no field with the text.*--column text=NAME"),
        (b"SQLite format 3\0" + b"\0" * 100, "SQLite"),
        (b"int main() { return 0; }\n", "unknown format"),
        (PAGE.encode() + b"\xff\xfe" * 400, "UTF-8"),
    ],
)
def test_unknown_formats(tmp_path, content, reason):
    path = tmp_path / "archive"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=reason) as caught:
        list(read_threads(path))
    assert str(path) in str(caught.value)


def test_position_of_a_wrong_byte_in_a_page(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"Title\n\ncaf\xff\xff")
    with pytest.raises(ReadError, match="byte 11 "):
        list(read_threads(tmp_path / "a.txt"))


def test_wrong_calls_are_refused_at_once(tmp_path):
    with pytest.raises(ReadError, match="no such file"):
        read_threads(tmp_path / "nothing")
    with pytest.raises(
        ReadError, match="page, html, warc, jsonl, json, csv, parquet, wxr, disqus, isso, remark42, commento"
    ):
        read_threads(tmp_path, format="xml")


def test_unreadable_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(PAGE)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    with pytest.raises(ReadError, match="Permission denied"):
        list(read_threads(path))


def test_folder_is_walked_in_order(tmp_path):
    contents = {"jsonl": JSONL, "csv": CSV, "xml": WXR, "HTML": HTML}
    for name in (
        "b.txt",
        "a/z.jsonl",
        "a/c.csv",
        "README.md",
        "LICENSE.txt",
        "readme.txt",
        ".hidden.txt",
        ".git/x.txt",
        "p.png",
        "d.xml",
        "e.HTML",
        "e_files/ad.html",
        "f.tar.gz",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(contents.get(name.rpartition(".")[2], PAGE))
    sources = [thread.source.removeprefix(f"{tmp_path}/") for thread in read_threads(tmp_path)]
    assert sources == ["a/c.csv:2", "a/z.jsonl:1", "b.txt", "d.xml:2", "e.HTML"]


def test_broken_file_in_a_folder_is_not_passed_over(tmp_path):
    (tmp_path / "a.jsonl").write_text(JSONL)
    (tmp_path / "b.jsonl").write_text("nonsense")
    threads = read_threads(tmp_path)
    assert len(next(threads).comments) == 2
    with pytest.raises(ReadError, match=r"b\.jsonl, line 1"):
        next(threads)


def test_folder_without_archives(tmp_path):
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(ReadError, match="no archives"):
        list(read_threads(tmp_path))


def test_sample():
    page, rows = read_threads(SAMPLE_DIR)
    assert (len(page.comments), len(rows.comments)) == (16, 9)
    assert page.notes == rows.notes == ()
    assert [comment.author for comment in page.comments].count(None) == 8
    ids = {comment.id for comment in rows.comments}
    assert {comment.parent for comment in rows.comments} - {None} <= ids
    assert all(comment.time for comment in rows.comments)


SNIPPETS = st.sampled_from(
    [
        b"{",
        b'{"text": "x"}',
        b"text,author\n",
        b"\n\n\n",
        b"\xef\xbb\xbf",
        b'"',
        b"View all comments\n",
        b",",
        b"<",
        b"<p>",
        b"<rss>",
        b"PK\x03\x04",
        b"\x1f\x8b\x08",
        b"WARC/1.0\r\n",
        b"SQLite format 3\0",
        b"\x28\xb5\x2f\xfd",
        b"\xff\xfe",
        b"sep=;\n",
        b"[",
        b"<?xml version='1.0'?>",
    ]
)


@given(
    st.sampled_from(["a", "a.txt", "a.jsonl", "a.json", "a.csv", "a.xml", "a.html", "a.gz", "a.db", "a.zst"]),
    st.binary() | st.lists(SNIPPETS | st.binary(max_size=8)).map(b"".join),
)
@example("a.jsonl", b"[" * 100_000)
@example("a.csv", b'text\n"\r"\r\n')
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_read_or_refused_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    threads, refusal = [], None
    try:
        threads.extend(read_threads(tmp_path / name))
    except ReadError as error:
        refusal = str(error)
    assert threads or refusal
    assert "\n" not in (refusal or "")
    assert all(comment.text.strip() for thread in threads for comment in thread.comments)
