"""Times, prior statuses, authors and threads in every form: none of them costs a comment."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.data import ReadError, Reject, Thread, read_threads
from belowline.data.archives.side_fields import STATUSES, SideFields
from belowline.data.archives.times import check_time_format, read_time
from belowline.data.archives.values import plain_text
from tests.support.reading import read

AT = datetime(2024, 5, 9, 7, 12, tzinfo=UTC)
EPOCH = 1_715_238_720


@pytest.mark.parametrize(
    "value",
    [
        EPOCH,
        float(EPOCH),
        str(EPOCH),
        f"{EPOCH}.0",
        EPOCH * 1_000,
        str(EPOCH * 1_000),
        EPOCH * 10**6,
        EPOCH * 10**9,
        "1.71523872e9",
        "2024-05-09T07:12:00Z",
        "2024-05-09T07:12:00.000+0000",
        "2024-05-09 07:12",
        "2024-05-09 07:12:00 UTC",
        "2024-05-09 09:12:00 +0200",
        "2024-05-09 07:12:00.000000 +0000 UTC",
        "2024/05/09 07:12:00",
        "2024-5-9 7:12",
        "20240509071200",
        "20240509T071200Z",
        "Thu, 09 May 2024 09:12:00 +0200",
        "Thu, 9 May 2024 07:12:00 GMT",
        "9 May 2024 07:12:00 +0000",
        "Thu May 09 07:12:00 +0000 2024",
        "Thu May  9 07:12:00 2024",
        "Thu May 09 2024 09:12:00 GMT+0200 (Central European Summer Time)",
        "May 9, 2024 at 7:12 am",
        "Thursday, May 9, 2024 7:12 AM",
        "9. May 2024, 07:12",
        "9.5.2024 07:12",
        "09.05.2024, 07:12 Uhr".removesuffix(" Uhr"),
    ],
)
def test_forms_of_a_time(value):
    assert read_time(value) == AT


@pytest.mark.parametrize(
    "value",
    [
        *(
            "6 years ago",
            "yesterday",
            "never",
            "",
            " ",
            "0000-00-00 00:00:00",
            "0001-01-01T00:00:00Z",
            "07:12",
        ),
        *("1970-01-01 00:00:00", 0, "0", -5, 17, "2024", True, None, {}, float("nan"), float("inf"), 10**400),
        *(
            "03/05/2024",
            "03-05-2024 14:22",
            "5/3/24 3:01 PM",
            "31/31/2024",
            "2024-02-31",
            "9" * 5_000,
            "1e999",
        ),
        *("2024-05-09 07:12:00 CEST", "May 2024", "Thu", "\ud800", "２０２４-０５"),
    ],
)
def test_no_time_is_guessed(value):
    assert read_time(value) is None


def test_dates_that_have_one_order_are_read():
    assert (
        read_time("25/05/2024 14:22")
        == read_time("05/25/2024 2:22 PM")
        == datetime(2024, 5, 25, 14, 22, tzinfo=UTC)
    )
    assert read_time("05/05/2024") == datetime(2024, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time_format", "value"),
    [
        ("day-first", "09/05/2024 07:12"),
        ("day-first", "9/5/24 7:12 AM"),
        ("month-first", "05/09/2024 07:12"),
        ("%d/%m/%Y %H:%M", "09/05/2024 07:12"),
        ("%H:%M %d|%m|%y", "07:12 09|05|24"),
        ("%d/%m/%Y %H:%M", "2024-05-09T07:12:00Z"),
    ],
)
def test_a_time_format_says_it_better(time_format, value):
    check_time_format(time_format)
    assert read_time(value, time_format) == AT


@pytest.mark.parametrize("time_format", ["", "%H:%M", "words", "%", "%Q", "%d/%m", "%a %d %B", "%C %d/%m"])
def test_a_time_format_without_a_date_is_refused(tmp_path, time_format):
    with pytest.raises(ReadError, match="day-first or month-first"):
        read_threads(tmp_path, time_format=time_format)


@given(
    st.text()
    | st.floats()
    | st.integers()
    | st.text(st.sampled_from("0123456789-/:.TZ+ ap,May"), max_size=40)
)
@settings(max_examples=500)
def test_any_value_is_a_time_with_a_zone_or_none(value):
    for time_format in (None, "day-first", "%d.%m.%Y"):
        time = read_time(value, time_format)
        assert time is None or time.tzinfo is not None


def rows(*records: dict) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def one(path, record: dict, **options) -> tuple[Thread, object]:
    (thread,) = read(path, rows(record), **options)
    (comment,) = thread.comments
    return thread, comment


def test_times_that_cannot_be_read_are_noted_once_with_their_count(tmp_path):
    times = ["2024-05-09", "03/05/2024", "6 years ago", None, "", "0000-00-00", "x"]
    records = [{"text": f"Number {n}.", "time": time, "thread": n % 3} for n, time in enumerate(times)]
    threads = read(tmp_path / "a.jsonl", rows(*sorted(records, key=lambda record: record["thread"])))
    assert sum(len(thread.comments) for thread in threads) == 7
    notes = [note for thread in threads for note in thread.notes]
    assert len(notes) == 1
    assert notes[0].startswith("4 of 5 times")
    assert "--time-format" in notes[0]
    threads = read(tmp_path / "a.jsonl", rows(*records), time_format="day-first")
    assert any(note.startswith("3 of 5 times") for thread in threads for note in thread.notes)


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("date,time", "2024-05-09,07:12:00"),
        ("time,date", "7:12 AM,2024-05-09"),
        ("Date,Time", "09.05.2024,07:12"),
        ("date,time", ",2024-05-09T07:12:00Z"),
        ("date,other", "2024-05-09 07:12,x"),
        ("comment_date,comment_date_gmt", "2024-05-09 09:12:00,2024-05-09 07:12:00"),
    ],
)
def test_date_and_time_in_two_columns(tmp_path, header, cells):
    (thread,) = read(tmp_path / "a.csv", f"text,{header}\nOne.,{cells}\n")
    assert thread.comments[0].time == AT


def test_columns_of_date_and_time_may_be_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,Tag,Uhrzeit\nOne.,09.05.2024,07:12\n")
    (thread,) = read_threads(path, columns={"date": "Tag", "time": "Uhrzeit"})
    assert thread.comments[0].time == AT


def test_a_parquet_file_with_times_of_every_type(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    zone = timezone(timedelta(hours=2))
    for values in (
        pa.array([AT]),
        pa.array([AT.replace(tzinfo=None)]),
        pa.array([AT.astimezone(zone)]),
        pa.array([AT.date()]),
        pa.array([EPOCH]),
        pa.array([EPOCH * 1000.0]),
    ):
        parquet.write_table(pa.table({"text": ["One."], "time": values}), tmp_path / "a.parquet")
        (thread,) = read_threads(tmp_path / "a.parquet")
        assert thread.comments[0].time.date() == AT.date()


@pytest.mark.parametrize(
    ("word", "status"),
    [
        *(
            (word, "publish")
            for word in ("approved", "Approve", "PUBLISHED", "publish", "1", 1, True, "visible")
        ),
        *(
            (word, "hold")
            for word in ("pending", "hold", "0", 0, False, "unapproved", "PREMOD", "heldForReview")
        ),
        *((word, "hold") for word in ("SYSTEM_WITHHELD", "awaiting moderation", "in_review", "queued")),
        *((word, "reject") for word in ("trash", "deleted", "post-trashed", "Removed", "REJECTED", "hidden")),
        *((word, "spam") for word in ("spam", "SPAM", "junk", "likelySpam", "marked as spam")),
        *((word, None) for word in (None, "", "freigegeben", 7, {}, [])),
    ],
)
def test_status_words_of_hosts(tmp_path, word, status):
    for name in ("status", "verdict", "comment_approved"):
        thread, comment = one(tmp_path / "a.jsonl", {"text": "One.", name: word})
        assert comment.verdict == status
        assert bool(thread.notes) == (word in ("freigegeben", 7))


def test_every_status_word_has_one_meaning():
    side = SideFields()
    assert {side.status(word) for word in STATUSES} == {"publish", "hold", "reject", "spam"}
    assert list(side.notes()) == []


def test_the_caller_says_what_unknown_words_mean(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,Status\nOne.,Freigegeben\nTwo.,gesperrt\nThree.,approved\nFour.,weg\nFive.,weg\n")
    (thread,) = read_threads(path, columns={"verdict": "Status"})
    assert [comment.verdict for comment in thread.comments] == [None, None, "publish", None, None]
    (note,) = thread.notes
    assert note.startswith("4 comments")
    assert all(word in note for word in ("freigegeben", "gesperrt", "weg", "--status"))
    (thread,) = read_threads(
        path, statuses={"freigegeben": "publish", "Gesperrt": "reject", "approved": "hold"}
    )
    assert [comment.verdict for comment in thread.comments] == ["publish", "reject", "hold", None, None]
    with pytest.raises(ReadError, match="publish, hold, reject, spam"):
        read_threads(path, statuses={"weg": "gone"})


def test_a_status_column_of_sentences_is_not_quoted(tmp_path):
    thread, comment = one(tmp_path / "a.jsonl", {"text": "One.", "status": "a secret sentence, with words"})
    assert comment.verdict is None
    assert "secret" not in "".join(thread.notes)


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({"is_spam": "true"}, "spam"),
        ({"isSpam": 1, "approved": True}, "spam"),
        ({"deleted": "1"}, "reject"),
        ({"isDeleted": False, "status": "pending"}, "hold"),
        ({"is_approved": "false"}, "hold"),
        ({"approved": "yes", "deleted": "no"}, "publish"),
        ({"hidden": "nan"}, None),
    ],
)
def test_flags_of_hosts(tmp_path, flags, status):
    assert one(tmp_path / "a.jsonl", {"text": "One.", **flags})[1].verdict == status


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        ({"author": "Ann"}, "Ann"),
        ({"author": 7}, "7"),
        ({"user": {"id": 5, "name": "Ann"}}, "Ann"),
        ({"user": {"login": "ann"}}, "ann"),
        ({"author": {"profile": {"x": 1}}}, None),
        ({"author": True}, None),
        ({"author": []}, None),
        ({"author": ["Ann", "Bo"]}, "Ann"),
        ({"author": {}}, None),
        ({"user": 6260, "name": "Ann"}, "Ann"),
        ({"author": 0, "author_name": "Ann"}, "Ann"),
        ({"Author Name": "Ann"}, "Ann"),
        ({"authorName": "Ann"}, "Ann"),
    ],
)
def test_forms_of_an_author(tmp_path, fields, author):
    assert one(tmp_path / "a.jsonl", {"text": "One.", **fields})[1].author == author


def test_forms_of_ids_threads_and_parents(tmp_path):
    record = {
        "id": 7,
        "text": "One.",
        "parent": {"id": 5},
        "thread": {"id": 12, "title": "Tram"},
        "title": {"rendered": "Tram &amp; bus"},
        "url": {"href": "https://paper.example/tram"},
    }
    thread, comment = one(tmp_path / "a.jsonl", record)
    assert (comment.id, comment.parent, thread.url) == ("7", "5", "https://paper.example/tram")
    _, comment = one(tmp_path / "a.jsonl", {"id": 7.0, "text": 42, "parent": {"$oid": "5f"}})
    assert (comment.id, comment.text, comment.parent) == ("7", "42", "5f")
    _, comment = one(
        tmp_path / "a.jsonl", {"text": "One.", "created": {"$date": {"$numberLong": str(EPOCH * 1000)}}}
    )
    assert comment.time == AT


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (
            "<p>It is in<br/>annex &quot;two&quot;.</p>\n<p>Look &amp; see.</p>",
            'It is in\nannex "two".\n\nLook & see.',
        ),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("1 < 2 & 3 > 2, <3", "1 < 2 & 3 > 2, <3"),
        ("a <b and c", "a <b and c"),
        ("if <condition> then", "if <condition> then"),
        ("AT&T; R&D", "AT&T; R&D"),
        ('See <a href="https://x.example/a">this</a>.', "See this (https://x.example/a)."),
        ({"rendered": "<p>Yes.</p>"}, "Yes."),
        (["One.", "Two."], "One.\n\nTwo."),
        ("  kept as it is \n", "  kept as it is \n"),
    ],
)
def test_html_is_read_as_text(tmp_path, written, text):
    assert one(tmp_path / "a.jsonl", {"text": written})[1].text == text


def test_pings_and_notes_in_tables_are_left_out_and_counted(tmp_path):
    (thread,) = read(
        tmp_path / "a.csv",
        "comment_ID,comment_content,comment_type,comment_approved\n1,One.,,1\n2,Two.,pingback,1\n3,Three.,review,spam\n"
        "4,Four.,order_note,1\n5,Five.,pingback,1\n",
    )
    assert [(c.id, c.verdict) for c in thread.comments] == [("1", "publish"), ("3", "spam")]
    assert [note.rpartition(", ")[2] for note in thread.notes] == ["pingback: 2", "order_note: 1"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "name", "$date", "text", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)
SIDE = st.dictionaries(
    st.sampled_from(
        [
            "id",
            "author",
            "user",
            "time",
            "date",
            "parent",
            "thread",
            "url",
            "title",
            "status",
            "is_spam",
            "type",
            "article",
        ]
    ),
    VALUES,
    max_size=6,
)


@given(SIDE)
@settings(max_examples=150, deadline=None)
def test_no_side_field_costs_a_comment(tmp_path_factory, fields):
    path = tmp_path_factory.mktemp("side") / "a.jsonl"
    rejects: list[Reject] = []
    path.write_text(rows({"text": "Kept.", **fields}, {"text": "Last."}))
    threads = list(read_threads(path, on_reject=rejects.append))
    assert rejects == []
    assert [comment.text for thread in threads for comment in thread.comments].count("Kept.") == 1


def test_only_whole_tags_are_html() -> None:
    for typed in ("use <b> or </script> here", "a < b > c", "</p><i>"):
        assert plain_text(typed) == typed
    assert [plain_text(text) for text in ("a <b>bold</b> word", "one<br>two", "<P>one")] == [
        "a bold word",
        "one\ntwo",
        "one",
    ]
