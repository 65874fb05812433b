"""A form of the console that fails keeps what was typed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser

from tests.support.serve_fakes import client_of


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path) as client:
        client.post(
            "/v1/comments", json={"site": "s", "comments": [{"id": "c", "text": "spam"}]}
        ).raise_for_status()
        yield client


def value(page: str, name: str) -> str:
    return str(LexborHTMLParser(page).css_first(f"main [name={name}]").attributes["value"])


def test_a_key_that_cannot_be_made_keeps_its_fields(client: TestClient) -> None:
    asked = {"do": "make key", "name": "Mona", "role": "moderator", "sites": "a, b"}
    answer = client.post("/console/keys", data=asked)  # the first key must be an admin's
    assert answer.status_code == 422
    assert (value(answer.text, "name"), value(answer.text, "sites")) == ("Mona", "a, b")
    chosen = LexborHTMLParser(answer.text).css("option[selected]")
    assert [one.text() for one in chosen] == ["moderator"]


def test_a_webhook_that_cannot_be_added_keeps_its_fields(client: TestClient) -> None:
    asked = {"do": "add webhook", "url": "https://paper.example:0/hook", "events": "comment.held"}
    answer = client.post("/console/keys", data=asked)
    assert answer.status_code == 422
    assert value(answer.text, "url") == "https://paper.example:0/hook"
    checked = LexborHTMLParser(answer.text).css("input[name=events][checked]")
    assert [one.attributes["value"] for one in checked] == ["comment.held"]
    assert len(LexborHTMLParser(client.get("/console/keys").text).css("input[name=events][checked]")) > 1


@pytest.mark.parametrize(
    "query", [{"since": "yesterday"}, {"until": "2026-02-30"}, {"kind": "strange"}, {"since": "0001-01-01"}]
)
def test_a_filter_of_the_log_that_cannot_be_keeps_the_others(
    client: TestClient, query: dict[str, str]
) -> None:
    answer = client.get("/console/log", params={"who": "Mona", **query})
    assert answer.status_code == 422
    assert value(answer.text, "who") == "Mona"
    for name, text in query.items():
        assert name == "kind" or value(answer.text, name) == text


@pytest.mark.parametrize("days", ["1", "367", "many", "", "9" * 30])
def test_a_wrong_number_of_days_stays_on_the_dashboard(client: TestClient, days: str) -> None:
    answer = client.get("/console/dashboard", params={"days": days, "site": "s"})
    assert answer.status_code == 422
    assert (value(answer.text, "days"), value(answer.text, "site")) == (days, "s")


def test_a_note_to_a_decision_that_fails_is_on_the_page_of_the_problem(client: TestClient) -> None:
    form = {
        "comment": "1",
        "action": "reject",
        "code": "spam",
        "default_code": "spam",
        "note": "seen before <b>",
    }
    answer = client.post("/console/decide", data=form | {"revision": "7"})
    assert answer.status_code == 409
    [kept] = LexborHTMLParser(answer.text).css("textarea.typed")
    assert kept.text().strip() == "seen before <b>"


def test_words_of_a_search_that_fails_are_on_the_page_of_the_problem(client: TestClient) -> None:
    answer = client.get("/console/search", params={"words": "harbour " * 40})
    assert answer.status_code == 422
    assert "harbour harbour" in LexborHTMLParser(answer.text).css_first("textarea.typed").text()


def test_a_key_never_comes_back(client: TestClient) -> None:
    client.post("/v1/keys", json={"name": "a", "role": "admin"}).raise_for_status()
    answer = client.post("/console/sign-in", data={"key": "bl_mistyped-secret", "next": "/console/log"})
    assert answer.status_code == 401
    assert "bl_mistyped-secret" not in answer.text
    assert value(answer.text, "next") == "/console/log"
