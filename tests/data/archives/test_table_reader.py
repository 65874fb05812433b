"""JSONL, CSV and Parquet archives."""

import contextlib
import csv
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from belowline.data import ReadError, read_threads
from belowline.data.archives.side_fields import is_missing
from tests.support.reading import read, refusal

AT = datetime(2024, 5, 9, 7, 12, tzinfo=UTC)


@pytest.fixture
def jsonl(tmp_path):
    return tmp_path / "a.jsonl"


@pytest.fixture
def sheet(tmp_path):
    return tmp_path / "a.csv"


def lines(*records: dict) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def test_every_field_of_jsonl(jsonl):
    record = {
        "id": 7,
        "text": "Well.",
        "author": "Ann",
        "author_url": "https://ann.example",
        "time": "2024-05-09T07:12:00Z",
        "parent": 5,
        "thread": "t1",
        "title": "Tram",
        "url": "https://example.com/t",
        "article": "The council voted.",
        "likes": [1, 2],
    }
    (thread,) = read(jsonl, lines(record))
    assert (thread.title, thread.url, thread.text) == ("Tram", "https://example.com/t", "The council voted.")
    assert thread.source == f"{jsonl}:1"
    (comment,) = thread.comments
    assert comment.author_url == "https://ann.example"
    assert (comment.id, comment.text, comment.author, comment.time, comment.parent) == (
        "7",
        "Well.",
        "Ann",
        AT,
        "5",
    )


def test_every_field_of_csv(sheet):
    header = "id,text,author,time,parent,thread,title,url,article\n"
    (thread,) = read(
        sheet,
        header + '7,"Well, ""no""\nsaid he",Ann,2024-05-09T07:12:00+00:00,5,t1,Tram,https://e.com,Body\n',
    )
    (comment,) = thread.comments
    assert (thread.title, thread.url, thread.text) == ("Tram", "https://e.com", "Body")
    assert (comment.id, comment.text, comment.author) == ("7", 'Well, "no"\nsaid he', "Ann")
    assert (comment.time, comment.parent) == (AT, "5")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters(sheet, delimiter):
    (thread,) = read(sheet, f"author{delimiter}text\nAnn{delimiter}Well.\n")
    assert thread.comments[0].author == "Ann"


def test_other_names_of_fields(sheet):
    (thread,) = read(sheet, "Comment_ID,Comment_Text,User,Article_ID\n9,Well.,Ann,a1\n")
    assert (thread.comments[0].id, thread.comments[0].author, thread.title) == ("9", "Ann", "a1")


def test_text_alone_is_enough(jsonl):
    (thread,) = read(jsonl, lines({"text": "One."}, {"text": "Two.", "author": None, "time": "", "id": " "}))
    assert [(c.id, c.author, c.time, c.parent) for c in thread.comments] == [
        ("line-1", None, None, None),
        ("line-2", None, None, None),
    ]
    assert (thread.title, thread.url, thread.text) == (None, None, "")


def test_rows_are_grouped_to_threads(jsonl):
    threads = read(
        jsonl,
        lines(
            {"text": "1", "thread": "a"},
            {"text": "2", "thread": "a", "article": "Body"},
            {"text": "3", "url": "https://b"},
            {"text": "4", "title": "c"},
            {"text": "5", "thread": "a"},
        ),
    )
    assert [[c.text for c in thread.comments] for thread in threads] == [["1", "2"], ["3"], ["4"], ["5"]]
    assert [thread.source.rpartition(":")[2] for thread in threads] == ["1", "3", "4", "5"]
    assert threads[0].text == "Body"


