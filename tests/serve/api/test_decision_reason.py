"""The code and the labels of a decision agree."""

from pathlib import Path
from typing import Any

import pytest

from belowline.model.labels import DEFINITIONS
from belowline.serve.scoring.reason_codes import LABELS, MODERATOR_CODES, REASON_KEYS
from tests.support.serve_fakes import check_problem, client_of

REJECT = {"action": "reject"}


@pytest.mark.parametrize(
    ("sent", "code", "choice", "labels"),
    [
        (REJECT, "other", "default", []),
        (REJECT | {"code": "hate_speech"}, "hate_speech", "person", ["hate"]),
        (REJECT | {"code": "hate_speech", "labels": ["hate"]}, "hate_speech", "person", ["hate"]),
        (REJECT | {"code": "personal_attack", "labels": ["hate"]}, "personal_attack", "person", None),
        (REJECT | {"labels": ["hate"]}, "hate_speech", "person", ["hate"]),
        (REJECT | {"labels": ["spam", "threat"]}, "threat", "person", ["spam", "threat"]),
        (REJECT | {"labels": ["on_topic"]}, "other", "default", ["on_topic"]),
        (REJECT | {"code": "illegal", "labels": ["hate"]}, "illegal", "person", ["hate"]),
        ({"action": "publish", "labels": ["hate"]}, "none", None, ["hate"]),
        ({"action": "hold", "code": "spam"}, "spam", "person", ["spam"]),
    ],
)
def test_code_and_labels_agree(
    tmp_path: Path, sent: dict[str, Any], code: str, choice: str | None, labels: list[str] | None
) -> None:
    with client_of(tmp_path) as client:
        comments = [{"id": "a", "text": "spam"}, {"id": "b", "text": "spam too"}]
        kept = client.post("/v1/comments", json={"site": "s", "comments": comments}).json()["results"]
        one = client.post("/v1/comments/s:a/decisions", json=sent).json()
        bulk = client.post("/v1/decisions/bulk", json=sent | {"comments": [kept[1]["comment"]]}).json()
        other = client.get(f"/v1/decisions/{bulk['decisions'][0]}").json()
    expected = ["hate", "personal_attack"] if labels is None else labels
    for made in (one, other):
        assert (made["code"], made["code_choice"], made["labels"]) == (code, choice, expected)


def test_off_topic_contradicts_the_label_on_topic(tmp_path: Path) -> None:
    sent = REJECT | {"code": "off_topic", "labels": ["on_topic"]}
    with client_of(tmp_path) as client:
        client.post("/v1/comments", json={"site": "s", "comments": [{"id": "a", "text": "spam"}]})
        problem = check_problem(client.post("/v1/comments/s:a/decisions", json=sent), 422, "invalid-request")
        assert [one["field"] for one in problem["errors"]] == ["labels"]
        assert len(client.get("/v1/comments/s:a").json()["decisions"]) == 1


def test_a_label_and_its_code_have_the_same_digit() -> None:
    assert set(REASON_KEYS) == set(MODERATOR_CODES)
    assert len(set(REASON_KEYS.values())) == len(REASON_KEYS)
    for digit, label in enumerate(DEFINITIONS, start=1):
        code = next((code for code, of in LABELS.items() if of == label), "off_topic")
        assert REASON_KEYS[code] == str(digit)
