"""Telling formats apart, and folders."""

import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from belowline.data import SAMPLE_DIR, ReadError, read_threads

PAGE = "Bridge\n\nDivers found cracks.\n\n\nNotify of\nView all comments\n\nAnn Lee\n\nIt is old.\n\n\nVery."
JSONL = '{"text": "One."}\n{"text": "Two."}\n'
CSV = "author,text\nAnn,One.\nBob,Two.\n"


@pytest.mark.parametrize("content", [PAGE, JSONL, CSV])
@pytest.mark.parametrize("name", ["archive", "archive.txt", "archive.bin"])
def test_the_content_tells_the_format(tmp_path, content, name):
    (tmp_path / name).write_text(content)
    (thread,) = read_threads(tmp_path / name)
    assert len(thread.comments) == 2


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
        (PAGE.encode("utf-16"), "UTF-16"),
        (b"<!DOCTYPE html><p>x", "HTML"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (b'[{"text": "x"}]', "one object on each line"),
        (b'{\n  "text": "x"\n}', "one object on each line"),
        (b"int main() { return 0; }\n", "unknown format"),
        (PAGE.encode() + b" caf\xe9", "UTF-8"),
    ],
)
def test_unknown_formats(tmp_path, content, reason):
    path = tmp_path / "archive"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=reason) as caught:
        list(read_threads(path))
    assert str(path) in str(caught.value)


def test_position_of_a_wrong_byte_in_a_page(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"Title\n\ncaf\xe9")
    with pytest.raises(ReadError, match="byte 11 "):
        list(read_threads(tmp_path / "a.txt"))


def test_wrong_calls_are_refused_at_once(tmp_path):
    with pytest.raises(ReadError, match="no such file"):
        read_threads(tmp_path / "nothing")
    with pytest.raises(ReadError, match="page, jsonl, csv"):
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
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(
            JSONL if name.endswith("jsonl") else CSV if name.endswith("csv") else PAGE
        )
    sources = [thread.source.removeprefix(f"{tmp_path}/") for thread in read_threads(tmp_path)]
    assert sources == ["a/c.csv:2", "a/z.jsonl:1", "b.txt"]


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
    [b"{", b'{"text": "x"}', b"text,author\n", b"\n\n\n", b"\xef\xbb\xbf", b'"', b"View all comments\n", b","]
)


@given(
    st.sampled_from(["a", "a.txt", "a.jsonl", "a.csv"]),
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
