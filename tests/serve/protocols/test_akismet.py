"""Akismet's protocol: the answer of each call, what it stores and counts, and exact answers true and false."""

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlencode

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from belowline.serve.http.service import Service
from belowline.serve.protocols.akismet import account as usage
from belowline.serve.protocols.akismet import routes as akismet
from belowline.serve.protocols.akismet.messages import site_of
from belowline.serve.queue import recognition
from belowline.serve.scoring.score_queue import QueueFull, ScoreQueue, ScoreQueueClosed
from belowline.serve.store.database import StoreError
from tests.support.akismet_calls import ADMIN, SECRET, THANKS, decisions, guid, kept, made, refused, said
from tests.support.serve_fakes import KEY, client_of, client_on, fake_scorer
from tests.support.store_fakes import Desk, lose_tables
from tests.support.waiting import until

FIELDS = {
    "api_key": KEY,
    "blog": "https://paper.example/news",
    "user_ip": "192.0.2.7",
    "comment_author": "Ann Onym",
    "comment_author_email": "ann@reader.example",
    "permalink": "https://paper.example/news/1",
}
REJECTING = "automatic_rejection = true\n[thresholds.spam]\nhold = 0.5\nreject = 0.8\n"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with client_of(tmp_path, api_keys=KEY) as client:
        yield client


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    with client_on(request, tmp_path, api_keys=KEY) as client:
        yield client


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("shared")
    with client_of(folder, api_keys=KEY, max_comment_chars=500, max_body_bytes=300_000) as client:
        yield client


def call(client: TestClient, name: str = "comment-check", content: str = "", **fields: Any) -> httpx.Response:
    named = FIELDS | ({"comment_content": content} if content else {}) | fields
    return client.post(f"/1.1/{name}", data={key: value for key, value in named.items() if value is not None})


def counted(client: TestClient) -> dict[str, int]:
    """Return the nonzero counts of ``FIELDS``' site."""
    stats = call(client, "get-stats").json()
    return {name: stats[name] for name in usage.COUNTED if stats[name]}


def test_a_key_is_valid_or_not(client: TestClient) -> None:
    said(client.post("/1.1/verify-key", data={"key": KEY, "blog": "https://paper.example"}), "valid")
    said(client.post("/1.1/verify-key", data={"api_key": KEY}), "valid")
    said(client.post("/1.1/verify-key", json={"key": KEY}), "valid")
    said(client.post("/1.1/verify-key", headers={"Authorization": f"Bearer {KEY}"}), "valid")
    said(client.post("/1.1/verify-key", headers={"Host": f"{KEY}.rest.akismet.com:80"}), "valid")
    for body in ({"key": "another-key-of-some-length"}, {"key": ""}, {"blog": "https://paper.example"}, {}):
        refused(client.post("/1.1/verify-key", data=body), "API key")
    refused(client.post("/1.1/verify-key", data={"key": KEY, "blog": "https://"}), "blog")


def test_a_header_goes_before_the_hosts_label(client: TestClient) -> None:
    said(client.post("/1.1/verify-key", headers={"Host": "moderation.paper.example", **ADMIN}), "valid")


def test_a_key_is_for_its_sites_and_for_what_its_role_may(client: TestClient) -> None:
    def made(role: str) -> str:
        body = {"name": role, "role": role, "sites": ["paper.example"]}
        return str(client.post("/v1/keys", json=body, headers=ADMIN).json()["key"])

    service, triage = made("service"), made("triage")
    other = "https://other.example"
    said(call(client, "verify-key", api_key=service), "valid")
    refused(call(client, "verify-key", api_key=service, blog=other), "paper.example")
    refused(call(client, "comment-check", "fine", api_key=service, blog=other), "paper.example")
    refused(call(client, "submit-spam", "fine", api_key=triage), "triage", "report")
    said(call(client, "comment-check", "spam", api_key=triage), "true")
    assert kept(client) == []  # a caller without the permission to ingest only gets an answer
    said(call(client, "comment-check", "spam", api_key=service), "true")
    assert len(kept(client)) == 1


