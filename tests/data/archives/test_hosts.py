"""Exports of known hosts, with the structure that the hosts' own programs write."""

import csv
import json
import os
import shutil
import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard
from pyarrow import parquet

from belowline.data import ReadError, Reject, Thread, read_threads
from belowline.data.archives.columns import filled_columns
from belowline.data.archives.rows import read_rows
from belowline.data.archives.side_fields import SideFields
from belowline.data.archives.table_reader import values_of
from tests.support.reading import read
from tests.support.xml_exports import disqus, entry, item, post, wxr

EXPORTS = Path(__file__).parent / "exports"
TRUTH = json.loads((EXPORTS / "truth.json").read_text("utf-8"))
HOSTS = {
    "algolia.json": "hackernews",
    "algolia-search.json": "hackernews",
    "hackernews.jsonl": "hackernews",
    "commento.json": "commento",
    "coral.jsonl": "coral",
    "discourse.json": "discourse",
    "pushshift.jsonl": "reddit",
    "reddit-api.json": "reddit",
    "remark42.jsonl": "remark42",
    "youtube-api.json": "youtube",
    "youtube-comment-downloader.jsonl": "youtube",
    "yt-dlp.info.json": "youtube",
}


def told(threads: list[Thread]) -> list[dict]:
    return [
        {
            "title": thread.title,
            "url": thread.url,
            "comments": [
                [c.id, c.parent, c.author, c.time and c.time.isoformat(), c.verdict, c.text]
                for c in thread.comments
            ],
        }
        for thread in threads
    ]


@pytest.mark.parametrize("name", HOSTS)
def test_every_comment_of_an_export(name):
    assert told(list(read_threads(EXPORTS / name))) == TRUTH[name]


@pytest.mark.parametrize("name", HOSTS)
@pytest.mark.parametrize("renamed", ["export", "export.json", "export.jsonl", "export.txt"])
def test_the_content_tells_the_host_whatever_the_name_is(tmp_path, name, renamed):
    shutil.copy(EXPORTS / name, tmp_path / renamed)
    assert told(list(read_threads(tmp_path / renamed))) == TRUTH[name]
    assert told(list(read_threads(tmp_path / renamed, format=HOSTS[name]))) == TRUTH[name]


@pytest.mark.parametrize("name", HOSTS)
def test_exports_that_somebody_printed_or_packed(tmp_path, name):
    text = (EXPORTS / name).read_text("utf-8")
    values = [json.loads(line) for line in text.splitlines()] if name.endswith("l") else [json.loads(text)]
    whole = values if name.endswith("l") else values[0]
    for number, printed in enumerate(
        (
            json.dumps(whole, indent=2),
            json.dumps(whole),
            "\n\n".join(json.dumps(value, indent=1) for value in values),
        )
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(printed)
        assert told(list(read_threads(path))) == TRUTH[name]
    packed = zstandard.ZstdCompressor().compress(text.encode())
    assert told(read(tmp_path / f"{name}.zst", packed)) == TRUTH[name]
    utf16 = text.encode("utf-16")
    assert told(read(tmp_path / f"16-{name}", utf16)) == TRUTH[name]


@pytest.mark.parametrize("name", HOSTS)
def test_rows_for_scoring_are_the_comments_of_an_audit(name):
    rows = [row for _, row in read_rows(EXPORTS / name, ())]
    texts = [values_of(row, filled_columns(row))["text"] for row in rows if not isinstance(row, ReadError)]
    audited = [comment[-1] for thread in TRUTH[name] for comment in thread["comments"]]
    assert sorted(map(str, texts)) == sorted(audited)


def table_of(path: Path, rows: list[dict]) -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    if path.suffix == ".parquet":
        texts = {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in names}
        parquet.write_table(pa.table(texts), path)
        return path
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("name", ["pushshift.jsonl", "youtube-comment-downloader.jsonl", "hackernews.jsonl"])
def test_tables_of_hosts_give_the_rows_of_an_audit(tmp_path, name, suffix):
    lines = map(json.loads, (EXPORTS / name).read_text("utf-8").splitlines())
    flat = [{key: one for key, one in line.items() if not isinstance(one, dict | list)} for line in lines]
    path = table_of(tmp_path / f"a{suffix}", flat)
    rows = [row for _, row in read_rows(path, ())]
    texts = [values_of(row, filled_columns(row))["text"] for row in rows if not isinstance(row, ReadError)]
    audited = [comment.text for thread in read_threads(path) for comment in thread.comments]
    assert sorted(map(str, texts)) == sorted(audited)
    assert audited


def test_exports_that_are_no_tables_give_rows_too(tmp_path):
    path = isso(tmp_path / "comments.db")
    comments = [(thread, comment) for thread in read_threads(path) for comment in thread.comments]
    rows = [(place, row) for place, row in read_rows(path, ())]
    assert [(row["id"], row["text"], row["author"], row["parent"], row["thread"]) for _, row in rows] == [
        (one.id, one.text, one.author, one.parent, thread.title) for thread, one in comments
    ]
    assert [place for place, _ in rows] == [(str(path), one.line, "row") for _, one in comments]
    path = tmp_path / "export.xml"
    path.write_text(wxr(item(entry("One."), entry("Two."))))
    assert [row["text"] for _, row in read_rows(path, ())] == ["One.", "Two."]
    posts = disqus(post("1", "t", "<p>One.</p>"), post("2", "t"))
    path.write_text(posts.partition("</createdAt>")[0] + posts.rpartition("</createdAt>")[0][-200:])
    found = [(place[0], getattr(row, "reason", None) and "error") for place, row in read_rows(path, ())]
    assert found == [(str(path), "error")]
    path.write_text(posts.rpartition("</createdAt>")[0])
    assert {type(row) for _, row in read_rows(path, ())} == {dict, ReadError}


@pytest.mark.parametrize(
    "line", [{"title": "Tram", "body": "The council voted.", "comments": [{"text": "One.", "by": "A"}]}]
)
def test_an_article_in_a_line_is_no_row_but_its_comments_are(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(line) + "\n" + json.dumps({**line, "comments": []}) + "\n")
    side = SideFields()
    assert [row["text"] for _, row in read_rows(path, (), side=side)] == ["One."]
    assert list(side.notes()) == ["articles left out that have no comments: 1"]


def test_what_is_left_out_is_counted():
    (thread,) = read_threads(EXPORTS / "reddit-api.json")
    assert thread.notes[-1].endswith(": 1")
    (thread,) = read_threads(EXPORTS / "youtube-comment-downloader.jsonl")
    assert thread.notes[-1].startswith("1 of 2 times")


def test_a_broken_line_of_an_export_is_one_reject(tmp_path):
    lines = (EXPORTS / "pushshift.jsonl").read_bytes().splitlines(keepends=True)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join([lines[0], b'{"body": \n', *lines[1:], b'{"body": "Loose."}\n', b'{"x": 1}\n']))
    rejects: list[Reject] = []
    threads = list(read_threads(path, on_reject=rejects.append))
    assert [(reject.source, reject.position) for reject in rejects] == [(str(path), 2)]
    assert [comment.text for comment in threads[-1].comments] == ["Loose."]
    assert threads[-1].notes[-1].endswith(": 1")
    assert sum(len(thread.comments) for thread in threads) == 4


