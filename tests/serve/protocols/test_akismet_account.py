"""Calls of Akismet's plugin for WordPress and of other hosts, replayed in the format of their sources."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from belowline.serve.protocols.akismet import account as usage
from belowline.serve.store.tables import api_keys, comments
from tests.support.akismet_calls import ADMIN, THANKS, decisions, guid, kept, made, refused, said
from tests.support.serve_fakes import KEY, client_of, client_on

SITE = "paper.example"
PAGE = f"https://{SITE}/2026/11/the-harbour/"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8", "Host": "rest.akismet.com"}
SUBMITTED = {
    "comment_author": "Ann",
    "comment_author_email": "ann@reader.example",
    "comment_author_url": "",
    "comment_content": "spam about <b>pills</b> &amp; more",
    "comment_type": "comment",
    "user_ip": "192.0.2.7",
    "user_agent": "Mozilla/5.0",
    "blog": f"https://{SITE}",
    "blog_lang": "en_US",
    "blog_charset": "UTF-8",
    "permalink": PAGE,
}
CHECK = {
    **SUBMITTED,
    "comment_post_ID": "1",
    "comment_parent": "0",
    "user_ID": "0",
    "referrer": PAGE,
    "akismet_comment_nonce": "failed",
    "POST_ak_hp_textarea": "",
    "POST_ak_js": "1701300000000",
    "HTTP_ACCEPT": "text/html",
    "comment_context[0]": "Uncategorized",
    "callback": f"https://{SITE}/wp-json/akismet/v1/webhook",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestClient]:
    with client_on(request, tmp_path, api_keys=KEY) as client:
        yield client


@pytest.fixture
def key(client: TestClient) -> str:
    return made(client, "blog", SITE, protocol="akismet")


def post(client: TestClient, path: str, key: str, fields: dict[str, str]) -> httpx.Response:
    """Send in the format of the plugin's ``http_post``: the key at the end of a form."""
    return client.post(f"/1.1/{path}", data={**fields, "api_key": key}, headers=FORM)


def test_activation(client: TestClient, key: str) -> None:
    """Order of the settings page: connection, key, account state; then the statistics."""
    assert re.fullmatch("[0-9a-f]{12}", key)
    connected = client.get("/1.1/test", headers={"Host": "rest.akismet.com"})
    assert (connected.status_code, connected.text) == (200, "connected")
    asked = {"key": key, "blog": f"https://{SITE}"}
    said(post(client, "verify-key", key, asked), "valid")
    account = post(client, "get-subscription", key, asked).json()
    assert account["status"] == "active"
    assert {"account_type", "account_name", "account_id", "next_billing_date"} <= account.keys()
    assert account["limit_reached"] is False
    post(client, "comment-check", key, CHECK)
    for interval in ("60-days", "6-months", "all"):
        stats = post(client, "get-stats", key, {**asked, "from": interval}).json()
        assert (stats["spam"], stats["ham"], stats["accuracy"]) == (1, 0, 100.0)
    said(post(client, "deactivate", key, asked), "deactivated")
    said(client.post("/1.1/verify-key", headers={"Host": f"{key}.rest.akismet.com"}), "valid")


def test_numbers_are_those_of_the_key_and_the_interval(client: TestClient, key: str) -> None:
    database = client.app.state.service.database  # type: ignore[attr-defined]
    with database.write() as tx:
        for month, actor, spam in (("2020-02", "blog", 5), ("2020-02", "another", 7)):
            row = {"ham": 3, "missed_spam": 1, "false_positives": 1, "site": SITE}
            tx.execute(usage.usage.insert().values(month=month, actor=actor, spam=spam, **row))
    asked = {"key": key, "blog": f"https://{SITE}"}
    stats = post(client, "get-stats", key, {**asked, "from": "all"}).json()
    month = stats["breakdown"].pop("2020-02")
    assert month == {"spam": 5, "ham": 3, "missed_spam": 1, "false_positives": 1, "da": "2020-02-01"}
    assert (stats["spam"], stats["accuracy"]) == (5, 75.0)
    recent = post(client, "get-stats", key, {**asked, "from": "6-months"}).json()
    assert recent["spam"] == 0
    assert list(recent["breakdown"]) == [f"{datetime.now(UTC):%Y-%m}"]
    refused(post(client, "get-stats", key, {"key": key, "blog": "https://other.example"}), SITE)


