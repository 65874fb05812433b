"""The log as a person reads it, and the dashboard whose numbers open what they count."""

import csv
import io
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser

from tests.support.serve_fakes import KEY, client_of

THREAD = {"id": "a-17", "title": "The harbour reopens"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path) as client:
        yield client


def take(client: TestClient, *texts: str, site: str = "s") -> list[int]:
    comments = [
        {"id": f"c{at}", "text": text, "author": {"id": "u1", "name": "Bo Berg"}}
        for at, text in enumerate(texts)
    ]
    body = {"site": site, "thread": THREAD, "comments": comments}
    answer = client.post("/v1/comments", json=body).raise_for_status().json()
    return [one["comment"] for one in answer["results"]]


def decide(client: TestClient, comment: int, action: str = "reject", **more: Any) -> int:
    body = {"action": action, "code": "spam" if action == "reject" else "none", **more}
    return int(client.post(f"/v1/comments/{comment}/decisions", json=body).raise_for_status().json()["id"])


def rows_of(client: TestClient, **query: str) -> list[list[str]]:
    page = LexborHTMLParser(client.get("/console/log", params=query).raise_for_status().text)
    rows = [
        [" ".join(cell.text().split()) for cell in row.css("td, th")] for row in page.css(".log tbody tr")
    ]
    return [row for row in rows if len(row) > 1]


def test_a_row_says_who_did_what_to_which_words_of_whom(client: TestClient) -> None:
    [one] = take(client, "spam about\n\nboats " + "and more " * 40)
    decide(client, one)
    [newest, first] = rows_of(client)
    assert newest[1:3] == ["local", "rejected API"]
    assert newest[3] == "spam or advertising"
    assert newest[4].startswith("Bo Berg spam about boats and more")
    assert newest[4].endswith("on The harbour reopens · s")
    assert len(newest[4]) < 180
    assert (first[1], first[2]) == ("system", "held")
    assert ">=" in first[3]
    assert (newest[5], first[5]) == ("Undo", "")


