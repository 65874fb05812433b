"""The policy page over HTTP: the form writes the policy, keeps what was typed, and shows the effect of thresholds."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser

from tests.support.policy_page import PATH, fields_of, problems_on, send
from tests.support.serve_fakes import KEY, client_of

COMMENTS = {
    "a": "a plain comment",
    "b": "spam about boats",
    "c": "spam with toxicity in it",
    "d": "toxicity alone",
    "e": "profanity alone",
}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path) as client:
        yield client


def take(client: TestClient, site: str = "s", **texts: str) -> dict[str, int]:
    comments = [{"id": name, "text": text} for name, text in texts.items()]
    answer = client.post("/v1/comments", json={"site": site, "comments": comments}).raise_for_status().json()
    return {one["id"]: one["comment"] for one in answer["results"]}


def active(client: TestClient) -> dict[str, Any]:
    return tomllib.loads(client.get("/v1/policy").json()["text"])


def effect(page: str, name: str) -> str:
    [place] = LexborHTMLParser(page).css(f'[data-effect="{name}"]')
    return place.text()


def test_the_form_shows_the_thresholds_in_force_where_the_policy_is_silent(client: TestClient) -> None:
    fields = fields_of(client.get(PATH).text)
    assert (fields["hold.spam"], fields["reject.spam"], fields["on.spam"]) == ("0.5", "", "1")
    assert "on.profanity" not in fields
    assert (fields["unknown_language"], fields["version"]) == ("1", "default")
    assert "automatic_rejection" not in fields


def test_the_form_saves_through_the_same_policy_text(client: TestClient) -> None:
    changes = {
        "hold__spam": "0,95",
        "on__profanity": "1",
        "automatic_rejection": "1",
        "reject__threat": "0.8",
        "links__max__on": "1",
        "words__hold": "casino*\n pills \n\n",
        "links__blocked": "WWW.Casino.example",
        "unknown_language": None,
        "sample": "2.5",
        "note": "less spam",
    }
    assert send(client, "replace", **changes).status_code == 303
    policy = active(client)
    assert policy["thresholds"] == {"spam": {"hold": 0.95}, "threat": {"hold": 0.5, "reject": 0.8}}
    assert policy["labels"][-1] == "profanity"
    assert policy["links"] == {"max": 2, "blocked": ["casino.example"]}
    assert policy["words"] == {"hold": ["casino*", "pills"]}
    assert (policy["automatic_rejection"], policy["unknown_language"]) == (True, "publish")
    assert policy["sample"] == 0.025
    [entry] = client.get("/v1/policy/history").json()
    assert (entry["note"], entry["actor"]) == ("less spam", "local")
    assert "# Automatic rejection." in entry["text"], "comments stay"
    take(client, b="spam about boats", e="profanity alone", f="the casinos are open")
    codes = {one["caller_id"]: one["decision"]["code"] for one in client.get("/v1/comments").json()["items"]}
    assert codes == {"b": "none", "e": "profanity", "f": "banned_word"}


def test_a_site_has_its_own_values_over_the_general_ones(client: TestClient) -> None:
    assert send(client, "replace", site="sports.example", hold__spam="0.95").status_code == 303
    assert active(client)["sites"] == {"sports.example": {"thresholds": {"spam": {"hold": 0.95}}}}
    take(client, site="sports.example", b="spam")
    take(client, site="other.example", b="spam")
    actions = {one["site"]: one["action"] for one in client.get("/v1/comments").json()["items"]}
    assert actions == {"sports.example": "publish", "other.example": "hold"}
    assert fields_of(client.get(PATH).text)["hold.spam"] == "0.5"
    assert fields_of(client.get(PATH, params={"site": "sports.example"}).text)["hold.spam"] == "0.95"
    assert send(client, "replace", site="sports.example", hold__spam="0.5").status_code == 303
    assert active(client).get("sites", {}).get("sports.example", {}) == {}


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("hold__spam", "1.5"),
        ("hold__spam", "high"),
        ("hold__spam", "nan"),
        ("reject__spam", "0.2"),  # below the hold threshold
        ("links__max", "two"),
        ("campaign__copies", "1"),
        ("new_authors__comments", "1e9"),
        ("sample", "101"),
        ("version", ""),
        ("words__hold", "fine\n***"),
        ("links__blocked", "https://a.example/path"),
    ],
)
def test_a_wrong_value_changes_nothing_and_keeps_what_was_typed(
    client: TestClient, field: str, typed: str
) -> None:
    name = field.replace("__", ".")
    switch = (
        {f"{field}__on": "1"} if field in ("links__max", "campaign__copies", "new_authors__comments") else {}
    )
    others = {"hold__threat": "0.61", "trusted_roles": "staff", "note": "my reason", **switch}
    for do in ("try", "replace"):
        answer = send(client, do, **{**others, field: typed})
        assert answer.status_code == 422
        kept = fields_of(answer.text)
        assert kept[name] == typed
        assert (kept["hold.threat"], kept["trusted_roles"], kept["note"]) == ("0.61", "staff", "my reason")
        at_fault = "hold.spam" if field == "reject__spam" else name
        assert list(problems_on(answer.text)) == [at_fault]
        assert f'href="#{at_fault}"' in answer.text
    assert client.get("/v1/policy").json()["number"] == 0


def test_a_policy_that_was_changed_meanwhile_is_a_conflict_and_keeps_what_was_typed(
    client: TestClient,
) -> None:
    fields = fields_of(client.get(PATH).text) | {"hold.spam": "0.77", "note": "mine"}
    client.put("/v1/policy", json={"text": 'version = "other"', "after": 0}).raise_for_status()
    answer = client.post(PATH, data=fields | {"do": "replace"})
    assert answer.status_code == 422
    kept = fields_of(answer.text)
    assert (kept["hold.spam"], kept["note"]) == ("0.77", "mine")
    assert client.get("/v1/policy").json()["version"] == "other"


def test_the_text_with_an_error_stays_in_its_editor(client: TestClient) -> None:
    answer = client.post(PATH, data={"text": "labels = [", "do": "try", "note": "mine", "after": "0"})
    assert answer.status_code == 422
    page = LexborHTMLParser(answer.text)
    assert page.css_first("#text").text().strip() == "labels = ["
    assert page.css_first("#text-note").attributes["value"] == "mine"
    assert "open" in page.css_first("#as-text").attributes


def test_the_dry_run_lists_both_directions_and_what_stays_for_another_reason(client: TestClient) -> None:
    ids = take(client, **COMMENTS, long="spam " + "and a long quote of it " * 20)
    answer = send(client, "try", hold__spam="0.95", on__profanity="1")
    assert answer.status_code == 200
    page = LexborHTMLParser(answer.text)
    headings = [node.text().split(":")[0] for node in page.css("#tried h3")]
    assert headings == [
        "Newly held or rejected",
        "No longer held or rejected",
        "The same action for another reason",
    ]
    quotes = [node.text() for node in page.css("#tried .comment")]
    assert COMMENTS["e"] in quotes
    assert any(quote.startswith("spam and a long quote") and len(quote) > 450 for quote in quotes)
    changes = [[cell.text() for cell in row.css("th, td")] for row in page.css("#differences tbody tr")]
    assert ["all sites", "Spam: hold from", "0.5", "0.95"] in changes
    assert fields_of(answer.text)["hold.spam"] == "0.95"
    tried = client.post("/v1/policy/dry-run", json={"text": "[thresholds.spam]\nhold = 0.95\n"}).json()
    assert tried["changes"] == [{"before": "hold", "after": "publish", "comments": 2}]
    assert tried["moved"] == [{"action": "hold", "code": "toxicity", "comments": 1}]
    [one] = [each for each in tried["examples"] if each["comment"] == ids["c"]]
    assert (one["direction"], one["code_before"], one["code"]) == ("moved", "spam", "toxicity")
    assert client.get("/v1/policy").json()["number"] == 0


def test_a_dry_run_for_a_site_reads_its_comments_alone(client: TestClient) -> None:
    take(client, site="x", a="spam")
    take(client, site="y", a="spam", b="spam")
    asked = {"text": 'labels = ["threat"]', "site": "y"}
    assert client.post("/v1/policy/dry-run", json=asked).json()["compared"] == 2


def test_effects_are_counted_from_the_comments_and_decisions_of_the_site(client: TestClient) -> None:
    texts = {f"n{at}": "fine" for at in range(5)}
    ids = take(client, **texts, **{f"s{at}": f"spam {at} boat" for at in range(14)}, both="spam and toxicity")
    for at in range(11):
        action = {"action": "publish" if at < 1 else "reject"}
        client.post(f"/v1/comments/{ids[f's{at}']}/decisions", json=action).raise_for_status()
    take(client, site="other", far="spam far away")
    page = client.get(PATH, params={"site": "s"}).text
    assert "20 scored comments" in page
    words = effect(page, "hold.spam")
    assert "15 a day" in words
    assert "about 9 in 10" in words
    assert "11 decided" in words
    assert "14 a day for this label alone" in words
    live = client.get(f"{PATH}/effects", params={"site": "s", "hold.spam": "0.95", "on.spam": "1"}).json()
    assert "15" not in live["hold.spam"]
    live = client.get(f"{PATH}/effects", params={"hold.spam": "0.9", "on.spam": "1"}).json()
    assert "16 a day" in live["hold.spam"]
    assert client.get(f"{PATH}/effects", params={"hold.spam": "x", "on.spam": "1"}).json().keys() == {"all"}


def test_undone_decisions_do_not_count(client: TestClient) -> None:
    [one] = take(client, a="spam").values()
    made = client.post(f"/v1/comments/{one}/decisions", json={"action": "reject"}).json()
    assert "rejected 1 of 1" in effect(client.get(PATH).text, "hold.spam")
    client.post(f"/v1/decisions/{made['id']}/undo").raise_for_status()
    assert "rejected" not in effect(client.get(PATH).text, "hold.spam")


def test_an_earlier_policy_opens_in_the_form(client: TestClient) -> None:
    send(client, "replace", hold__spam="0.7")
    send(client, "replace", hold__spam="0.8")
    page = client.get(PATH, params={"number": 1}).text
    assert fields_of(page)["hold.spam"] == "0.7"
    assert "0.8" in page
    answer = client.post(PATH, data=fields_of(page) | {"do": "replace"}, follow_redirects=False)
    assert answer.status_code == 303
    assert active(client)["thresholds"]["spam"] == {"hold": 0.7}
    assert client.get(PATH, params={"number": 9}).status_code == 404


def test_a_moderator_may_try_but_not_activate_and_sees_their_sites_alone(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        client.headers["X-API-Key"] = KEY
        take(client, site="x", a="spam")
        take(client, site="y", a="spam", b="spam")
        asked = {"name": "mona", "role": "moderator", "sites": ["x"]}
        key = client.post("/v1/keys", json=asked).json()["key"]
        client.headers["X-API-Key"] = key
        page = client.get(PATH).text
        assert "1 a day" in effect(page, "hold.spam")
        assert [node.attributes["value"] for node in LexborHTMLParser(page).css("datalist option")] == ["x"]
        assert not LexborHTMLParser(page).css("button[value=replace]")
        assert send(client, "try", hold__spam="0.7").status_code == 200
        assert send(client, "replace", hold__spam="0.7").status_code == 422
        assert client.get(PATH, params={"site": "y"}).status_code == 403
        assert client.get(f"{PATH}/effects", params={"site": "y"}).status_code == 403