def test_a_key_for_akismet_opens_nothing_else(client: TestClient, key: str) -> None:
    headers = {"X-API-Key": key}
    text = {"comments": [{"id": "c1", "text": "fine"}]}
    assert client.post("/v1/score", json=text, headers=headers).status_code == 403
    assert client.get("/v1/comments", headers=headers).status_code == 403
    assert client.post("/v1/moderations", json={"input": "fine"}, headers=headers).status_code == 403
    assert client.post("/predict", json={"inputs": "fine"}, headers=headers).status_code == 403
    asked = {"comment": {"text": "fine"}, "requestedAttributes": {"INSULT": {}}}
    assert client.post(f"/v1alpha1/comments:analyze?key={key}", json=asked).status_code == 403
    assert client.post("/coral/moderate", json={"comment": {"body": "x"}}, headers=headers).status_code == 403
    signed_in = client.post("/console/sign-in", data={"key": key}, follow_redirects=False)
    assert signed_in.status_code in (401, 403)
    refused(post(client, "comment-check", key, {**CHECK, "blog": "https://other.example"}), SITE)


@pytest.mark.parametrize(
    "asked",
    [
        {"role": "service", "sites": []},
        {"role": "service", "sites": ["a", "b"]},
        {"role": "moderator", "sites": ["a"]},
        {"role": "admin"},
    ],
)
def test_a_key_for_akismet_is_a_machines_and_for_one_site(client: TestClient, asked: dict[str, Any]) -> None:
    body = {"name": "blog", "protocol": "akismet", **asked}
    assert client.post("/v1/keys", json=body, headers=ADMIN).status_code == 422


def test_the_console_makes_a_key_for_akismet(client: TestClient) -> None:
    form = {"do": "make key", "name": "blog", "role": "akismet", "sites": SITE}
    page = client.post("/console/keys", data=form, headers=ADMIN)
    found = re.search("<code>([0-9a-f]{12})</code>", page.text)
    assert found
    said(post(client, "verify-key", found[1], {"blog": f"https://{SITE}"}), "valid")
    [row] = client.get("/v1/keys", headers=ADMIN).json()
    assert (row["role"], row["sites"], row["protocol"]) == ("service", [SITE], "akismet")
    assert (
        client.post("/console/keys", data={**form, "name": "b", "sites": ""}, headers=ADMIN).status_code
        == 422
    )


def test_no_key_for_akismet_is_kept_readable(client: TestClient, key: str) -> None:
    with client.app.state.service.database.read() as tx:  # type: ignore[attr-defined]
        assert key not in str(tx.execute(select(api_keys)).all())


def test_the_plugin_recognises_what_it_has_checked(client: TestClient, key: str) -> None:
    """From 5.3.7 on ``comments_match`` compares only guids."""
    first = post(client, "comment-check", key, CHECK)
    said(first, "true")
    assert guid(first) == guid(post(client, "comment-check", key, CHECK))
    other = post(client, "comment-check", key, {**CHECK, "comment_content": "spam again"})
    assert guid(first) != guid(other)
    published = post(client, "comment-check", key, {**CHECK, "comment_content": "fine"})
    said(published, "false")
    for more in (
        {"is_test": "true"},
        {"comment_author": "viagra-test-123"},
        {"user_role": "administrator"},
        {"POST_ak_hp_textarea": "x"},
        {"comment_content": "explode"},
        {"blog": "https://other.example"},
        {"comment_content": "", "comment_author": ""},
    ):
        assert guid(post(client, "comment-check", key, {**CHECK, **more}))
    assert guid(post(client, "comment-check", "0123456789ab", CHECK))
    assert len({guid(one) for one in (first, other, published)}) == 3


def test_a_filled_honeypot_is_true(client: TestClient, key: str) -> None:
    fields = {**CHECK, "comment_content": "fine", "POST_ak_hp_textarea": "I am a program"}
    said(post(client, "comment-check", key, fields), "true")


def test_not_spam_spam_and_recheck(client: TestClient, key: str) -> None:
    """``submit_nonspam_comment`` sends the comment as it was submitted.

    ``check_db_comment`` sends the form that WordPress stored.
    """
    post(client, "comment-check", key, CHECK)
    more = {"comment_ID": "7", "comment_approved": "1", "reporter": "mona", "user_role": ""}
    report = {**SUBMITTED, **more, "comment_check_response": "true"}
    said(post(client, "submit-ham", key, report), THANKS)
    stored = {
        **report,
        "comment_content": "spam about <b>pills</b> & more",
        "recheck_reason": "recheck_queue",
    }
    said(post(client, "comment-check", key, stored), "false")
    said(post(client, "submit-spam", key, report), THANKS)
    said(post(client, "comment-check", key, stored), "true", pro_tip="discard")
    assert [row[:2] for row in decisions(client)][-2:] == [("akismet", "publish"), ("akismet", "reject")]
    assert len(kept(client)) == 1


