"""The console's queue over HTTP: filters, pauses, campaigns, state, saved filters, context and search."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser

from belowline.model import Policy
from belowline.serve.console.copies import differences
from belowline.serve.console.scores import bars, not_judged
from tests.support.serve_fakes import check_problem, client_of, fake_scorer

OFFER = "spam: my {} made {} in one week from home with this simple trick, look at my page for the rest"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path) as client:
        yield client


def take(client: TestClient, *texts: str, site: str = "s", **more: Any) -> list[int]:
    """Store comments one by one, so that each gets a higher number; return their ids."""
    ids = []
    for text in texts:
        comment = {"id": f"{site}-{text[:60]}", "text": text, **more}
        thread = {"id": "a", "title": "The harbour"}
        sent = client.post("/v1/comments", json={"site": site, "thread": thread, "comments": [comment]})
        ids.append(sent.json()["results"][0]["comment"])
    return ids


def page(client: TestClient, path: str = "/console") -> LexborHTMLParser:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return LexborHTMLParser(answer.text)


def shown(client: TestClient, path: str = "/console") -> list[int]:
    """Numbers of the comments on the cards of a page."""
    return [int(one.attributes["data-comment"] or 0) for one in page(client, path).css(".card")]


def claimed(client: TestClient) -> list[int]:
    found = client.get("/v1/queue", params={"sort": "oldest"}).json()["items"]
    return [one["id"] for one in found if one["item"]["claimed_by"]]


def test_another_order_or_filter_releases_and_claims_by_it(client: TestClient) -> None:
    ids = take(client, *(f"spam {at}" for at in range(15)), *(f"a threat {at}" for at in range(5)))
    assert shown(client, "/console?sort=oldest") == ids[:10]
    assert shown(client, "/console?sort=newest") == ids[:-11:-1]
    assert claimed(client) == ids[-10:], "what was held for the other order is free again"
    assert shown(client, "/console?label=threat&sort=oldest") == ids[15:]
    assert claimed(client) == ids[15:]


def test_the_page_after_a_release_claims_nothing(client: TestClient) -> None:
    take(client, "spam 1", "spam 2")
    shown(client, "/console?sort=newest")
    asked = page(client, "/console?sort=newest").css("form[action='/console/release'] [name=next]")
    away = asked[0].attributes["value"]
    answer = client.post("/console/release", data={"next": away}, follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/paused?sort=newest")
    paused = page(client, answer.headers["Location"])
    assert paused.css(".card") == []
    assert claimed(client) == []
    assert "2" in paused.css_first("#empty p").text()
    assert paused.css_first("#empty a").attributes["href"] == "/console?sort=newest"


def test_preferences_and_decisions_without_a_script_come_back_to_the_same_filter(client: TestClient) -> None:
    take(client, "spam 1", "a threat")
    queue = page(client, "/console?label=threat&sort=newest")
    here = "/console?label=threat&sort=newest"
    assert {one.attributes["value"] for one in queue.css("[name=next]")} == {
        here,
        here.replace("?", "/paused?"),
    }
    for field in ("blind", "blur", "wide"):
        kept = client.post("/console/preferences", data={field: "1", "next": here}, follow_redirects=False)
        assert kept.headers["Location"] == here
    assert page(client, here).css_first("#cards").attributes["class"] == "large"
    form = {
        one.attributes["name"]: one.attributes["value"] for one in queue.css(".decide input[type=hidden]")
    }
    done = client.post("/console/decide", data=form | {"action": "publish"}, follow_redirects=False)
    assert done.headers["Location"] == f"{here}&did=1"


def test_an_empty_queue_says_what_waits_and_for_whom(client: TestClient) -> None:
    def words(query: str = "") -> tuple[int, str]:
        state = client.get(f"/console/state{query}").json()
        return state["waiting"], LexborHTMLParser(state["empty"]).css_first("h2").text()

    nothing = words()
    take(client, "spam 1")
    under = words("?label=threat")
    free = words()
    client.post("/v1/keys", json={"name": "ann", "role": "admin"})
    ann = client.post("/v1/keys", json={"name": "x", "role": "admin"})
    assert ann.status_code == 401, "from now on a key is needed"
    assert (nothing[0], under[0], free[0]) == (0, 0, 1)
    assert len({nothing[1], under[1], free[1]}) == 3


def test_what_others_hold_is_not_called_empty(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys="the-machine-of-the-newspaper") as client:
        machine = {"X-API-Key": "the-machine-of-the-newspaper"}
        made = [
            client.post("/v1/keys", json={"name": name, "role": "moderator"}, headers=machine).json()["key"]
            for name in ("ann", "ben")
        ]
        ann, ben = ({"X-API-Key": key} for key in made)
        client.post(
            "/v1/comments", json={"site": "s", "comments": [{"id": "1", "text": "spam"}]}, headers=machine
        )
        client.get("/console", headers=ann)
        own, other = (client.get("/console/state", headers=who).json() for who in (ann, ben))
        assert own["waiting"] == other["waiting"] == 1
        assert own["empty"] != other["empty"]
        assert LexborHTMLParser(client.get("/console", headers=ben).text).css(".card") == []
        client.post("/console/release", headers=ann)
        assert client.get("/console/state", headers=ben).json()["empty"] == own["empty"]


def test_a_campaign_is_one_card_decided_up_to_what_was_seen(client: TestClient) -> None:
    ids = take(client, *(OFFER.format(who, at) for at, who in enumerate(("aunt", "uncle", "boss"))))
    [card] = page(client, "/console?sort=oldest").css(".card")
    assert (card.attributes["data-comment"], card.attributes["data-copies"]) == (str(ids[0]), "3")
    marked = [one.text() for one in card.css("mark.differs")]
    assert marked == ["boss", "2", "uncle", "1"], "the newest copy is first"
    form = {one.attributes["name"]: one.attributes["value"] for one in card.css(".decide input[type=hidden]")}
    [late] = take(client, OFFER.format("niece", 9))
    state = client.get("/console/state", params={"campaign": ids[0]}).json()
    assert state["copies"] == {str(ids[0]): 4}
    sent = form | {"action": "reject", "code": "spam"}
    done = client.post("/console/bulk", data=sent, headers={"Accept": "application/json"}).json()
    assert (done["decided"], done["skipped"], done["arrived"]) == (3, 0, 1)
    assert [client.get(f"/v1/comments/{one}").json()["action"] for one in (*ids, late)] == [
        *("reject",) * 3,
        "hold",
    ]
    check_problem(
        client.post("/console/bulk", data=sent, headers={"Accept": "application/json"}), 409, "conflict"
    )
    [rest] = page(client, f"/console/cards?campaign={ids[0]}").css(".card")
    assert rest.attributes["data-comment"] == str(late)


def test_a_card_shows_what_the_comment_answers(client: TestClient) -> None:
    take(client, "a question")
    take(client, "spam as an answer", parent="s-a question")
    [card] = page(client).css(".card")
    assert card.css_first(".parent blockquote").text() == "a question"
    link = card.css_first(".talk").attributes["href"]
    talk = page(client, f"{link}?part=true")
    assert [one.attributes["class"] for one in talk.css(".reply")] == ["reply depth-0", "reply depth-1 own"]
    assert len(page(client, link).css(".decide")) == 2, "on a page of its own each can be decided"


def test_a_thread_can_be_decided_on_its_page_and_goes_on(client: TestClient) -> None:
    ids = take(client, *(f"comment {at}" for at in range(51)))
    number = client.get(f"/v1/comments/{ids[0]}").json()["thread"]["id"]
    first = page(client, f"/console/threads/{number}")
    assert [one.attributes["id"] for one in first.css(".reply")] == [f"r{one}" for one in ids[:50]]
    form = {
        one.attributes["name"]: one.attributes["value"]
        for one in first.css_first(".reply .decide").css("input[type=hidden]")
    }
    done = client.post("/console/decide", data=form | {"action": "reject"}, follow_redirects=False)
    assert done.headers["Location"] == f"/console/threads/{number}?did=1"
    assert client.get(f"/v1/comments/{ids[0]}").json()["action"] == "reject"
    more = first.css_first("main > p > a.button").attributes["href"]
    assert [one.attributes["id"] for one in page(client, str(more)).css(".reply")] == [f"r{ids[50]}"]
    assert client.get(f"/console/threads/{number}?after=x").status_code == 422


def test_lists_have_what_waits_and_the_chosen(client: TestClient) -> None:
    take(client, "spam 1", "spam 2", site="a")
    take(client, "a threat", site="b")

    def options(name: str, path: str = "/console") -> dict[str, str]:
        found = page(client, path).css(f"[name={name}] option")
        return {
            one.attributes["value"] or "": (re.findall(r"\((.*)\)", one.text()) or [""])[0] for one in found
        }

    assert options("site") == {"": "", "a": "2", "b": "1"}
    assert options("label") == {"": "", "spam": "2", "threat": "1"}
    assert options("label", "/console?site=b&label=hate") == {"": "", "threat": "1", "hate": "0"}
    assert options("language") == {}, "there is one only"


def test_filters_are_saved_for_each_moderator(client: TestClient) -> None:
    kept = client.post(
        "/console/filters",
        data={"name": "  All   threats ", "query": "label=threat&sort=newest&evil=1"},
        follow_redirects=False,
    )
    assert kept.headers["Location"] == "/console?label=threat&sort=newest"
    client.post("/console/filters", data={"name": "All threats", "query": "label=threat"})
    queue = page(client)
    [link] = queue.css(".saved li a")
    assert (link.text(), link.attributes["href"]) == ("All threats", "/console?label=threat")
    assert client.post("/console/filters", data={"name": " ", "query": ""}).status_code == 422
    assert client.post("/console/filters", data={"name": "x" * 61, "query": ""}).status_code == 422
    number = queue.css_first(".saved [name=drop]").attributes["value"]
    client.post("/console/filters", data={"drop": number, "query": ""})
    assert page(client).css(".saved li") == []


def test_saved_filters_of_others_are_neither_seen_nor_removed(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys="the-machine-of-the-newspaper") as client:
        machine = {"X-API-Key": "the-machine-of-the-newspaper"}
        ann, ben = (
            {
                "X-API-Key": client.post(
                    "/v1/keys", json={"name": n, "role": "triage"}, headers=machine
                ).json()["key"]
            }
            for n in ("ann", "ben")
        )
        client.post("/console/filters", data={"name": "mine", "query": "kind=held"}, headers=ann)
        client.post("/console/filters", data={"drop": "1", "query": ""}, headers=ben)
        assert len(LexborHTMLParser(client.get("/console", headers=ann).text).css(".saved li")) == 1
        assert LexborHTMLParser(client.get("/console", headers=ben).text).css(".saved li") == []


def test_the_number_of_saved_filters_is_limited(client: TestClient) -> None:
    answers = [
        client.post("/console/filters", data={"name": f"f{at}", "query": ""}).status_code for at in range(31)
    ]
    assert answers == [*[200] * 30, 409]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("words=reader3", ["good words"]),
        ("words=Reader+Three", ["good words"]),
        ("words=good", ["good words"]),
        ("words=2026-11-29", ["good words"]),
        ("words=2026-11-28..2026-11-29", ["good words", "spam"]),
        ("words=good+2026-11-28", []),
        ("from=2026-11-29", ["good words"]),
        ("to=2026-11-28", ["spam"]),
        ("action=hold", ["spam"]),
    ],
)
def test_search(client: TestClient, query: str, found: list[str]) -> None:
    take(client, "spam", written="2026-11-28T23:59:59Z")
    author = {"id": "reader3", "name": "Reader Three"}
    take(client, "good words", written="2026-11-29T00:00:00Z", author=author)
    results = page(client, f"/console/search?{query}")
    assert [one.text() for one in results.css(".card blockquote.comment")] == found


def test_search_refuses_what_is_no_date(client: TestClient) -> None:
    for wrong in ("from=2026-02-30", "to=tomorrow", "words=2026-13-01"):
        assert client.get(f"/console/search?{wrong}").status_code == 422, wrong


def test_the_api_finds_the_same(client: TestClient) -> None:
    [_, second] = take(client, "spam", "good words", author={"id": "u", "name": "Ann"})
    found = client.get("/v1/comments", params={"anything": "ann", "since": "2026-01-01T00:00:00Z"}).json()
    assert len(found["items"]) == 2
    assert client.get("/v1/comments", params={"anything": str(second)}).json()["items"][0]["id"] == second
    assert client.get("/v1/comments", params={"until": "2026-01-01T00:00:00Z"}).json()["items"] == []
    assert client.get("/v1/comments", params={"since": "yesterday"}).status_code == 422


POLICY = Policy.parse("[sites.strict.thresholds.spam]\nhold = 0.2\n", "test", fake_scorer().thresholds)


@pytest.mark.parametrize(
    ("probability", "site", "state", "words"),
    [
        (0.3, None, "under", "under the threshold"),
        (0.36, None, "near", "just under the threshold"),
        (0.5, None, "over", "over the threshold"),
        (0.9, None, "over", "far over the threshold"),
        (0.3, "strict", "over", "over the threshold"),
    ],
)
def test_bars_are_relative_to_the_threshold(probability: float, site: str, state: str, words: str) -> None:
    [spam, substance] = bars({"spam": probability, "on_topic": 0.9}, POLICY, site)
    assert (spam.state, spam.words, spam.threshold) == (state, words, 0.2 if site else 0.5)
    assert (substance.state, substance.threshold) == ("none", None)


def test_the_threshold_that_held_the_comment_counts_for_its_label() -> None:
    [spam, hate] = bars({"spam": 0.3, "hate": 0.3}, POLICY, None, "spam >= 0.25")
    assert (spam.state, hate.state) == ("over", "under")


def test_a_language_that_the_model_does_not_know_is_named() -> None:
    assert [not_judged(code, POLICY) for code in ("en", "und", "ru", "xx")] == [None, None, "Russian", "xx"]


def test_differences_are_bounded() -> None:
    found = differences("one two three", "one 2 three " + "word " * 100_000)
    assert [(one.shown, one.differs) for one in found[:3]] == [
        ("one ", False),
        ("2", True),
        (" three", False),
    ]
    assert sum(len(one.shown) for one in found) < 2000


def test_an_escalated_comment_is_in_nobody_elses_queue_and_has_a_filter(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys="the-machine-of-the-newspaper") as client:
        client.headers["X-API-Key"] = "the-machine-of-the-newspaper"
        take(client, "spam one", *(OFFER.format(one, at) for at, one in enumerate(("sister", "mother"))))
        keys = {
            name: client.post("/v1/keys", json={"name": name, "role": "moderator"}).json()["key"]
            for name in ("ann", "ben", "cleo")
        }

        def queue(name: str, path: str = "/console?sort=oldest") -> list[int]:
            client.headers["X-API-Key"] = keys[name]
            found = shown(client, path)
            client.post("/v1/queue/release", json={}).raise_for_status()
            return found

        alone, one, other = 1, 2, 3
        assert queue("ann") == [alone, one]
        for comment in (alone, other):
            sent = {"to": "person:ben", "note": "is this libel?"}
            client.post(f"/v1/comments/{comment}/escalation", json=sent).raise_for_status()
        assert queue("ann") == queue("cleo") == [one]
        assert page(client).css_first(".card").attributes.get("data-copies") in (None, "1"), (
            "one copy is left"
        )
        client.post("/v1/queue/release", json={}).raise_for_status()
        assert queue("ben", "/console?kind=escalated&sort=oldest") == [alone, other]
        assert "is this libel?" in page(client, "/console?kind=escalated").css_first(".card").text()
        options = {one.attributes["value"]: one.text() for one in page(client).css("[name=kind] option")}
        assert options["escalated"] == "Escalated to me (2)"
        assert queue("cleo", "/console?kind=escalated") == []