def test_loose_rows_come_in_parts_and_as_they_are_read(jsonl):
    jsonl.write_text(lines(*({"text": str(i)} for i in range(2_500))) + "{broken\n")
    threads = read_threads(jsonl)
    assert [len(next(threads).comments) for _ in range(2)] == [1000, 1000]
    with pytest.raises(ReadError, match="line 2501"):
        next(threads)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-05-09", datetime(2024, 5, 9, tzinfo=UTC)),
        ("2024-05-09 07:12", AT),
        ("20240509T071200Z", AT),
        ("2024-05-09T09:12:00+02:00", datetime(2024, 5, 9, 9, 12, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_times_always_have_a_zone(jsonl, time, expected):
    (thread,) = read(jsonl, lines({"text": "x", "time": time}))
    assert thread.comments[0].time == expected
    assert thread.comments[0].time.tzinfo is not None


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_mark_and_line_ends(tmp_path, mark, newline):
    csv_text = newline.join([f"{mark}text,author", '"Two', 'lines",Ann', ""])
    (thread,) = read(tmp_path / "b.csv", csv_text)
    assert (thread.comments[0].text, thread.comments[0].author) == (f"Two{newline}lines", "Ann")
    (thread,) = read(tmp_path / "b.jsonl", f'{mark}{{"text": "x"}}{newline}{newline}{{"text": "y"}}')
    assert [comment.text for comment in thread.comments] == ["x", "y"]


def test_huge_field(sheet):
    (thread,) = read(sheet, 'text\n"' + "long " * 400_000 + '"\n')
    assert len(thread.comments[0].text) == 2_000_000


def test_half_characters_become_replacement_characters(jsonl):
    (thread,) = read(jsonl, '{"text": "a\\ud83d b\\ud83d\\ude00"}\n')
    assert thread.comments[0].text == "a\ufffd b😀"


def test_short_csv_rows_and_blank_lines_are_fine(sheet):
    (thread,) = read(sheet, "\ntext,author,time\nOne.\n\nTwo.,Ann\n,,\n")
    assert [(comment.id, comment.author) for comment in thread.comments] == [
        ("line-3", None),
        ("line-5", "Ann"),
    ]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ('{"text": "x"}\n{"text": \n', ["line 2", "not valid JSON", "column"]),
        ('{"text": "x"}\n["x"]\n', ["line 2", "list"]),
        ('{"author": "x", "txt": "y"}\n', ["line 1", "'author', 'txt'", "'text'"]),
        ('{"text": " "}\n', ["line 1, field 'text'", ""]),
        ('{"text": null}\n', ["line 1, field 'text'", ""]),
        ('{"text": true}\n', ["line 1, field 'text'", "true or false"]),
        ('{"text": {}}\n', ["line 1, field 'text'", "an object"]),
        ('{"text": "x", "id": ' + "9" * 5000 + "}\n", ["line 1", "number"]),
        (b'{"text": "x"}\n{"text": "\xff"}\n', ["line 2", "byte 25", "UTF-8"]),
    ],
)
def test_refused_jsonl(jsonl, content, parts):
    message = refusal(jsonl, content)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("id,words\n1,hello\n", ["line 1", "no text column", "'id', 'words'", "'text'"]),
        ("text,author\nx,Ann,Bob\n", ["line 2", "row has 3 fields, the header 2"]),
        ("id,name,text\n1,Ann,Hi\n2,Bo\n", ["line 3", "row has 2 of 3 fields"]),
        ('text\n"x, y" z\n', ["line 2", "not valid CSV"]),
        ('text\n"never closed\n', ["line 2", "not valid CSV"]),
        ("text,author\nx,Ann\n ,Bob\n", ["line 3, field 'text'", ""]),
        ("text,author\n", ["no rows"]),
        (b"text\nx\n\xff\xff\xffy\n", ["line 3", "byte 8", "UTF-8"]),
        ("\u00a0\n", ["no text column", "there are no columns"]),
    ],
)
def test_refused_csv(sheet, content, parts):
    message = refusal(sheet, content)
    assert all(part in message for part in parts), message


def test_refusals_do_not_repeat_comments(sheet, jsonl):
    long = "a comment that stands where the header should be and is long"
    assert long not in refusal(sheet, f"{long}\nmore\n")
    assert "secret" not in refusal(jsonl, '{"text": "secret" "x"}\n')


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
).filter(str.strip)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"text": TEXTS, "thread": st.sampled_from(["a", "b"])},
        optional={"author": TEXTS.filter(lambda name: not is_missing(name))},
    ),
    min_size=1,
    max_size=8,
)