def test_without_keys_whatever_is_sent_will_do(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        said(call(client, "verify-key", api_key="anything"), "valid")
        said(call(client, "comment-check", "fine", api_key=None), "false")
        refused(
            client.post("/1.1/verify-key", headers={"Host": "rest.akismet.com"}), "BELOWLINE_ALLOWED_HOSTS"
        )


def test_what_is_held_is_true_and_waits(client: TestClient) -> None:
    said(call(client, content="fine"), "false")
    said(call(client, content="hate"), "true")
    [comment] = kept(client)
    assert (comment["site"], comment["action"], comment["text"]) == ("paper.example", "hold", "hate")
    assert comment["thread"]["url"] == "https://paper.example/news/1"
    assert comment["item"]["label"] == "hate"
    assert counted(client) == {"spam": 1, "ham": 1}


def test_what_is_rejected_may_be_discarded(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(REJECTING)
    with client_of(tmp_path, api_keys=KEY, policy=policy) as client:
        said(call(client, content="spam"), "true", pro_tip="discard")
        said(call(client, content="hate"), "true")
        said(call(client, content="spam again", is_test="1"), "true", pro_tip="discard")


def test_only_what_is_needed_of_the_author_is_kept(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    more = {"comment_author_url": "https://ann.example", "user_role": "subscriber", "comment_parent": "12"}
    call(client, content="spam", comment_date_gmt="2026-11-25 12:00:00", **more)
    call(client, content="spam too", comment_author_email="ANN@reader.example", **more)
    call(client, content="spam three", comment_author_email=None, comment_author_url=None)
    third, second, first = kept(client)
    assert first["author"]["id"] == second["author"]["id"] != third["author"]["id"]
    assert (second["author"]["name"], second["author"]["role"]) == (None, "subscriber")
    assert (first["parent"], first["written"]) == ("12", "2026-11-25T12:00:00Z")
    everything = json.dumps(kept(client)) + caplog.text
    for secret in ("ann@reader", "ANN@reader", "Ann Onym", "ann.example", "192.0.2.7"):
        assert secret not in everything


@pytest.mark.parametrize(
    ("written", "is_kept"),
    [
        ("2026-11-25T12:00:00.000Z", "2026-11-25T12:00:00Z"),
        ("2026-11-25T14:00:00+02:00", "2026-11-25T12:00:00Z"),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31 23:59:59", None),
        ("yesterday", None),
    ],
)
def test_a_time_is_kept_where_it_is_understood(client: TestClient, written: str, is_kept: str | None) -> None:
    said(call(client, content="spam", comment_date_gmt=written), "true")
    assert kept(client)[0]["written"] == is_kept


def test_the_context_is_the_article(client: TestClient) -> None:
    for name in ("comment_context", "comment_context[]", "comment_context[0]"):
        call(client, content=f"spam {name}", **{name: "bees"})
    assert [comment["relevance"] for comment in kept(client)] == [0.75] * 3
    client.post(
        "/1.1/comment-check", json=FIELDS | {"comment_content": "spam", "comment_context": ["a", "b"]}
    )
    assert kept(client)[0]["relevance"] == 0.75
    call(client, content="spam of none")
    assert kept(client)[0]["relevance"] is None


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"user_role": "administrator", "comment_content": "spam"}, "false"),
        ({"user_role": "editor,administrator", "comment_content": "spam"}, "false"),
        ({"user_role": "editor", "comment_content": "spam"}, "true"),
        ({"comment_author": "viagra-test-123", "comment_content": "fine"}, "true"),
        ({"comment_author": "viagra-test-123", "user_role": "administrator"}, "true"),
        ({"comment_author_email": "Akismet-guaranteed-spam@example.com"}, "true"),
        ({"honeypot_field_name": "url2", "url2": "x", "comment_content": "fine"}, "true"),
        ({"honeypot_field_name": "url2", "url2": "", "comment_content": "fine"}, "false"),
        ({"honeypot_field_name": "url2", "comment_content": "fine"}, "false"),
        ({"comment_author": "spam"}, "true"),
        ({"comment_type": "signup"}, "false"),
        ({"is_test": "true", "comment_content": "spam"}, "true"),
        ({"is_test": "1", "comment_content": "fine"}, "false"),
        ({"is_test": "0", "comment_content": "fine"}, "false"),
        ({"blog": "paper.example", "comment_content": "fine"}, "false"),
    ],
)
def test_what_clients_can_say(client: TestClient, fields: dict[str, str], answer: str) -> None:
    said(call(client, **fields), answer)
    stays = answer == "true" and ("editor" in fields.values() or fields.get("comment_author") == "spam")
    assert len(kept(client)) == stays


