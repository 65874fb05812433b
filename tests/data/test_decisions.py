"""Files of decisions: labels of a decision, and equality of rows written and read.

An invalid file gives a one-line reason.
"""

import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.data import ReadError
from belowline.data.decision_labels import PUBLISHED, REJECTED, decision_labels
from belowline.data.decisions import (
    MOST_WEIGHT,
    Decided,
    example_of,
    examples_to_split,
    read_decided,
    read_decisions,
    read_reviews,
)
from belowline.model import DEFINITIONS
from belowline.serve.scoring.reason_codes import CODES
from tests.conftest import ROOT
from tests.support.decisions import AT, ROW, write, write_reviews


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "decisions.jsonl"


def refusal(path: Path) -> str:
    with pytest.raises(ReadError) as caught:
        read_decisions(path)
    line = str(caught.value)
    assert "\n" not in line
    assert "words" not in line
    assert line.startswith(str(path))
    return line


def test_every_reason_code_and_label_has_its_place_in_the_table_and_in_its_documentation() -> None:
    assert REJECTED.keys() == CODES.keys()
    assert {label for said in (PUBLISHED, *REJECTED.values()) for label in said} == DEFINITIONS.keys()
    text = (ROOT / "serve" / "DECISIONS.md").read_text("utf-8")
    for code in REJECTED:
        assert f"`{code}`" in text


@pytest.mark.parametrize(
    ("decision", "labels"),
    [
        (("publish", "none"), {"spam": 0, "hate": 0, "antisemitism": 0, "threat": 0}),
        (("publish", "spam"), {"spam": 0, "hate": 0, "antisemitism": 0, "threat": 0}),
        (
            ("publish", None, (), ["profanity"]),
            {"spam": 0, "hate": 0, "antisemitism": 0, "threat": 0, "profanity": 0},
        ),
        (
            ("publish", None, ["on_topic"]),
            {"spam": 0, "hate": 0, "antisemitism": 0, "threat": 0, "on_topic": 1},
        ),
        (("publish", None, ["profanity"], ["profanity"]), {**PUBLISHED, "profanity": 1}),
        (("publish", None, ["hate"]), {"spam": 0, "hate": 1, "threat": 0}),
        (("reject", "spam"), {"spam": 1}),
        (("reject", "hate_speech"), {"hate": 1}),
        (("reject", "antisemitism"), {"hate": 1, "antisemitism": 1}),
        (("reject", "threat", ["personal_attack"]), {"threat": 1, "personal_attack": 1}),
        (("reject", "off_topic"), {"on_topic": 0}),
        (("reject", "other", ["antisemitism"]), {"hate": 1, "antisemitism": 1}),
        (("reject", "other", (), ["spam"]), {}),
        (("reject", "campaign"), {}),
        (("reject", "a code of another version"), {}),
        (("hold", "spam"), {}),
    ],
)
def test_what_a_decision_says(decision: Any, labels: dict[str, float]) -> None:
    assert decision_labels(*decision) == labels


def test_a_decision_becomes_an_example(file: Path) -> None:
    [one] = read_decisions(write(file, Decided(**ROW)))
    assert (one.text, dict(one.labels), one.source, one.row) == ("words", {"spam": 1.0}, "decisions:s", "s:a")
    assert (one.split_key, one.split, one.parent, one.article) == ("s thread t", None, "an answer", "Title")
    assert (one.slice, one.weight, one.spans) == ("random", 4.0, None)


def test_feedback_is_a_slice_of_its_own_and_an_unknown_weight_is_one() -> None:
    row = ROW | {"origin": "feedback", "decision": None, "weight": None, "labels": {}}
    one = example_of(Decided(**row))
    assert (one.slice, one.weight, dict(one.labels)) == ("feedback", 1.0, {})


rows = st.builds(
    Decided,
    row=st.text(min_size=1),
    site=st.text(min_size=1),
    text=st.text(min_size=1).filter(str.strip),
    labels=st.dictionaries(st.sampled_from([*DEFINITIONS]), st.floats(0, 1)),
    origin=st.sampled_from(["moderator", "feedback", "review"]),
    code=st.none() | st.text(),
    split_key=st.text(min_size=1),
    weight=st.none() | st.floats(0.01, MOST_WEIGHT),
    decided_at=st.datetimes(timezones=st.just(UTC)),
    scores=st.dictionaries(st.sampled_from([*DEFINITIONS]), st.floats(0, 1)),
)


@given(st.lists(rows, max_size=5))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, some: list[Decided]) -> None:
    path = write(tmp_path_factory.mktemp("written") / "a.jsonl", *some)
    assert list(read_decided(path)) == some
    assert read_decisions(path) == [example_of(one) for one in some]