@given(RECORDS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_jsonl_and_csv_give_back_what_was_written(tmp_path, records):
    (tmp_path / "r.jsonl").write_text(lines(*records))
    with (tmp_path / "r.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "thread", "author"], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(records)
    for name in ("r.jsonl", "r.csv"):
        comments = [comment for thread in read_threads(tmp_path / name) for comment in thread.comments]
        assert [(c.text, c.author) for c in comments] == [(r["text"], r.get("author")) for r in records]


def test_parquet_is_read_as_the_same_rows_would_be_as_lines(tmp_path: Path) -> None:
    moment = datetime(2024, 5, 9, 7, 40, tzinfo=UTC)
    rows = [
        {
            "comment_id": 7,
            "Body": "one",
            "user": "Ann",
            "created": moment,
            "thread": "a",
            "extra": {"x": [1]},
        },
        {"comment_id": 8, "Body": "two", "user": None, "created": None, "thread": "b", "extra": None},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    lines = [{name: value for name, value in row.items() if name != "extra"} for row in rows]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row, default=str) + "\n" for row in lines), "utf-8")
    one, other = (list(read_threads(tmp_path / f"a.{suffix}")) for suffix in ("parquet", "jsonl"))
    assert [thread.comments for thread in one] == [thread.comments for thread in other]
    assert (one[0].comments[0].id, one[0].comments[0].time) == ("7", moment)
    assert list(read_threads(tmp_path / "a.parquet", format="parquet")) == one


def test_parquet_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"words": ["one"]}), file)
    with pytest.raises(ReadError, match=r"a\.parquet: .*'words'"):
        list(read_threads(file))
    parquet.write_table(pa.table({"text": ["one", " "]}), file)
    with pytest.raises(ReadError, match=r"row 2, field 'text': "):
        list(read_threads(file))
    parquet.write_table(pa.table({"text": [True]}), file)
    with pytest.raises(ReadError, match=r"row 1, field 'text': true or false"):
        list(read_threads(file))
    whole = file.read_bytes()
    for damaged in (whole[:40], whole[:-4] + b"PAR2", b"PAR1" + b"\0" * 60):
        file.write_bytes(damaged)
        with pytest.raises(ReadError, match="Parquet"):
            list(read_threads(file))


@given(changes=st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_parquet_raises_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]]
) -> None:
    file = tmp_path_factory.mktemp("damaged") / "a.parquet"
    parquet.write_table(pa.table({"text": ["one", "two"], "id": [1, 2]}), file)
    content = bytearray(file.read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    file.write_bytes(content)
    with contextlib.suppress(ReadError):
        list(read_threads(file))


def test_comments_have_their_address_and_their_line(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text('text,comment_url\n"two\nlines",https://paper.example/#1\nthird,\n')
    [thread] = read_threads(file)
    assert [(one.permalink, one.line) for one in thread.comments] == [
        ("https://paper.example/#1", 2),
        (None, 4),
    ]


@pytest.mark.parametrize("word", ["NULL", "null", "\\N", "nan", "NaN", "NaT", "<NA>", "None", " NULL "])
def test_words_for_a_missing_value_are_no_value(sheet, word):
    rows = f"id,author,text,time,status,parent,author_url\n7,{','.join([word, 'Well.', *[word] * 4])}\n"
    (thread,) = read(sheet, rows)
    (comment,) = thread.comments
    found = (comment.author, comment.time, comment.verdict, comment.parent, comment.author_url)
    assert found == (None, None, None, None, None)
    assert thread.notes == ()


def test_a_reader_may_write_null(sheet, jsonl):
    rejects = []
    (thread,) = read(sheet, "id,text\n1,NULL\n2,\\N\n3,nan\n", on_reject=rejects.append)
    assert [comment.text for comment in thread.comments] == ["NULL", "nan"]
    assert [reject.position for reject in rejects] == [3]
    (thread,) = read(
        jsonl, '{"text":"a","author":NaN,"time":NaN,"status":NaN,"parent":NaN}\n', on_reject=rejects.append
    )
    assert (thread.comments[0].author, thread.comments[0].parent, thread.notes) == (None, None, ())


def test_whole_numbers_with_the_fraction_of_pandas(sheet):
    rows = "id,text,parent,approved,thread\n1,a,,1.0,7.0\n2,b,1.0,0.0,7\n3,c,1.5,,7\n"
    (thread,) = read(sheet, rows)
    assert [(comment.id, comment.parent, comment.verdict) for comment in thread.comments] == [
        ("1", None, "publish"),
        ("2", "1", "hold"),
        ("3", "1.5", None),
    ]


def test_rows_of_one_thread_that_stand_apart_are_noted(jsonl):
    rows = [{"text": "a", "thread": str(number % 3)} for number in range(6)]
    threads = read(jsonl, lines(*rows))
    assert len(threads) == 6
    assert ["sort the file by thread" in note for thread in threads for note in thread.notes] == [True]
    assert [thread.notes for thread in read(jsonl, lines(*sorted(rows, key=str)))] == [()] * 3