def test_a_table_of_a_host_is_known_too(tmp_path):
    (thread,) = read(
        tmp_path / "bq.csv",
        "id,by,author,time,text,parent,deleted,dead,type\n9,ann,ann,1175786214,It&#x27;s old.,8,,,comment\n"
        "10,bo,bo,1175786215,<i>No</i>,9,,true,comment\n",
    )
    assert [(c.id, c.parent, c.text, c.verdict) for c in thread.comments] == [
        ("9", None, "It's old.", None),
        ("10", "9", "No", "reject"),
    ]


ROW = {
    "id": 2,
    "author": "Ann",
    "parent_id": 1,
    "status": "spam",
    "created_at": "2024-05-01",
    "url": "https://x.example/t",
}


@pytest.mark.parametrize(
    "row",
    [
        {**ROW, "thread": "T", "author_id": 5, "parent": 1, "text": "<p>Yo &amp; you</p>"},
        {**ROW, "article_id": "T", "cid": 2, "votes": 3, "text": "Yo & you"},
        {**ROW, "asset_id": "T", "author_id": "u1", "author": None, "author_name": "Ann", "body": "Yo & you"},
        {**ROW, "story": "T", "body": "Yo & you"},
        {**ROW, "thread": "T", "parent": 1, "time": "2024-05-01", "type": "comment", "by": "Ann", "text": "Yo & you"},
        {**ROW, "storyID": "T", "revisions": None, "comment": "Yo & you"},
        {**ROW, "link_id": "T", "body": "Yo & you", "author": None, "username": "Ann"},
        {**ROW, "topic_id": "T", "cooked": "<p>Yo & you</p>", "post_number": 2},
    ],
)  # fmt: skip
def test_a_table_with_some_names_of_a_host_loses_no_field(tmp_path, row):
    row = {"title": "Tram", **row}
    first = row | dict.fromkeys({"parent", "parent_id"} & set(row)) | {"id": 1, "cid": 1, "post_number": 1}
    rows = [first, row]
    (thread,) = read(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert (thread.title, thread.url) == ("Tram", "https://x.example/t")
    comment = thread.comments[1]
    assert (comment.id, comment.parent, comment.author) == ("2", "1", "Ann")
    assert (comment.text, comment.verdict, str(comment.time)[:10]) == ("Yo & you", "spam", "2024-05-01")


@pytest.mark.slow
def test_long_chains_of_answers_find_their_thread(tmp_path):
    rows = [{"id": 0, "title": "Bridge", "type": "story"}]
    rows += [
        {
            "id": n,
            "parent": n - 1,
            "type": "comment",
            "by": "ann",
            "text": f"Number {n}.",
            "time": 1175786214 + n,
        }
        for n in range(1, 20_000)
    ]
    (thread,) = read(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in reversed(rows)))
    assert (thread.title, len(thread.comments)) == ("Bridge", 19_999)
    circle = [rows[1] | {"id": 1, "parent": 2}, rows[2] | {"id": 2, "parent": 1}]
    (thread,) = read(tmp_path / "b.jsonl", "".join(json.dumps(row) + "\n" for row in circle))
    assert len(thread.comments) == 2


