"""JSON of any shape: arrays, objects, comments under a key, answers at any depth."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belowline.data import ReadError, Reject, Thread, read_threads
from belowline.data.archives import json_values as values
from belowline.data.archives.rows import read_rows
from tests.support.reading import read, refusal

ANN = {"id": 1, "author": "Ann", "text": "One.", "time": "2024-05-09T07:12:00Z"}
BO = {"id": 2, "author": "Bo", "text": "Two.", "parent": 1}


KEYED = {"1": {**ANN, "id": None}, "2": {**BO, "id": None}}
"""Records under their keys, as Firebase exports them."""


def told(threads: list[Thread]) -> list[tuple]:
    return [
        (thread.title, [(c.id, c.parent, c.author, c.text) for c in thread.comments]) for thread in threads
    ]


BOTH = [("1", None, "Ann", "One."), ("2", "1", "Bo", "Two.")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([ANN, BO], [(None, BOTH)]),
        ([[ANN], [BO]], [(None, BOTH)]),
        ({"comments": [ANN, BO]}, [(None, BOTH)]),
        ({"status": "ok", "message": "found", "data": {"page": 1, "items": [ANN, BO]}}, [(None, BOTH)]),
        ({"title": "Tram", "body": "The council voted.", "comments": [ANN, BO]}, [("Tram", BOTH)]),
        ([{"title": "Tram", "comments": [ANN]}, {"title": "Bus", "comments": []}, {"title": "Car", "comments": [BO]}],
         [("Tram", BOTH[:1]), ("Car", BOTH[1:])]),
        ({"posts": {"p1": {"title": "Tram", "comments": {"1": {"text": "One.", "author": "Ann"}, "2": {**BO, "id": None}}}}},
         [("Tram", BOTH)]),
        ([{**ANN, "replies": [{"id": 2, "author": "Bo", "text": "Two."}]}], [(None, BOTH)]),
        ([{**ANN, "children": {"data": [{"id": 2, "author": "Bo", "text": "Two."}]}}], [(None, BOTH)]),
        ({"threads": [{"id": "t", "url": "https://x.example/t", "comments": [
            {"name": "Ann", "message": "One.", "id": 1, "replies": [{"name": "Bo", "message": "Two.", "id": 2, "replies": []}]}
        ]}]}, [("t", BOTH)]),
        ({"text": "One.", "author": "Ann", "id": 1}, [(None, BOTH[:1])]),
        (KEYED, [(None, BOTH)]),
        ({"data": KEYED}, [(None, BOTH)]),
        ({"tram": KEYED, "bus": {"3": ANN}}, [("tram", BOTH), ("bus", BOTH[:1])]),
        ({"comments": {"tram": KEYED, "bus": KEYED}}, [("tram", BOTH), ("bus", BOTH)]),
        ({"labels": {"send": {"text": "Send"}, "stop": {"text": "Stop"}}, "comments": KEYED}, [(None, BOTH)]),
        ([{"author_name": "Ann", "author": 0, "id": 1, "post": 5, "parent": 0, "content": {"rendered": "<p>One.</p>"},
           "status": "approved", "type": "comment"}], [("5", [("1", "0", "Ann", "One.")])]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["a.json", "a", "a.txt"])
def test_comments_are_found_wherever_they_are(tmp_path, value, expected, indent, name):
    assert told(read(tmp_path / name, json.dumps(value, indent=indent))) == expected


@pytest.mark.parametrize("empty", [None, "", "  ", [], {}])
def test_of_several_texts_the_first_that_is_not_empty_counts(tmp_path, empty):
    row = {"text": empty, "body": "One.", "author": empty, "username": "Ann", "created": "2024-05-09"}
    for name, value in (("a.json", {"comments": [row]}), ("b.json", [row]), ("c.jsonl", row)):
        (thread,) = read(tmp_path / name, json.dumps(value))
        assert [(c.text, c.author, str(c.time)[:10]) for c in thread.comments] == [
            ("One.", "Ann", "2024-05-09")
        ]
    (thread,) = read(tmp_path / "d.csv", "text,body,author,username\n,One.,,Ann\nTwo.,,Bo,\n")
    assert [(c.text, c.author) for c in thread.comments] == [("One.", "Ann"), ("Two.", "Bo")]


@pytest.mark.parametrize(
    "emptied",
    [
        {"id": 4, "body": "", "author": "Cy"},
        {"id": 4, "text": None},
        {"id": 4, "deleted": True},
        {"author": None, "content": {"rendered": ""}},
    ],
)
@pytest.mark.parametrize("answers", ["replies", "children"])
def test_answers_to_a_deleted_comment_stay_in_their_thread(tmp_path, emptied, answers):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"title": "Tram", "comments": [ANN, {**emptied, answers: [BO]}]}))
    rejects: list[Reject] = []
    assert told(list(read_threads(path, on_reject=rejects.append))) == [("Tram", BOTH)]
    assert [reject.position for reject in rejects] == [1]


@pytest.mark.parametrize("none", [[], None, {}])
@pytest.mark.parametrize("name", ["comments", "posts", "Comments"])
def test_an_article_without_comments_is_no_comment(tmp_path, none, name):
    articles = [
        {"title": "Tram", "content": "The council voted.", "author": "Ed", name: none},
        {"title": "Bus", "content": "It is late.", "author": "Ed", "comments": [ANN]},
    ]
    lines = "".join(json.dumps(article) + "\n" for article in articles)
    for file, content in (("a.json", json.dumps(articles)), ("b.jsonl", lines)):
        (thread,) = read(tmp_path / file, content)
        assert told([thread]) == [("Bus", BOTH[:1])]
        assert thread.notes[-1].endswith(": 1")
    (thread,) = read(tmp_path / "c.json", json.dumps({"articles": articles}))
    assert told([thread]) == [("Bus", BOTH[:1])]


@pytest.mark.parametrize("around", [("edges", "node"), ("items", "data"), ("nodes", "node")])
def test_comments_in_the_wrappers_of_a_list(tmp_path, around):
    def wrapped(*comments: dict) -> dict:
        return {around[0]: [{"cursor": "c", around[1]: comment} for comment in comments]}

    answer = {"id": 2, "author": {"username": "Bo"}, "body": "Two."}
    comments = wrapped({**ANN, "replies": wrapped(answer)})
    story = {"id": "s1", "url": "https://x.example", "metadata": {"title": "Tram"}, "comments": comments}
    for value, title in (({"comments": comments}, None), ({"data": {"story": story}}, "Tram")):
        assert told(read(tmp_path / "a.json", json.dumps(value))) == [(title, BOTH)]


@pytest.mark.parametrize(
    "author",
    [
        {"author": {"first_name": "Ann", "last_name": "Berg"}},
        {"user": {"firstName": "Ann", "lastName": "Berg"}},
        {"author": {"id": 5, "profile": {"name": "Ann Berg"}}},
        {"from": {"name": "Ann Berg", "id": "9"}},
        {"account": {"id": "9", "display_name": "", "username": "Ann Berg"}},
        {"attributedTo": "Ann Berg", "type": "Note"},
    ],
)
def test_names_and_threads_in_objects(tmp_path, author):
    thread = {"id": "t", "title": "Tram", "url": "https://x.example/t"}
    time = {"seconds": 1715238720, "nanoseconds": 0}
    (read_thread,) = read(
        tmp_path / "a.jsonl", json.dumps({**author, "text": "One.", "time": time, "thread": thread})
    )
    assert (read_thread.title, read_thread.url) == ("Tram", "https://x.example/t")
    (comment,) = read_thread.comments
    assert (comment.author, comment.time and comment.time.isoformat()) == (
        "Ann Berg",
        "2024-05-09T07:12:00+00:00",
    )


def test_an_article_beside_its_comments_and_an_unreadable_time(tmp_path):
    article = {"title": "Tram", "url": "https://x.example"}
    value = {"article": article, "comments": [{**ANN, "time": {"what": {"is": "it"}}}, BO]}
    (thread,) = read(tmp_path / "a.json", json.dumps(value))
    assert (thread.url, told([thread])) == ("https://x.example", [("Tram", BOTH)])
    assert thread.notes[-1].startswith("1 of 1 times")


def test_comments_that_are_only_texts(tmp_path):
    (thread,) = read(
        tmp_path / "a.json", json.dumps({"title": "Tram", "comments": ["It is late.", "Why?", ANN]})
    )
    assert [comment.text for comment in thread.comments] == ["It is late.", "Why?", "One."]
    (thread,) = read(tmp_path / "b.json", json.dumps({"comments": ["5f1a", "5f1b"]}))
    assert not thread.comments


def test_the_article_of_nested_comments(tmp_path):
    (thread,) = read(
        tmp_path / "a.json",
        json.dumps(
            {"title": "Tram", "url": "https://x.example", "content": "The council voted.", "comments": [ANN]}
        ),
    )
    assert (thread.title, thread.url, thread.text) == ("Tram", "https://x.example", "The council voted.")


def test_answers_in_lines_of_jsonl_are_kept(tmp_path):
    lines = (
        json.dumps({**ANN, "replies": [{"text": "Deep.", "replies": [{"text": "Deeper."}]}]})
        + "\n"
        + json.dumps(BO)
    )
    (thread,) = read(tmp_path / "a.jsonl", lines)
    assert [comment.text for comment in thread.comments] == ["One.", "Deep.", "Deeper.", "Two."]
    ids = [comment.id for comment in thread.comments]
    assert len(set(ids)) == 4
    assert [comment.parent for comment in thread.comments] == [None, "1", ids[1], "1"]


def test_answers_of_any_depth(tmp_path):
    value: dict = {"text": "Number 0."}
    for number in range(1, 150):
        value = {"text": f"Number {number}.", "replies": [value]}
    (thread,) = read(tmp_path / "a.json", json.dumps([value]))
    assert len(thread.comments) == 150
    assert "levels" in refusal(tmp_path / "a.json", "[" + '{"replies":[' * 100_000)


def test_columns_are_named_in_json_too(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"liste": [{"kommentar": "One.", "wer": "Ann"}, {"kommentar": "Two."}]}))
    (thread,) = read_threads(path, columns={"text": "kommentar", "author": "wer"})
    assert [(c.text, c.author) for c in thread.comments] == [("One.", "Ann"), ("Two.", None)]
    with pytest.raises(ReadError, match=r"no field with the text.*--column text=NAME"):
        list(read_threads(path))
    rejects: list[Reject] = []
    list(read_threads(path, columns={"text": "kommentar", "author": "who"}, on_reject=rejects.append))
    assert [(reject.position, "'who'" in reject.reason) for reject in rejects] == [(None, True)]


def test_rows_for_scoring_come_from_json_too(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"comments": [ANN, BO]}))
    assert [row["text"] for _, row in read_rows(path, (("text", "text"),))] == ["One.", "Two."]


@pytest.mark.parametrize(
    ("content", "kept", "position"),
    [
        ('[{"text": "One."}, {"text": "Two."}, {"text": ', 2, 3),
        ('[{"text": "One."}, {"text": "Two."}', 2, 3),
        ('[{"text": "One."}, {"text" "Two."}, {"text": "Three."}]', 1, 2),
        ('[{"text": "One."}, 5, {"text": "Two."}]', 2, 2),
        ('[{"text": "One."}, {"text": ""}, {"text": "Two."}]', 2, 2),
    ],
)
def test_what_stands_before_damage_is_kept(tmp_path, content, kept, position):
    rejects: list[Reject] = []
    path = tmp_path / "a.json"
    path.write_text(content)
    threads = list(read_threads(path, on_reject=rejects.append))
    assert sum(len(thread.comments) for thread in threads) == kept
    assert [reject.position for reject in rejects] == [position]


def test_long_arrays_are_read_in_parts_and_large_values_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(values, "_CHUNK", 50)
    records = [{"text": f"Number {n}, é.", "author": "Zoë"} for n in range(500)]
    (thread,) = read(tmp_path / "a.json", json.dumps(records, ensure_ascii=False))
    assert [comment.text for comment in thread.comments] == [record["text"] for record in records]
    monkeypatch.setattr(values, "LARGEST_VALUE", 1_000)
    assert "JSON lines" in refusal(tmp_path / "a.json", json.dumps({"comments": records}))


def test_hostile_json_takes_linear_time(tmp_path):
    start = time.monotonic()
    for content in (
        '[{"text": "' + "x" * 20_000_000,
        "[" * 5_000_000,
        '[{"a":' * 1_000_000,
        "[{}," * 1_000_000,
    ):
        refusal(tmp_path / "a.json", content)
    assert time.monotonic() - start < 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["id", "text", "body", "author", "comments", "replies", "children", "kind", "data", "title", "snippet", "type",
             "link_id", "parent_id", "pid", "locator", "user", "cid", "votes", "storyID", "revisions", "parent", "metadata"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@given(JSON, st.sampled_from([None, "reddit", "youtube", "remark42", "coral", "hackernews", "json", "jsonl"]))
@settings(max_examples=150, deadline=None)
def test_any_json_is_read_or_refused(tmp_path_factory, value, format):
    path = tmp_path_factory.mktemp("any") / "a.json"
    path.write_text(json.dumps(value))
    rejects: list[Reject] = []
    threads = list(read_threads(path, on_reject=rejects.append, format=format))
    assert threads or rejects
    assert all(comment.text.strip() for thread in threads for comment in thread.comments)
    for thread in threads:
        ids = [comment.id for comment in thread.comments]
        assert format not in ("reddit", "youtube") or len(ids) == len(set(ids))


@pytest.mark.parametrize("name", ["is_spam", "type", "author"])
def test_a_list_in_a_side_field_holds_no_comments(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "Kept.", "id": None, name: [{"text": 0}]}) + "\n")
    assert [comment.text for thread in read_threads(path) for comment in thread.comments] == ["Kept."]
