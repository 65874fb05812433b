"""Reason codes in words, in Coral's and in the EU's terms; and the log as a table that is safe in a spreadsheet."""

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from belowline.model import PolicyDecision
from belowline.serve.scoring.reason_codes import CODES, MODERATOR_CODES, coral_code, statement_of_reasons
from belowline.serve.scoring.wording import code_words
from tests.support.serve_fakes import client_of

POLICY_CODES = re.findall(
    r"``(\w+)``", (PolicyDecision.__doc__ or "").split("Reason code:")[1].split("rule:")[0]
)
CORAL = {
    *("OFFENSIVE", "ABUSIVE", "SPAM", "BANNED_WORD", "AD", "ILLEGAL_CONTENT", "HARASSMENT_BULLYING"),
    *("MISINFORMATION", "HATE_SPEECH", "IRRELEVANT_CONTENT", "OTHER"),
}
CATEGORIES = {
    *("ANIMAL_WELFARE", "CONSUMER_INFORMATION", "CYBER_VIOLENCE", "CYBER_VIOLENCE_AGAINST_WOMEN"),
    *("DATA_PROTECTION_AND_PRIVACY_VIOLATIONS", "ILLEGAL_OR_HARMFUL_SPEECH"),
    *("INTELLECTUAL_PROPERTY_INFRINGEMENTS", "NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS"),
    *("NOT_SPECIFIED_NOTICE", "OTHER_VIOLATION_TC", "PROTECTION_OF_MINORS", "RISK_FOR_PUBLIC_SECURITY"),
    *("SCAMS_AND_FRAUD", "SELF_HARM", "UNSAFE_AND_PROHIBITED_PRODUCTS", "VIOLENCE"),
}
"""Codes of the EU's transparency database since 2025, without their prefix."""
MOMENT = datetime(2026, 11, 25, 12, tzinfo=UTC)


def decision(**changed: Any) -> dict[str, Any]:
    row = {
        "id": 7,
        "action": "reject",
        "code": "spam",
        "via": "policy",
        "policy": "default",
        "model": "9.9.9",
    }
    row |= {"rule": "spam >= 0.6", "written": None, "received": MOMENT, "at": MOMENT, "language": "en"}
    return row | {"scores": {"spam": 0.9}, "blind": False} | changed


def test_the_policys_codes_are_as_documented() -> None:
    assert len(POLICY_CODES) == 17
    assert {"spam", "hate_speech", "scoring_failed", "none"} <= set(POLICY_CODES)


@pytest.mark.parametrize("code", sorted({*POLICY_CODES, *MODERATOR_CODES, "edited", "undo"}))
def test_every_code_has_words_and_a_place_elsewhere(code: str) -> None:
    known = CODES[code]
    assert known.words
    assert code_words(code) == known.words
    assert known.coral in CORAL
    assert coral_code(code) == known.coral
    assert known.category in CATEGORIES
    assert known.keyword is None or re.fullmatch(r"KEYWORD_[A-Z_]+", known.keyword)
    assert known.words in str(statement_of_reasons(decision(code=code)))


def test_no_two_codes_share_their_words() -> None:
    assert len({code.words for code in CODES.values()}) == len(CODES)


def test_a_code_of_yesterday_counts_as_another_reason() -> None:
    assert coral_code("charm") == "OTHER"
    assert statement_of_reasons(decision(code="charm"))["category"] == "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"


def test_an_automatic_decision_says_so() -> None:
    stated = statement_of_reasons(decision())
    assert stated["automated_decision"] == "AUTOMATED_DECISION_FULLY"
    assert stated["automated_detection"] == "Yes"
    assert stated["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_REMOVED"]
    assert stated["decision_ground"] == "DECISION_GROUND_INCOMPATIBLE_CONTENT"
    assert (stated["content_type"], stated["content_language"]) == (["CONTENT_TYPE_TEXT"], "EN")
    assert (stated["content_date"], stated["application_date"]) == ("2026-11-25", "2026-11-25")
    assert "spam >= 0.6" in stated["decision_facts"]
    assert stated["source_type"] == "SOURCE_VOLUNTARY"
    assert stated["puid"] == "belowline-7"


@pytest.mark.parametrize("via", ["api", "console", "bulk", "appeal", "sample", "second", "undo"])
def test_a_persons_decision_says_so(via: str) -> None:
    stated = statement_of_reasons(decision(via=via))
    assert stated["automated_decision"] != "AUTOMATED_DECISION_FULLY"
    assert "moderator" in stated["decision_facts"]
    assert "hidden" in statement_of_reasons(decision(via=via, blind=True))["decision_facts"]


def test_illegal_content_has_a_ground_of_its_own() -> None:
    stated = statement_of_reasons(decision(code="illegal", via="api"))
    assert stated["decision_ground"] == "DECISION_GROUND_ILLEGAL_CONTENT"
    assert "illegal_content_explanation" in stated
    assert stated["incompatible_content_ground"] is None


def test_a_hold_disables_and_a_publication_restricts_nothing() -> None:
    held = statement_of_reasons(decision(action="hold", language="und"))
    assert held["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_DISABLED"]
    assert held["content_language"] is None
    assert statement_of_reasons(decision(action="publish"))["decision_visibility"] == []


@pytest.mark.parametrize("code", ["suspended", "banned"])
@pytest.mark.parametrize("action", ["hold", "reject"])
def test_a_comment_of_a_suspended_author_names_the_suspension(code: str, action: str) -> None:
    assert statement_of_reasons(decision(code=code, action=action))["decision_account"] == (
        "DECISION_ACCOUNT_SUSPENDED"
    )
    assert statement_of_reasons(decision(code=code, action="publish"))["decision_account"] is None
    assert statement_of_reasons(decision(action=action))["decision_account"] is None


@pytest.mark.parametrize(
    "start", ["=1+1", "+1", "-1", "@SUM(1)", '=HYPERLINK("http://evil.example")', '\u00e9,"quoted"']
)
def test_the_log_as_csv_has_no_formulas_and_no_text(tmp_path: Path, start: str) -> None:
    with client_of(tmp_path) as client:
        comments = [{"id": start, "text": "spam secret-text"}]
        [kept] = client.post("/v1/comments", json={"site": "s", "comments": comments}).json()["results"]
        made = {"action": "reject", "code": "spam", "labels": ["spam", "hate"], "note": "secret-note"}
        client.post(f"/v1/comments/{kept['comment']}/decisions", json=made).raise_for_status()
        answer = client.get("/console/log.csv")
        people = client.get("/console/log.csv?people=true")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="decisions.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(row["via"], row["action"]) for row in rows] == [("policy", "hold"), ("api", "reject")]
    shown = "'" + start if start[0] in "=+-@" else start
    assert [row["caller_id"] for row in rows] == [shown, shown]
    assert rows[1]["labels"] == "spam hate"
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values())
    assert len(list(csv.DictReader(io.StringIO(people.text)))) == 1
    assert "secret" not in answer.text