@pytest.mark.parametrize("field", ["guid", "akismet_guid"])
def test_a_guid_finds_a_comment_whatever_else_has_changed(client: TestClient, key: str, field: str) -> None:
    changed = {"permalink": f"https://{SITE}/?p=1", "comment_author_email": "mona@paper.example"}
    held = guid(post(client, "comment-check", key, CHECK))
    said(post(client, "submit-ham", key, {**CHECK, **changed, field: held}), THANKS)
    said(post(client, "comment-check", key, CHECK), "false")
    assert len(kept(client)) == 1
    fine = {**CHECK, "comment_content": "fine"}
    published = guid(post(client, "comment-check", key, fine))
    said(post(client, "submit-spam", key, {**fine, **changed, field: published.upper()}), THANKS)
    answer = post(client, "comment-check", key, fine)
    said(answer, "true", pro_tip="discard")  # although it was not stored when it was checked
    assert guid(answer) == published


def test_a_guid_of_another_site_or_of_no_shape_finds_nothing(client: TestClient, key: str) -> None:
    held = guid(post(client, "comment-check", key, CHECK))
    elsewhere = made(client, "elsewhere", "other.example", protocol="akismet")
    report = {"blog": "https://other.example", "comment_content": "fine", "user_ip": "192.0.2.9"}
    said(post(client, "submit-ham", elsewhere, {**report, "guid": held}), THANKS)
    for odd in ("x", "0" * 31, "-" * 32, held + "0"):
        said(post(client, "submit-ham", elsewhere, {**report, "guid": odd}), THANKS)
    assert [(one["site"], one["action"]) for one in kept(client)][-1] == (SITE, "hold")
    assert all(one["site"] == "other.example" for one in kept(client)[:-1])


CORAL = {
    "user_ip": "192.0.2.7",
    "referrer": PAGE,
    "user_agent": "Mozilla/5.0",
    "comment_content": "spam <b>here</b>",
    "permalink": "https://stories.example/bridge",
    "comment_author": "ann",
    "comment_type": "comment",
    "comment_date_gmt": "2026-11-25T12:00:00.000Z",
}


@pytest.mark.parametrize("sites", [(SITE,), (SITE, "other.example"), ()])
def test_corals_reports_reach_the_comment_that_is_held(client: TestClient, sites: tuple[str, ...]) -> None:
    """``services/spam`` sends JSON without key and blog, and with the moderator's address.

    The story is on another host than the blog.
    """
    key = made(client, "coral", *sites).lower() if not sites else made(client, "coral", *sites)
    headers = {"X-API-Key": KEY if not sites else key}
    checked = {**CORAL, "blog": f"https://{SITE}"}
    said(client.post("/1.1/comment-check", data=checked, headers=headers), "true")
    report = {**CORAL, "user_ip": "198.51.100.1", "is_test": False}
    answer = client.post("/1.1/submit-ham", json=report, headers=headers)
    if len(sites) == 2:  # the story's site does not belong to the key
        refused(answer, SITE)
        return
    said(answer, THANKS)
    [comment] = kept(client)
    assert (comment["action"], comment["item"]) == ("publish", None)
    said(client.post("/1.1/comment-check", data=checked, headers=headers), "false")


def test_coral_without_addresses(client: TestClient, key: str) -> None:
    """``ipBased: false``"""
    call = {**CORAL, "blog": f"https://{SITE}", "user_ip": "", "api_key": key}
    said(client.post("/1.1/comment-check", data=call), "true")
    said(client.post("/1.1/comment-check", data={**call, "comment_content": "fine"}), "false")


def test_phpbbs_reports_reach_the_comment_that_is_held(client: TestClient, key: str) -> None:
    """phpBB checks a new post without permalink, and reports it with a permalink and with its stored markup."""
    post_ = {"blog": f"https://{SITE}", "user_ip": "192.0.2.7", "comment_type": "forum-post"}
    author = {"comment_author": "ann", "comment_author_email": "ann@reader.example"}
    text = "spam with [b]marks[/b] & a link https://pills.example\nin two lines"
    said(post(client, "comment-check", key, {**post_, **author, "comment_content": text}), "true")
    stored = (
        "<r>spam with <B><s>[b]</s>marks<e>[/b]</e></B> &amp; a link "
        '<URL url="https://pills.example">https://pills.example</URL><br/>\nin two lines</r>'
    )
    report = {**post_, **author, "comment_content": stored, "permalink": f"https://{SITE}/viewtopic.php?p=3"}
    said(post(client, "submit-ham", key, report), THANKS)
    [comment] = kept(client)
    assert (comment["action"], comment["text"]) == ("publish", text)


def test_a_published_comment_that_was_reported_under_another_address(client: TestClient, key: str) -> None:
    """NodeBB: a reply is checked under its topic's address and flagged under its own."""
    reply = {
        "blog": f"https://{SITE}",
        "user_ip": "192.0.2.7",
        "comment_content": "fine",
        "comment_author": "ann",
    }
    reply |= {"comment_author_email": "ann@reader.example", "permalink": f"https://{SITE}/topic/1"}
    said(post(client, "comment-check", key, reply), "false")
    flagged = {**reply, "permalink": f"https://{SITE}/post/3", "user_ip": "198.51.100.1"}
    said(post(client, "submit-spam", key, flagged), THANKS)
    said(post(client, "comment-check", key, reply), "true", pro_tip="discard")