def test_tests_leave_no_trace(client: TestClient) -> None:
    call(client, content="spam", is_test="1")
    call(client, comment_author="viagra-test-123")
    said(call(client, "submit-spam", "fine", is_test="1"), THANKS)
    said(call(client, "submit-ham", "fine", comment_author="viagra-test-123"), THANKS)
    assert (kept(client), decisions(client)) == ([], [])
    assert counted(client) == {}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"blog": None, "comment_content": SECRET}, "blog is missing"),
        ({"blog": " ", "comment_content": SECRET}, "blog is missing"),
        ({"blog": "https://", "comment_content": SECRET}, "blog is not the address"),
        ({"blog": "http://[", "comment_content": SECRET}, "blog is not the address"),
        ({"comment_author": None}, "comment_content is missing"),
        ({"comment_author": " ", "comment_content": " \n"}, "comment_content is missing"),
        ({"api_key": SECRET, "comment_content": SECRET}, "API key"),
        ({f"f{number}": "" for number in range(1000)}, "more than 1000 fields"),
    ],
)
def test_what_is_wrong_is_named(shared: TestClient, fields: dict[str, Any], words: str) -> None:
    refused(call(shared, **fields), words)


@pytest.mark.parametrize("field", ["user_ip", "user_agent", "referrer", "permalink", "comment_author_email"])
def test_what_is_optional_may_be_blank_or_missing(client: TestClient, field: str) -> None:
    for number, value in enumerate(("", " ", None)):
        said(call(client, content=f"fine {number}", **{field: value}), "false")
        said(call(client, content=f"spam {number}", **{field: value}), "true")
    assert len(kept(client)) == 3
    said(call(client, "submit-ham", "spam 0", **{field: None}), THANKS)
    assert decisions(client)[-1] == ("akismet", "publish", "none")


def test_a_call_with_a_key_and_a_text_alone(client: TestClient) -> None:
    """A key for one site determines the site."""
    key = made(client, "one", "paper.example")
    bare = {"api_key": key, "comment_content": "spam"}
    said(client.post("/1.1/comment-check", data=bare), "true")
    [comment] = kept(client)
    assert (comment["site"], comment["author"], comment["thread"]) == ("paper.example", None, None)
    two = made(client, "two", "paper.example", "other.example")
    refused(client.post("/1.1/comment-check", data={**bare, "api_key": two}), "blog is missing")


@pytest.mark.parametrize("fields", [{}, {"comment_type": "contact-form"}, {"comment_type": "signup"}])
def test_what_cannot_be_scored_is_held(client: TestClient, fields: dict[str, str]) -> None:
    answer = call(client, content=f"explode {SECRET}", **fields)
    said(answer, "true")
    [comment] = kept(client)
    assert (comment["action"], comment["item"]["code"]) == ("hold", "scoring_failed")
    assert guid(answer)
    said(call(client, content="explode", is_test="1"), "true")
    assert len(kept(client)) == 1
    said(call(client, "submit-spam", "explode again"), THANKS)
    assert decisions(client)[-1] == ("akismet", "reject", "spam")


def test_what_failed_is_scored_when_it_is_checked_again(client: TestClient, monkeypatch: Any) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(ScoreQueue, "submit", full)
        said(call(client, content="fine"), "true")
    said(call(client, content="fine"), "false")
    assert kept(client)[0]["action"] == "publish"


async def full(*_: Any) -> Any:
    raise QueueFull(7)


async def closed(*_: Any) -> Any:
    raise ScoreQueueClosed


async def never(*_: Any) -> Any:
    await asyncio.sleep(60)


@pytest.mark.parametrize("failure", [full, closed, never])
def test_a_model_that_has_no_room_or_time_holds_the_comment(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, failure: Any
) -> None:
    monkeypatch.setattr(ScoreQueue, "submit", failure)
    monkeypatch.setattr(akismet, "SCORING_S", 0.1)
    answer = call(client, content="fine")
    said(answer, "true")
    [comment] = kept(client)
    assert (comment["item"]["code"], comment["text"]) == ("scoring_failed", "fine")
    said(call(client, "submit-ham", "fine"), THANKS)
    said(call(client, "submit-spam", "fine and new"), THANKS)
    assert decisions(client)[-2:] == [("policy", "hold", "scoring_failed"), ("akismet", "reject", "spam")]
    said(call(client, content="fine"), "false")  # a moderator decision remains


