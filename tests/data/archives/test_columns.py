"""Mapping the fields of a comment to columns."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from belowline.data import ReadError, Reject, read_threads
from belowline.data.archives.columns import FIELDS, columns_of, csv_columns
from tests.support.reading import read

COLUMNS = {"text": "Kommentar", "author": "wer", "time": "wann", "parent": "auf", "thread": "Artikel"}
ROW = {
    "Kommentar": "Well.",
    "wer": "Ann",
    "wann": "2024-05-09",
    "auf": "5",
    "Artikel": "t1",
    "text": "not this",
    "id": "7",
}


def write(path: Path, *rows: dict[str, str]) -> Path:
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".csv":
        path.write_text("\n".join(",".join(line) for line in (rows[0], *(row.values() for row in rows))))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_columns_are_those_that_the_caller_names(tmp_path, name):
    (thread,) = read_threads(write(tmp_path / name, ROW), columns=COLUMNS)
    (comment,) = thread.comments
    assert (comment.text, comment.author, comment.parent, comment.id) == ("Well.", "Ann", "5", "7")
    assert comment.time is not None
    assert (comment.time.year, thread.title) == (2024, "t1")


def test_mapped_names_ignore_case_where_the_file_has_no_exact_one():
    assert columns_of(("TEXT", "Text"), (("text", "Text"),)) == {"text": "Text"}
    assert columns_of(("TEXT",), (("text", " text"),)) == {"text": "TEXT"}
    assert columns_of(("text", "body"), (("text", "words"),)) == {}
    assert columns_of(("author", "body"), (("author", "body"),)) == {"text": "body", "author": "body"}


def test_a_field_that_is_none_is_refused_at_once(tmp_path):
    with pytest.raises(ReadError, match=f"field 'words'.* use one of {', '.join(FIELDS)}"):
        read_threads(tmp_path, columns={"words": "text"}, on_reject=lambda _: None)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize("field", ["text", "author"])
def test_a_table_that_lacks_a_mapped_column_is_refused(tmp_path, name, field):
    path = write(tmp_path / name, {"text": "One.", "user": "Ann"})
    refusal = f"no column 'words' for the field '{field}'; the columns are 'text', 'user'"
    with pytest.raises(ReadError, match=refusal):
        list(read_threads(path, columns={field: "words"}))
    rejects: list[Reject] = []
    assert list(read_threads(path, columns={field: "words"}, on_reject=rejects.append)) == []
    assert [reject.source for reject in rejects] == [str(path)]
    assert refusal in rejects[0].reason


def test_a_row_that_lacks_the_mapped_text_is_refused(tmp_path):
    path = write(tmp_path / "a.jsonl", {"text": "One."}, {"words": "Two."})
    rejects: list[Reject] = []
    (thread,) = read_threads(path, columns={"text": "words"}, on_reject=rejects.append)
    assert [comment.text for comment in thread.comments] == ["Two."]
    assert [reject.position for reject in rejects] == [1]
    assert "no field 'words' with the text; the columns are 'text'" in rejects[0].reason


def test_rows_may_leave_out_other_mapped_columns_but_not_all_of_them(tmp_path):
    path = write(
        tmp_path / "a.jsonl", {"text": "One."}, {"text": "Two.", "auf": "line-1"}, {"text": "Three."}
    )
    (thread,) = read_threads(path, columns={"parent": "auf"})
    assert [comment.parent for comment in thread.comments] == [None, "line-1", None]
    rejects: list[Reject] = []
    (thread,) = read_threads(path, columns={"parent": "auff"}, on_reject=rejects.append)
    assert len(thread.comments) == 3
    [reject] = rejects
    assert (reject.source, reject.position) == (str(path), None)
    assert "'auff'" in reject.reason
    assert "'parent'" in reject.reason
    with pytest.raises(ReadError, match="'auff'"):
        list(read_threads(path, columns={"parent": "auff"}))


@pytest.mark.parametrize(
    "content", ["Kommentar\nWell.\n", "wer;Kommentar\nAnn;Well.\n", '{"Kommentar": "Well."}\n']
)
@pytest.mark.parametrize("name", ["a", "a.txt"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_whose_text_only_the_mapping_names_is_known(tmp_path, content, name, pack):
    (thread,) = read(tmp_path / name, pack(content.encode()), columns={"text": "Kommentar"})
    assert [comment.text for comment in thread.comments] == ["Well."]


def test_the_delimiter_is_the_one_that_gives_the_mapped_text():
    assert csv_columns("a,b;Kommentar,c", (("text", "Kommentar,c"),)) == (";", ["a,b", "Kommentar,c"])
    assert csv_columns("a,b;text,c") == (",", ["a", "b;text", "c"])