ISSO = """
CREATE TABLE preferences (key VARCHAR PRIMARY KEY, value VARCHAR);
CREATE TABLE threads (id INTEGER PRIMARY KEY, uri VARCHAR(256) UNIQUE, title VARCHAR(256));
CREATE TABLE comments (
    tid REFERENCES threads(id), id INTEGER PRIMARY KEY, parent INTEGER, created FLOAT NOT NULL, modified FLOAT,
    mode INTEGER, remote_addr VARCHAR, text VARCHAR, author VARCHAR, email VARCHAR, website VARCHAR,
    likes INTEGER DEFAULT 0, dislikes INTEGER DEFAULT 0, voters BLOB NOT NULL, notification INTEGER DEFAULT 0
);
CREATE TRIGGER remove_stale_threads AFTER DELETE ON comments BEGIN
    DELETE FROM threads WHERE id NOT IN (SELECT tid FROM comments);
END;
INSERT INTO threads VALUES (1, '/bridge/', 'Bridge'), (2, '/tram/', NULL), (3, '/empty/', 'Empty');
INSERT INTO comments VALUES
    (1, 1, NULL, 1715238720.5, NULL, 1, '127.0.0.0', 'It opens in *May*.', 'Ann', 'a@mail.example', 'https://ann.example',
     0, 0, x'00', 0),
    (2, 2, NULL, 1715238721, NULL, 2, '127.0.0.0', 'Who pays?', NULL, NULL, NULL, 0, 0, x'00', 0),
    (1, 3, 1, 1715238722.0, NULL, 1, '127.0.0.0', 'In June, they say.', 'Bo', NULL, NULL, 0, 0, x'00', 0),
    (1, 4, 1, 1715238723.0, NULL, 4, '127.0.0.0', '', NULL, NULL, NULL, 0, 0, x'00', 0);
"""


def isso(path: Path, script: str = ISSO) -> Path:
    database = sqlite3.connect(path)
    database.executescript(script)
    database.commit()
    database.close()
    return path


def test_files_are_read_whose_names_are_not_utf8(tmp_path):
    parquet.write_table(pa.table({"text": ["One."]}), tmp_path / "a.parquet")
    folder = tmp_path / "folder"
    folder.mkdir()
    for file in (isso(tmp_path / "a.db"), tmp_path / "a.parquet"):
        try:
            file.rename(folder / os.fsdecode(b"caf\xe9" + os.fsencode(file.suffix)))
        except OSError:
            pytest.skip("this file system takes no such name")
    assert [len(thread.comments) for thread in read_threads(folder)] == [2, 1, 1]


@pytest.mark.parametrize("name", ["comments.db", "comments.sqlite3", "comments"])
def test_every_comment_of_an_isso_database(tmp_path, name):
    path = isso(tmp_path / name)
    before = path.read_bytes()
    bridge, tram = read_threads(path)
    assert (bridge.title, bridge.url, tram.title, tram.url) == ("Bridge", "/bridge/", None, "/tram/")
    assert told([bridge])[0]["comments"] == [
        ["1", None, "Ann", "2024-05-09T07:12:00.500000+00:00", "publish", "It opens in *May*."],
        ["3", "1", "Bo", "2024-05-09T07:12:02+00:00", "publish", "In June, they say."],
    ]
    assert [(c.author, c.verdict) for c in tram.comments] == [(None, "hold")]
    assert bridge.comments[0].author_url == "https://ann.example"
    assert bridge.notes[0].startswith("1 of 3 comments")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "script",
    [
        "CREATE TABLE notes (text TEXT)",
        "CREATE TABLE threads (id, uri); CREATE TABLE comments (id, text)",
        # A view that never ends.
        "CREATE TABLE threads (id, uri); CREATE VIEW comments AS WITH RECURSIVE n (id) AS "
        "(SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT 1 AS tid, id, 'x' AS text FROM n",
    ],
)
def test_other_databases_are_refused(tmp_path, script):
    with pytest.raises(ReadError, match=r"not isso's.*--column text=NAME"):
        list(read_threads(isso(tmp_path / "a.db", script)))


def test_a_damaged_isso_database_raises_nothing_else(tmp_path):
    rows = "".join(
        f"INSERT INTO comments VALUES (1, {n}, NULL, 1715238720, NULL, 1, '', 'Number {n}, {'x' * 200}', 'Ann', '', '', "
        "0, 0, x'00', 0);"
        for n in range(10, 400)
    )
    whole = isso(tmp_path / "a.db", ISSO + rows).read_bytes()
    for start in range(100, len(whole), 3_001):
        spoilt = bytearray(whole)
        spoilt[start : start + 60] = b"\xff" * 60
        (tmp_path / "b.db").write_bytes(spoilt)
        rejects: list[Reject] = []
        threads = list(read_threads(tmp_path / "b.db", on_reject=rejects.append))
        assert threads or rejects
        assert all(c.text.strip() for thread in threads for c in thread.comments)