def test_a_full_service_keeps_checks_and_reports(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ScoreQueue, "full", True)
    assert client.post("/v1/score", json={"comments": [{"text": "fine"}]}, headers=ADMIN).status_code == 429
    said(call(client, content="fine"), "true")
    said(call(client, "submit-spam", "fine too"), THANKS)
    said(call(client, "verify-key"), "valid")
    assert [comment["text"] for comment in kept(client)] == ["fine too", "fine"]


def test_a_service_that_is_overrun_keeps_nothing_and_publishes_nothing(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScoreQueue, "overrun", True)
    answer = call(client, content="fine")
    said(answer, "true")
    assert guid(answer)
    assert int(answer.headers["Retry-After"]) > 0
    assert call(client, "submit-spam", "fine").status_code == 429
    assert kept(client) == []


def test_a_store_that_takes_too_long_is_not_waited_for(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = Service.ingest

    async def slow(*given: Any, **more: Any) -> Any:
        await asyncio.sleep(0.5)
        return await ingest(*given, **more)

    monkeypatch.setattr(Service, "ingest", slow)
    monkeypatch.setattr(akismet, "ANSWER_S", 0.1)
    answer = call(client, content="hate")
    said(answer, "true")
    until(lambda: len(kept(client)) == 1)
    assert guid(answer)


def test_a_lost_database_publishes_nothing(client: TestClient, tmp_path: Path) -> None:
    lose_tables(tmp_path)
    for text in ("fine", "spam"):
        answer = call(client, content=text)
        said(answer, "true")
        assert guid(answer)
    assert call(client, "submit-spam", "fine").status_code == 503
    assert call(client, "get-stats").status_code == 503


def test_what_is_published_is_not_held_for_a_number_that_is_not_counted(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise StoreError("the database did not keep the change")

    monkeypatch.setattr(usage, "count", fail)
    said(call(client, content="fine"), "false")


def test_an_unforeseen_error_publishes_nothing(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(recognition, "checked", fail)
    answer = call(client, content="fine")
    said(answer, "true")
    assert guid(answer)


def test_strange_addresses_have_their_status(shared: TestClient) -> None:
    assert shared.post("/1.1/unknown").status_code == 404
    wrong = shared.get("/1.1/comment-check")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")
    assert wrong.headers["Content-Type"].startswith("text/plain")


def test_a_body_that_is_too_large_publishes_nothing(shared: TestClient) -> None:
    body = b"comment_content=" + b"x" * 300_000
    for content in (body, iter([body])):
        answer = shared.post("/1.1/comment-check", content=content)
        said(answer, "true")
        assert guid(answer)
    assert shared.post("/1.1/submit-spam", content=body).status_code == 413


LONG = "A harmless sentence about the harbour. "


@pytest.mark.parametrize("hidden_at", [0, 30_000, 39_000])
def test_padding_is_no_way_round(client: TestClient, hidden_at: int) -> None:
    text = LONG * 1000
    said(call(client, content=text), "false")
    padded = text[:hidden_at] + " spam " + text[hidden_at:]
    said(call(client, content=padded), "true")
    [comment] = kept(client)
    assert comment["text"] == padded
    assert comment["item"]["label"] == "spam"
    [span] = comment["evidence"]
    assert padded[span["start"] : span["end"]] == "spam"


def test_a_text_is_read_to_its_last_word_and_across_the_bounds_of_its_pieces(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY, max_comment_chars=500) as client:
        for at in range(3800, 4200, 20):
            said(call(client, content="." * at + "spam" + "." * (8500 - at)), "true")
        said(call(client, content="." * 9000 + "spam"), "true")


def test_a_text_that_takes_too_long_is_held_and_others_have_their_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(akismet, "SCORING_S", 0.5)
    slow = fake_scorer(lambda: time.sleep(0.02))
    with (
        client_of(tmp_path, slow, api_keys=KEY, threads=1, max_body_bytes=4_194_304) as client,
        ThreadPoolExecutor(2) as threads,
    ):
        huge = threads.submit(call, client, content=LONG * 100_000)
        started = time.monotonic()
        while not huge.done():
            said(call(client, content="fine"), "false")
        assert time.monotonic() - started < 8
        said(huge.result(), "true")
        [comment] = kept(client)
        assert comment["item"]["code"] == "scoring_failed"
        assert comment["text"] == LONG * 100_000
        assert "3,900,000 characters" in client.get("/console", headers=ADMIN).text


def test_a_report_is_never_lost_for_its_length(client: TestClient) -> None:
    said(call(client, "submit-spam", LONG * 1000), THANKS)
    said(call(client, content=LONG * 1000), "true", pro_tip="discard")
    said(call(client, "submit-ham", LONG * 1000), THANKS)
    said(call(client, content=LONG * 1000), "false")
    assert len(kept(client)) == 1


def test_reports_become_decisions_once(client: TestClient) -> None:
    call(client, content="spam")
    said(call(client, "submit-ham", "spam"), THANKS)
    said(call(client, "submit-ham", " spam\n"), THANKS)  # the same comment in another layout
    said(call(client, "submit-ham", " spam\n"), THANKS)
    by_reader = [row for row in decisions(client) if row[0] == "akismet"]
    assert by_reader == [("akismet", "publish", "none")]
    said(call(client, content=" spam\n"), "false")  # a moderator decision remains
    said(call(client, "submit-spam", "fine"), THANKS)
    said(call(client, "submit-spam", "fine"), THANKS)
    said(call(client, content="fine", recheck_reason="edit"), "true", pro_tip="discard")
    assert decisions(client)[-1] == ("akismet", "reject", "spam")
    assert counted(client) == {"spam": 2, "ham": 1, "missed_spam": 1, "false_positives": 1}


def test_coral_reports_without_key_or_blog(client: TestClient) -> None:
    body = {"comment_content": "spam", "permalink": "https://story.example/1", "comment_author": "Ann"}
    host = {"Host": f"{KEY}.rest.akismet.com"}
    said(client.post("/1.1/submit-spam", json=body, headers=host), THANKS)
    said(client.post("/1.1/submit-ham", json={"comment_content": "spam"}, headers=ADMIN), THANKS)
    assert [comment["site"] for comment in kept(client)] == ["akismet", "story.example"]
    assert kept(client)[0]["author"] is None
    key = {"name": "coral", "role": "service", "sites": ["coral.example"]}
    own = {"X-API-Key": client.post("/v1/keys", json=key, headers=ADMIN).json()["key"]}
    said(client.post("/1.1/submit-spam", json={"comment_content": "fine"}, headers=own), THANKS)
    assert kept(client)[0]["site"] == "coral.example"


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/json"]
)
def test_json_is_read_whatever_it_is_called(client: TestClient, kind: str | None) -> None:
    body = json.dumps(FIELDS | {"comment_content": "spam", "is_test": True, "comment_parent": 3}).encode()
    headers = {"Content-Type": kind} if kind else {}
    said(client.post("/1.1/comment-check", content=body, headers=headers), "true")
    assert kept(client) == []


@pytest.mark.parametrize(
    ("text", "codec", "declared", "type_says"),
    [
        ("spam für", "utf-8", None, None),
        ("spam für", "latin-1", "ISO-8859-1", None),
        ("spam für", "latin-1", None, "windows-1252"),
        ("spam für", "utf-8", "ISO-8859-1", None),  # scripts send UTF-8 whatever the blog's charset is
        ("spam привет", "koi8-r", "KOI8-R", "utf-8"),
        ("spam 今日は", "euc-jp", "euc-jp", None),
    ],
)
def test_a_comment_survives_its_encoding(
    client: TestClient, text: str, codec: str, declared: str | None, type_says: str | None
) -> None:
    form = urlencode({**FIELDS, "blog_charset": declared or ""}) + "&comment_content="
    headers = {
        "Content-Type": "application/x-www-form-urlencoded" + (f"; charset={type_says}" if type_says else "")
    }
    escaped = form + quote_plus(text, encoding=codec)
    for body in (escaped.encode(), form.encode() + text.encode(codec)):
        said(client.post("/1.1/comment-check", content=body, headers=headers), "true")
    assert [comment["text"] for comment in kept(client)] == [text]


@pytest.mark.parametrize("charset", ["", "hex", "idna", "punycode", "undefined", "utf-16", "no such", "a\0b"])
def test_undecodable_bytes_are_marked(client: TestClient, charset: str) -> None:
    form = urlencode({**FIELDS, "blog_charset": charset}).encode()
    said(
        client.post("/1.1/comment-check", content=form + b"&comment_content=spam+%ff+\xfe%zz&=x&&%00"), "true"
    )
    assert kept(client)[0]["text"] == "spam \ufffd \ufffd%zz"


@pytest.mark.parametrize(
    "body",
    [
        b'{"comment_content": "spam',
        b"{}",
        b"{" * 100_000,
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[1]",
        b"null",
        b"\x00",
        b"%",
        b"&" * 250_000,
        b"=" * 1000,
        b"--boundary\r\nContent-Disposition: form-data; name=api_key\r\n\r\nx",
    ],
)
def test_hostile_bodies_are_refused(shared: TestClient, body: bytes) -> None:
    refused(shared.post("/1.1/comment-check", content=body))


def test_odd_characters_are_kept(client: TestClient) -> None:
    body = json.dumps(
        {**FIELDS, "comment_content": "spam \ud800 \x00 \U0001f600", "permalink": "a\x00\udfff"}
    )
    said(client.post("/1.1/comment-check", content=body), "true")
    assert kept(client)[0]["text"] == "spam \ufffd \ufffd \U0001f600"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["comment-check", "submit-spam", "submit-ham", "verify-key"]),
    field=st.sampled_from(
        [
            *FIELDS,
            "comment_content",
            "comment_context",
            "comment_date_gmt",
            "honeypot_field_name",
            "blog_charset",
        ]
    ),
    value=ANY_JSON,
)
def test_any_value_of_a_field_is_answered(shared: TestClient, name: str, field: str, value: Any) -> None:
    body = json.dumps({**FIELDS, "comment_content": "fine", field: value})
    answer = shared.post(f"/1.1/{name}", content=body)
    assert answer.status_code == 200
    assert answer.text in ("true", "false", "valid", "invalid", THANKS)
    assert ("X-akismet-debug-help" in answer.headers) == (answer.text == "invalid")


