"""A person's own labels become decisions: by words, by columns, with everything that is wrong told at once."""

import json
from pathlib import Path

import pytest

from belowline.data import ReadError
from belowline.data.comment import Reject
from belowline.data.decisions import Decided
from belowline.data.labelled_table import LabelledTable, label_columns, meanings, read_labelled

WORDS = """body,label,thread
You are all fools,abuse,1
"Nice article, thanks",none,1
Cheap watches here,ad,2
,none,2
Perhaps,unsure,3
Fools with watches,ad; abuse,3
"""


def table(path: Path, content: str, *labels: str, words: str = "", **columns: str) -> LabelledTable:
    path.write_text(content, "utf-8")
    return LabelledTable(path, columns, label_columns(labels), meanings([words]))


def read(given: LabelledTable) -> tuple[list[Decided | None], list[Reject]]:
    rejects: list[Reject] = []
    return list(read_labelled(given, rejects.append)), rejects


def labels(rows: list[Decided | None]) -> list[dict[str, float] | None]:
    return [row and row.labels for row in rows]


def test_words_name_labels_and_what_they_do_not_settle_stays_unknown(tmp_path: Path) -> None:
    words = "none=,abuse=personal_attack+toxicity,ad=Spam,unsure=?"
    rows, rejects = read(table(tmp_path / "my.csv", WORDS, words=words))
    attack = {"personal_attack": 1.0, "toxicity": 1.0}
    nothing = {"personal_attack": 0.0, "spam": 0.0, "toxicity": 0.0}
    assert labels(rows) == [attack, nothing, {"spam": 1.0}, None, attack | {"spam": 1.0}]
    decided = [row for row in rows if row]
    assert [row.decision for row in decided] == ["reject", "publish", "reject", "reject"]
    assert [row.split_key for row in decided] == [f"my thread {number}" for number in "1123"]
    assert [row.row for row in decided] == ["my:2", "my:3", "my:4", "my:7"]
    [blank] = rejects
    assert (blank.position, "'text'" in blank.reason) == (5, True)


def test_all_words_without_a_meaning_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ReadError) as caught:
        read(table(tmp_path / "my.csv", WORDS, words="none="))
    for word in ("'abuse' (2)", "'ad' (2)", "'unsure' (1)", "personal_attack"):
        assert word in str(caught.value)
    assert "'none'" not in str(caught.value)


def test_a_missing_file_and_a_missing_text_column_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(
        ReadError, match=r"no.csv: cannot be read \(No such file or directory\); check the path$"
    ):
        read(LabelledTable(tmp_path / "no.csv"))
    with pytest.raises(ReadError, match=r"no text column; .* with --text$"):
        read(table(tmp_path / "my.csv", "words,spam\na,1\n"))


def test_a_column_for_each_label(tmp_path: Path) -> None:
    text = "text,toxic,insult,spam\na,1,0.5,no\nb,x,,yes\nc,,,\nd,1.0,,FALSE\ne,,2,\n"
    given = table(tmp_path / "my.csv", text, "toxic=toxicity", "insult=personal attack", "spam=spam")
    rows, rejects = read(given)
    first = {"personal_attack": 0.5, "spam": 0.0, "toxicity": 1.0}
    assert labels(rows) == [first, None, {"spam": 0.0, "toxicity": 1.0}]
    assert [(one.position, "'toxic'" in one.reason, "'insult'" in one.reason) for one in rejects] == [
        (3, True, False),
        (6, False, True),
    ]


def test_columns_named_like_labels_are_found(tmp_path: Path) -> None:
    lines = [{"comment": "a", "Personal Attack": True}, {"comment": "b", "hate": 0, "Personal Attack": None}]
    text = "\n".join(map(json.dumps, lines))
    rows, _ = read(table(tmp_path / "my.jsonl", text))
    assert labels(rows) == [{"personal_attack": 1.0}, {"antisemitism": 0.0, "hate": 0.0}]
    with pytest.raises(ReadError, match=r"no column of labels.*'comment', 'verdict'"):
        read(table(tmp_path / "other.csv", "comment,verdict\na,1\n"))


def test_numbers_as_words_lists_and_words_with_a_comma(tmp_path: Path) -> None:
    rows, _ = read(table(tmp_path / "my.csv", "text,label\na,1.0\nb,0\nc,\n", words="1=toxicity,0="))
    assert labels(rows) == [{"toxicity": 1.0}, {"toxicity": 0.0}, None]
    lines = [{"text": "a", "labels": ["Spam", "hate"]}, {"text": "b", "labels": []}]
    rows, _ = read(table(tmp_path / "my.jsonl", "\n".join(map(json.dumps, lines))))
    assert labels(rows) == [{"hate": 1.0, "spam": 1.0}, None]


def test_all_missing_columns_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"no columns 'words', 'kind', 'toxic'.*the columns are 'body'"):
        read(table(tmp_path / "my.csv", WORDS, "kind", "toxic=toxicity", text="words"))
    with pytest.raises(ReadError, match=r"no row has the columns 'kind', 'toxic' for the fields"):
        read(table(tmp_path / "my.jsonl", '{"text": "a"}\n', "kind", "toxic=toxicity"))


@pytest.mark.parametrize("given", ["abuse=insult", "abuse", "=?=x"])
def test_a_meaning_that_is_none_is_refused(given: str) -> None:
    with pytest.raises(ReadError, match=r"--map|unknown label"):
        meanings([given])


def test_the_parent_is_text_and_only_by_name(tmp_path: Path) -> None:
    text = "text,label,parent,title\na,spam,7,News\n"
    [row], _ = read(table(tmp_path / "my.csv", text))
    [named], _ = read(table(tmp_path / "my.csv", text, parent="parent", article="title"))
    assert row
    assert named
    assert (row.parent, named.parent, named.article) == (None, "7", "News")