def test_a_report_prefers_the_page_then_the_newest_that_nobody_has_decided(
    client: TestClient, key: str
) -> None:
    anonymous = {"blog": f"https://{SITE}", "comment_content": "spam"}
    pages = [f"https://{SITE}/{number}" for number in range(3)]
    for page in pages:
        said(
            post(client, "comment-check", key, {**anonymous, "permalink": page, "user_ip": "192.0.2.7"}),
            "true",
        )

    def waiting() -> list[str]:
        return [one["thread"]["url"] for one in kept(client) if one["action"] == "hold"]

    for left in (pages[1:], [pages[1]], []):
        page = pages[0] if len(left) == 2 else f"https://{SITE}/moved"
        report = {**anonymous, "permalink": page, "user_ip": "198.51.100.1"}
        said(post(client, "submit-ham", key, report), THANKS)
        assert sorted(waiting()) == left
    assert len(kept(client)) == 3


def test_a_report_never_decides_the_comment_of_another_known_author(client: TestClient, key: str) -> None:
    ann = {**CHECK, "comment_content": "spam"}
    said(post(client, "comment-check", key, ann), "true")
    said(post(client, "submit-ham", key, {**ann, "comment_author_email": "ben@reader.example"}), THANKS)
    assert [one["action"] for one in kept(client)] == ["publish", "hold"]


def test_a_short_text_of_unknown_readers_is_judged_each_time(client: TestClient, key: str) -> None:
    def check(text: str, page: str, address: str) -> str:
        fields = {"blog": f"https://{SITE}", "comment_content": text, "permalink": page, "user_ip": address}
        return post(client, "comment-check", key, fields).text

    report = {"blog": f"https://{SITE}", "permalink": PAGE, "user_ip": "198.51.100.1"}
    long = "spam that is far too long to be written twice by coincidence"
    for text in ("spam", long):
        assert check(text, PAGE, "192.0.2.7") == "true"
        said(post(client, "submit-ham", key, {**report, "comment_content": text}), THANKS)
        assert check(text, PAGE, "192.0.2.7") == "false"
    assert check("spam", PAGE, "192.0.2.8") == "true"
    assert check("spam", f"{PAGE}2", "192.0.2.7") == "true"
    assert check(long, f"{PAGE}2", "192.0.2.8") == "true"  # one approval does not publish all later copies
    good = "a long remark about the harbour that nobody writes twice"
    assert check(good, PAGE, "192.0.2.7") == "false"
    said(post(client, "submit-spam", key, {**report, "comment_content": good}), THANKS)
    assert check(good, f"{PAGE}2", "192.0.2.8") == "true"


def test_an_erased_comment_is_not_recognised_and_nothing_of_it_is_kept(client: TestClient, key: str) -> None:
    held = guid(post(client, "comment-check", key, CHECK))
    [comment] = kept(client)
    assert client.delete(f"/v1/comments/{comment['id']}", headers=ADMIN).status_code == 204
    with client.app.state.service.database.read() as tx:  # type: ignore[attr-defined]
        row = tx.execute(select(comments)).one()
    assert (row.text, row.text_hash, row.signature) == (None, None, None)
    assert held not in row.caller_id
    said(post(client, "submit-ham", key, {**CHECK, "guid": held}), THANKS)
    [new] = kept(client)  # the erased one is not listed
    assert (new["action"], new["id"]) == ("publish", comment["id"] + 1)


def test_a_long_text_is_cut_in_the_console_and_whole_behind_a_link(tmp_path: Path) -> None:
    text = f"begins {'harbour ' * 10_000}spam {'bridge ' * 10_000}ends <script>"
    with client_of(tmp_path, api_keys=KEY) as client:
        key = made(client, "blog", SITE, protocol="akismet")
        said(post(client, "comment-check", key, {**CHECK, "comment_content": text}), "true")
        [comment] = kept(client)
        for address in ("/console", f"/console/comments/{comment['id']}"):
            page = client.get(address, headers=ADMIN).text
            assert len(page) < 60_000
            assert "begins harbour" in page
            assert re.search("<mark[^>]*>spam</mark>", page)
            assert "ends &lt;script&gt;" in page
        whole = client.get(f"/console/comments/{comment['id']}/text", headers=ADMIN)
        assert whole.text == text
        assert whole.headers["Content-Type"].startswith("text/plain")
        assert whole.headers["X-Content-Type-Options"] == "nosniff"
        assert client.get("/console/comments/999/text", headers=ADMIN).status_code == 404