@settings(max_examples=60)
@given(body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "text/x; charset=gbk"]))
def test_any_bytes_are_answered(shared: TestClient, body: bytes, kind: str) -> None:
    headers = {**ADMIN, "Content-Type": kind}
    answer = shared.post("/1.1/comment-check", content=body, headers=headers)
    assert answer.status_code == 200
    assert answer.text in ("true", "false", "invalid")


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("https://Paper.example:8443/news?a#b", "paper.example"),
        ("paper.example/news", "paper.example"),
        ("https://ann:secret@paper.example", "paper.example"),
        ("https://münchen.example", "xn--mnchen-3ya.example"),
        ("http://[::1]:80/", "1"),
        ("http://a..b/", "a..b"),
        ("http://" + "x" * 300, "x" * 100),
        ("http://[", ""),
        ("http://-.-/", ""),
        ("/1", ""),
    ],
)
def test_a_site_is_named_by_its_host(address: str, site: str) -> None:
    assert site_of(address) == site


def test_counts_are_by_month_key_and_site(desk: Desk) -> None:
    for actor, site, what in (
        ("a", "s", "spam"),
        ("a", "s", "ham"),
        ("a", "t", "missed_spam"),
        ("b", "s", "spam"),
    ):
        desk.do(usage.count, actor, site, what)
    month = usage.this_month()
    assert [tuple(row) for row in desk.see(usage.by_month, "a", "s", month)] == [(month, 1, 1, 0, 0)]
    assert [tuple(row) for row in desk.see(usage.by_month, "a", "t", "")] == [(month, 0, 0, 1, 0)]
    assert desk.see(usage.by_month, "a", "s", "9999-01") == []


def test_a_comments_way_on_both_databases(either: TestClient) -> None:
    named = {"content": "spam \x00", "permalink": "https://p.example/\x00" + "x" * 900}
    said(call(either, **named), "true")
    said(call(either, "submit-ham", **named), THANKS)
    assert decisions(either)[-1] == ("akismet", "publish", "none")
    assert counted(either)["false_positives"] == 1