def test_fields_that_a_later_version_adds_are_passed_over(file: Path) -> None:
    write(file, Decided(**ROW))
    header, row = (json.loads(line) | {"later": [1]} for line in file.read_text("utf-8").splitlines())
    file.write_text(f"{json.dumps(header)}\n{json.dumps(row)}\n", "utf-8")
    assert len(read_decisions(file)) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weight": 0.0}, "line 2, field 'weight"),
        ({"weight": MOST_WEIGHT + 1}, "line 2, field 'weight"),
        ({"labels": {"spam": 1.5}}, "line 2, field 'labels.spam': must be less than or equal to 1"),
        ({"labels": {"": 1}}, "line 2, field 'labels."),
        ({"labels": {"\n": 2}}, r"line 2, field 'labels.'\n''"),
        ({"scores": {"spam": "0.5"}}, "line 2, field 'scores.spam'"),
        ({"text": " "}, "line 2, field 'text'"),
        ({"sampled": "all"}, "line 2, field 'sampled': "),
        ({"decision": "hold"}, "line 2, field 'decision'"),
        ({"decided_at": "2026-11-25T12:00:00"}, "line 2, field 'decided_at'"),
        ({"split_key": ""}, "line 2, field 'split_key'"),
    ],
)
def test_a_field_at_fault_is_named(file: Path, change: dict[str, Any], said: str) -> None:
    write(file, Decided(**ROW))
    header, row = file.read_text("utf-8").splitlines()
    file.write_text(f"{header}\n{json.dumps(json.loads(row) | change)}\n", "utf-8")
    line = refusal(file)
    assert said in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1"),
        (b"text,label\nwords,1\n", "line 1"),
        (b"[1]\n", "line 1"),
        (b"[" * 100_000, "line 1"),
        (b"\xff\xfe{}\n", "line 1"),
        (b'{"text": "words"}\n', "field 'format'"),
        (b'{"format": 1}\n', "field 'format'"),
        (b'{"format": "belowline-decisions/2"}\n', "belowline-decisions/1"),
        (b'{"format": "belowline-decisions/1"}\n', "line 1, fields 'exported_at', "),
    ],
)
def test_another_file_is_refused(file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    assert said in refusal(file)


def test_a_file_that_was_cut_off_is_refused(file: Path) -> None:
    whole = write(file, Decided(**ROW), Decided(**ROW)).read_bytes()
    file.write_bytes(whole[:-9])
    assert "line 3: " in refusal(file)
    file.write_bytes(b"\n".join(whole.split(b"\n")[:2]) + b"\n")
    assert {"1", "2"} <= set(re.findall(r"\d+", refusal(file)))
    file.unlink()
    assert "No such file or directory" in refusal(file)


def test_what_was_reviewed_of_an_audit_becomes_examples_too(file: Path) -> None:
    named = {
        "site": "s",
        "decision": "reject",
        "labels": {},
        "stratum": "picked",
        "weight": 2.0,
        "parent": "p",
    }
    write_reviews(file, {}, named, {"thread": None, "weight": 1.0})
    one, other, loose = read_decisions(file)
    assert dict(one.labels) == {"on_topic": 1, "spam": 0, "hate": 0, "antisemitism": 0, "threat": 0}
    assert (one.source, one.slice, one.weight, one.split_key) == (
        "decisions:audit",
        "random",
        MOST_WEIGHT,
        "a.txt thread T",
    )
    assert (other.row, dict(other.labels), other.source, other.parent) == ("s:17", {}, "decisions:s", "p")
    assert (other.slice, other.weight, other.split_key) == ("picked", 2.0, "s thread T")
    assert loose.split_key == loose.row != one.row
    write_reviews(file, {"labels": {"hate": 2}})
    assert "line 1, field 'labels.hate'" in refusal(file)


def test_a_review_that_names_no_site_is_taken_for_that_of_the_export(file: Path) -> None:
    [one] = read_reviews(write_reviews(file, {}), "paper.example")
    assert (one.site, one.origin, one.split_key) == ("paper.example", "review", "paper.example thread T")
    assert one.row.startswith("paper.example:review-")
    assert one.decided_at == AT
    [same] = read_reviews(write_reviews(file, {"number": 9, "weight": 1.0}), "paper.example")
    assert same.row == one.row


@pytest.mark.parametrize(("articles", "kept"), [(59, False), (60, True)])
def test_few_articles_are_split_by_comment(file: Path, articles: int, kept: bool) -> None:
    rows = [
        Decided.model_validate(ROW | {"row": f"s:{number}", "split_key": f"s thread {number % articles}"})
        for number in range(180)
    ]
    examples = examples_to_split(write(file, *rows))
    assert len({one.split_key for one in examples}) == (articles if kept else 180)
    assert [one.row for one in examples] == [f"s:{number}" for number in range(180)]