def test_undo_in_the_row_undoes_that_decision_and_comes_back_to_the_filter(client: TestClient) -> None:
    one, two = take(client, "spam one", "spam two")
    decide(client, one)
    decide(client, two)
    page = LexborHTMLParser(client.get("/console/log", params={"who": "local"}).text)
    forms = [
        {i.attributes["name"]: i.attributes["value"] for i in f.css("input")} for f in page.css(".log form")
    ]
    assert len(forms) == 2
    answer = client.post("/console/undo", data=forms[1], follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/log?who=local&did=1")
    assert client.get("/v1/comments/s:c0").json()["action"] == "hold"
    assert client.get("/v1/comments/s:c1").json()["action"] == "reject"
    assert len(LexborHTMLParser(client.get("/console/log").text).css(".log form")) == 1


def test_only_ones_own_last_decisions_can_be_undone_there(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        client.headers["X-API-Key"] = KEY
        one, two = take(client, "spam one", "spam two")
        keys = {
            name: client.post("/v1/keys", json={"name": name, "role": role}).json()["key"]
            for name, role in (("mona", "moderator"), ("adam", "admin"))
        }
        for name, comment in (("mona", one), ("adam", two)):
            client.headers["X-API-Key"] = keys[name]
            decide(client, comment)
        undoable = {}
        for name, key in keys.items():
            client.headers["X-API-Key"] = key
            undoable[name] = [row[1] for row in rows_of(client) if row[5]]
        assert undoable == {"mona": ["mona"], "adam": ["adam", "mona"]}


def test_filters_by_day_person_reason_and_kind(client: TestClient) -> None:
    one, two, three = take(client, "spam one", "threat two", "fine")
    decide(client, one)
    undone = decide(client, two, "publish")
    client.post(f"/v1/decisions/{undone}/undo").raise_for_status()
    decide(client, three, "reject")
    today = datetime.now(UTC).date()
    yesterday, tomorrow = (today + timedelta(days=days) for days in (-1, 1))
    everything = len(rows_of(client))
    assert everything == 7
    assert len(rows_of(client, since=str(yesterday), until=str(tomorrow))) == everything
    assert rows_of(client, until=str(yesterday)) == rows_of(client, since=str(tomorrow)) == []
    assert {row[1] for row in rows_of(client, who="local")} == {"local"}
    assert len(rows_of(client, code="threat")) == 2, "the decision of the policy, and its undo"
    counts = {
        kind: len(rows_of(client, kind=kind))
        for kind in ("people", "final", "overturned", "held", "received")
    }
    assert counts == {"people": 4, "final": 2, "overturned": 1, "held": 2, "received": 3}
    text = client.get("/console/log.csv", params={"kind": "final", "who": "local"}).text
    assert [row["action"] for row in csv.DictReader(io.StringIO(text))] == ["reject", "reject"]
    assert "spam one" not in text


def test_an_erased_comment_has_no_words_and_no_undo(client: TestClient) -> None:
    [one] = take(client, "spam with a secret")
    decide(client, one)
    client.post(f"/console/comments/{one}/erase")
    page = client.get("/console/log").text
    assert "secret" not in page
    assert not LexborHTMLParser(page).css(".log form")


def test_a_moderator_sees_the_log_of_their_sites_alone(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        client.headers["X-API-Key"] = KEY
        for site in ("x", "y"):
            [one] = take(client, f"spam of {site}", site=site)
            decide(client, one)
        key = client.post("/v1/keys", json={"name": "m", "role": "moderator", "sites": ["x"]}).json()["key"]
        client.headers["X-API-Key"] = key
        page = client.get("/console/log").text
        assert "spam of x" in page
        assert "spam of y" not in page
        assert client.get("/console/log", params={"site": "y"}).status_code in (403, 422)


def test_numbers_of_the_dashboard_open_what_they_count(client: TestClient) -> None:
    ids = take(client, "spam one", "spam two", "threat three", "fine", "also fine")
    decide(client, ids[0])
    decide(client, ids[2], "publish")
    decide(client, ids[3], "reject")
    undone = decide(client, ids[1])
    client.post(f"/v1/decisions/{undone}/undo").raise_for_status()
    page = LexborHTMLParser(client.get("/console/dashboard", params={"days": "7", "site": "s"}).text)
    links = page.css("figcaption a, section td a")
    assert len(links) > 8
    for link in links:
        address = str(link.attributes["href"])
        shown = LexborHTMLParser(client.get(address).raise_for_status().text)
        rows = [row for row in shown.css(".log tbody tr") if row.css("th")]
        assert len(rows) == int(link.text()), address
    totals = [re.sub(r"\s+", " ", one.text()).strip() for one in page.css("figcaption")]
    assert totals == ["Received 5", "Held by the policy 3", "Decided by moderators 3", "Overturned 1"]
    held = page.css_first("section th a").attributes["href"]
    assert "kind=held" in str(held)


def test_weeks_and_days_of_the_week_add_up(client: TestClient) -> None:
    take(client, "spam one", "spam two", "fine")
    page = LexborHTMLParser(client.get("/console/dashboard", params={"days": "21"}).text)
    tables = {str(one.attributes["aria-label"]): one for one in page.css(".scroll")}
    received = [int(row.css("td")[0].text()) for row in tables["By week"].css("tbody tr")]
    assert sum(received) == 3
    assert 3 <= len(received) <= 4
    means = [float(row.css("td")[0].text()) for row in tables["By day of the week"].css("tbody tr")]
    assert len(means) == 7
    assert sum(means) == 1.0, "three comments on one of three such days"


def test_pace_and_agreement_are_for_admins_alone(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        client.headers["X-API-Key"] = KEY
        one, two = take(client, "spam one", "spam two")
        keys = {
            name: client.post("/v1/keys", json={"name": name, "role": role}).json()["key"]
            for name, role in (("mona", "moderator"), ("adam", "admin"))
        }
        client.headers["X-API-Key"] = keys["adam"]
        decide(client, one)
        client.put("/v1/comments/s:c0/golden").raise_for_status()
        client.headers["X-API-Key"] = KEY
        client.post("/console/quality", data={"comment": str(one), "action": "reject"})
        client.headers["X-API-Key"] = keys["mona"]
        decide(client, two)
        assert 'id="moderators"' not in client.get("/console/dashboard").text
        assert (
            "environment"
            not in LexborHTMLParser(client.get("/console/quality").text).css_first("main").text()
        )
        client.headers["X-API-Key"] = keys["adam"]
        shown = LexborHTMLParser(client.get("/console/dashboard").text).css("#moderators tbody tr")
        names = {row.css_first("th").text(): [cell.text() for cell in row.css("td")] for row in shown}
        assert names["mona"][:2] == ["1", "1"]
        assert any(cells[3] == "1 of 1" for cells in names.values())
