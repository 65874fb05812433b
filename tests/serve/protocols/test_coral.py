"""Coral's external moderation phase, with Coral's exact bytes."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from belowline.model.directory import Thresholds
from belowline.serve.http.throttle import FREE
from belowline.serve.protocols.coral import _answer
from belowline.serve.scoring.reason_codes import CODES
from belowline.serve.scoring.results import Action, Reason, Result
from belowline.serve.store.database import StoreError
from tests.support.any_json import ANY_JSON
from tests.support.client_environments import node_with, run_client
from tests.support.serve_fakes import KEY, FakeScorer, client_of, fake_scorer, served

OLD, NEW = "ssec_of-last-month", "ssec_of-this-month"
WITHHELD = {
    "actions": [{"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"}],
    "status": "SYSTEM_WITHHELD",
}
NODE = """
const { createHmac } = require("crypto");
const [, , base, secret, old] = process.argv;
const call = { action: "NEW", comment: { body: "a hate comment \\u00e9\\ud83d\\ude00", parentID: null },
  author: { id: "u1", role: "COMMENTER" }, story: { id: "s1", url: "https://paper.example/a" }, site: { id: "1" },
  tenantID: "t1", tenantDomain: "paper.example" };
const body = JSON.stringify(call, null, 2);
const signature = [secret, old].map((one) => "sha256=" + createHmac("sha256", one).update(body).digest("hex")).join(",");
fetch(base + "/coral/moderate", { method: "POST", body, redirect: "error", headers: { "Content-Type": "application/json",
  "User-Agent": "Coral Moderation/9.11.8", "X-Coral-Signature": signature } })
  .then(async (answer) => console.log(answer.status, await answer.text()));
"""


def call(text: str, **more: Any) -> bytes:
    parts = {
        "action": "NEW",
        "comment": {"body": text, "parentID": None},
        "author": {"id": "u1", "role": "COMMENTER"},
        "story": {"id": "s1", "url": "https://paper.example/a"},
        "site": {"id": "1"},
        "tenantID": "t1",
        "tenantDomain": "paper.example",
    }
    return json.dumps(parts | more, indent=2, ensure_ascii=False).encode()


def signed(body: bytes, *secrets: str) -> dict[str, str]:
    each = (hmac.new(one.encode(), body, hashlib.sha256).hexdigest() for one in secrets)
    agent = {"Content-Type": "application/json", "User-Agent": "Coral Moderation/9.11.8"}
    return {**agent, "X-Coral-Signature": ",".join(f"sha256={one}" for one in each)}


def moderate(client: TestClient, text: str, query: str = "", **more: Any) -> httpx.Response:
    body = call(text, **more)
    return client.post(f"/coral/moderate{query}", content=body, headers=signed(body, NEW))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(
        tmp_path_factory.mktemp("coral"), coral_secrets=NEW, api_keys=KEY, coral_answer_ms=9000
    ) as one:
        yield one


def test_what_coral_is_told_by_action(client: TestClient) -> None:
    passed = moderate(client, "fine")
    assert (passed.status_code, passed.content) == (204, b"")
    assert moderate(client, "hate").json() == WITHHELD
    assert moderate(client, "spam").json()["actions"] == [
        {"actionType": "FLAG", "reason": "COMMENT_DETECTED_SPAM"}
    ]
    flagged = moderate(client, "profanity")
    assert flagged.json() == {"actions": WITHHELD["actions"]}, (
        "the default policy does not hold for profanity"
    )
    assert moderate(client, "  ").status_code == 204


def test_rejections_say_why_once_the_policy_rejects(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        'automatic_rejection = true\ntrusted_roles = ["staff"]\n[thresholds.hate]\nhold = 0.5\nreject = 0.8\n',
        "utf-8",
    )
    with client_of(tmp_path, policy=policy, coral_secrets=NEW, coral_answer_ms=9000) as client:
        answer = moderate(client, "hate").json()
        trusted = moderate(client, "hate", author={"id": "u2", "role": "STAFF"})
    reason = {"code": "HATE_SPEECH", "detailedExplanation": "hate >= 0.8"}
    assert answer["status"] == "REJECTED"
    assert answer["moderationAction"] == {"status": "REJECTED", "rejectionReason": reason}
    assert trusted.status_code == 204


def test_a_site_has_its_own_policy(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('[sites."paper.example"]\nlabels = ["spam"]\n', "utf-8")
    with client_of(tmp_path, policy=policy, coral_secrets=NEW, coral_answer_ms=9000) as client:
        assert "status" not in moderate(client, "hate").json()
        assert moderate(client, "hate", tenantDomain="other.example").json()["status"] == "SYSTEM_WITHHELD"


def test_a_signature_is_asked_for_and_enough(tmp_path: Path) -> None:
    body = call("hate")
    with client_of(tmp_path, coral_secrets=f"{NEW},{OLD}", api_keys=KEY, coral_answer_ms=9000) as client:
        for secrets in ((NEW,), (OLD,), ("other", OLD), (NEW, "other")):
            assert (
                client.post("/coral/moderate", content=body, headers=signed(body, *secrets)).json()
                == WITHHELD
            )
        wrong = (
            signed(body, "other"),
            signed(body + b" ", NEW),
            {},
            {"X-Coral-Signature": "sha256=é"},
            {"X-API-Key": KEY},
        )
        for headers in wrong:
            encoded = {name: value.encode("latin-1") for name, value in headers.items()}
            answer = client.post("/coral/moderate", content=body, headers=encoded)
            assert answer.status_code == 401
            assert set(answer.json()) == {"error"}


def test_guessing_at_signatures_is_slowed_and_a_right_one_never(tmp_path: Path) -> None:
    body = call("hate")
    with client_of(tmp_path, coral_secrets=NEW, api_keys=KEY, coral_answer_ms=9000) as client:

        def sent(headers: dict[str, str]) -> httpx.Response:
            return client.post("/coral/moderate", content=body, headers=headers)

        assert {sent({}).status_code for _ in range(2 * FREE)} == {401}, "a call without one is no guess"
        failed_keys = [sent(signed(body, f"guess {number}")) for number in range(2 * FREE)]
        assert {one.status_code for one in failed_keys[:FREE]} == {401}
        slowed = [one for one in failed_keys if one.status_code == 429]
        assert slowed
        assert all(int(one.headers["Retry-After"]) > 0 for one in slowed)
        assert sent(signed(body, NEW)).json() == WITHHELD


def test_without_secrets_a_key_is_asked_for(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY, coral_answer_ms=9000) as client:
        assert client.post("/coral/moderate", content=call("hate")).status_code == 401
        assert (
            client.post("/coral/moderate", content=call("hate"), headers={"X-API-Key": KEY}).json()
            == WITHHELD
        )


def test_node_signs_as_we_check(tmp_path: Path) -> None:
    script = node_with() / "coral.js"
    script.write_text(NODE, "utf-8")
    with served(tmp_path, coral_secrets=OLD, api_keys=KEY, coral_answer_ms=9000) as server:
        said = run_client(["node", script, str(server.base_url), NEW, OLD])
    status, _, answer = said.partition(" ")
    assert (status, json.loads(answer)) == ("200", WITHHELD)


def test_a_model_that_hangs_withholds_the_comment(tmp_path: Path) -> None:
    free = threading.Event()
    with client_of(tmp_path, fake_scorer(lambda: free.wait(20) and None), coral_secrets=NEW) as client:
        try:
            assert moderate(client, "fine").json() == WITHHELD
        finally:
            free.set()


def test_whatever_fails_withholds_the_comment(tmp_path: Path) -> None:
    with client_of(tmp_path, coral_secrets=NEW, coral_answer_ms=9000) as client:
        assert moderate(client, "explode").json() == WITHHELD
        assert moderate(client, "fine " * 10_000).json() == WITHHELD
        client.app.state.service.score_queue.queued = 1024  # type: ignore[attr-defined]
        assert moderate(client, "fine").json() == WITHHELD


def test_neither_a_lost_database_nor_a_large_body_lets_a_comment_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> None:
        raise StoreError("gone")

    with client_of(tmp_path, coral_answer_ms=9000) as client:
        monkeypatch.setattr("belowline.serve.http.auth.accounts.any_keys", gone)
        assert moderate(client, "fine").json() == WITHHELD
        assert moderate(client, "fine " * 1_000_000).json() == WITHHELD


def test_a_lone_surrogate_is_read_as_the_replacement_character(tmp_path: Path) -> None:
    with client_of(tmp_path, coral_secrets=NEW, coral_answer_ms=9000) as client:
        for half in (b"\\ud800", b"\\udfff"):  # in JavaScript's notation
            body = call("hate | \u00e9").replace(b"|", half)
            answer = client.post("/coral/moderate", content=body, headers=signed(body, NEW))
            assert answer.json() == WITHHELD, "the signature is that of the body as it was sent"
        read = [one.text for call in client.app.state.service.pipeline.scorer.calls for one in call]  # type: ignore[attr-defined]
    assert read == ["hate \ufffd \u00e9"] * 2


def check_accepted(answer: httpx.Response) -> None:
    """Check that Coral accepts an answer, byte for byte; it ignores invalid answers and publishes."""
    if answer.status_code == 204:
        assert not answer.content
        return
    assert answer.status_code == 200, answer.text
    assert answer.json() != {}
    check_shape(answer.json())


def check_shape(answer: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="comes with check-jsonschema, of the group dev")
    schema = json.loads((Path(__file__).parent / "coral_answer.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(answer)


@pytest.mark.parametrize("rule", ["spam >= 0.62", "listed word 'x'", "\u00e9", ""])
@pytest.mark.parametrize("action", get_args(Action))
@pytest.mark.parametrize("code", CODES)
def test_coral_accepts_every_action_with_every_code(code: str, action: Action, rule: str) -> None:
    reason = Reason(code=code, rule=rule, label=None)
    scores = dict.fromkeys(("spam", "hate"), 0.7)
    result = Result(
        id=None, scores=scores, action=action, reason=reason, evidence=[], language="en", model="1"
    )
    for unheld in ({}, {"spam": 0.5}, {"hate": 0.5}):
        answer = _answer(result, unheld)
        if answer is None:
            assert action == "publish"
        else:
            check_shape(answer)


RULES = """
automatic_rejection = true
trusted_roles = ["staff"]
[thresholds.hate]
hold = 0.5
reject = 0.8
[thresholds.spam]
hold = 0.5
reject = 0.8
[thresholds.toxicity]
hold = 0.5
[links]
max = 1
blocked = ["bad.example"]
[words]
hold = ["geranium"]
reject = ["nasturtium"]
"""


@pytest.mark.parametrize("query", ["", "?format=html"])
def test_coral_accepts_the_answer_of_every_rule_and_every_failure(tmp_path: Path, query: str) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(RULES, "utf-8")
    texts = {
        "fine": None,
        "  ": None,
        "hate": "REJECTED",
        "<p>hate</p>": "REJECTED",
        "spam": "REJECTED",
        "nasturtium": "REJECTED",
        "geranium": "SYSTEM_WITHHELD",
        "toxicity": "SYSTEM_WITHHELD",
        "see https://bad.example/x": "SYSTEM_WITHHELD",
        "https://a.example https://b.example": "SYSTEM_WITHHELD",
        "explode": "SYSTEM_WITHHELD",
        "fine " * 10_000: "SYSTEM_WITHHELD",
        "fine " * 1_000_000: "SYSTEM_WITHHELD",
        "hate <![": "REJECTED",
    }
    with client_of(tmp_path, policy=policy, coral_secrets=NEW, coral_answer_ms=9000) as client:
        for text, status in texts.items():
            answer = moderate(client, text, query)
            check_accepted(answer)
            assert (answer.json().get("status") if answer.content else None) == status, text[:40]
        check_accepted(moderate(client, "hate", query, author={"id": "u2", "role": "STAFF"}))
        client.app.state.service.score_queue.queued = 1024  # type: ignore[attr-defined]
        check_accepted(moderate(client, "fine", query))


def test_coral_accepts_the_answer_that_comes_too_late_for_the_model(tmp_path: Path) -> None:
    free = threading.Event()
    with client_of(tmp_path, fake_scorer(lambda: free.wait(20) and None), coral_secrets=NEW) as client:
        try:
            check_accepted(moderate(client, "fine"))
        finally:
            free.set()


@pytest.mark.parametrize(
    "text", ["hate <![", "<![odd[x]]>hate", "<a " * 6000 + "<b>hate</b>", "hate <!-- <p>"]
)
def test_html_that_is_none_lets_no_comment_pass(client: TestClient, text: str) -> None:
    assert moderate(client, text, "?format=HTML").json() == WITHHELD


def test_a_label_without_a_threshold_never_flags(tmp_path: Path) -> None:
    class Unsure(FakeScorer):
        config = FakeScorer.config.model_copy(
            update={
                "thresholds": {
                    **FakeScorer.config.thresholds,
                    "profanity": Thresholds(hold=None, reject=None),
                }
            }
        )

    scorer: Any = Unsure()
    with client_of(tmp_path, scorer, coral_secrets=NEW, coral_answer_ms=9000) as client:
        assert moderate(client, "profanity").status_code == 204


def test_html_is_read_as_text_with_the_addresses_of_links(tmp_path: Path) -> None:
    with client_of(tmp_path, coral_secrets=NEW, coral_answer_ms=9000) as client:
        text = '<div>ha<b>te</b><br>see <a href="https://a.example/x">here</a> &amp; <a href="https://b.example">https://b.example</a></div>'
        assert moderate(client, text, "?format=html").json() == WITHHELD
        assert (
            moderate(client, '<a href="https://a.example"><img src="x"></a>', "?format=html").status_code
            == 204
        )
        links = "http://www.a.example", "https://b.example/", "https://c.example/y"
        words = "www.a.example", "b.example", "c.example/x"
        moderate(
            client,
            " ".join(f'<a href="{link}">{word}</a>' for link, word in zip(links, words, strict=True)),
            "?format=html",
        )
        shown = [one.text for one in client.app.state.service.pipeline.scorer.calls[-1]]  # type: ignore[attr-defined]
        read = [one.text for one in client.app.state.service.pipeline.scorer.calls[0]]  # type: ignore[attr-defined]
        assert moderate(client, text).status_code == 204, "as plain text the tags part the word"
    assert shown == ["www.a.example b.example c.example/x (https://c.example/y)"]
    assert read == ["hate\nsee here (https://a.example/x) & https://b.example"]


def test_nothing_is_kept(client: TestClient) -> None:
    moderate(client, "hate")
    assert client.get("/v1/comments", headers={"X-API-Key": KEY}).json()["items"] == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"comment": {}}', b'{"comment": {"body": 3}}', b"\xff"]
)
def test_what_is_no_call_of_coral_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/coral/moderate", content=body, headers=signed(body, NEW))
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error"}


@given(
    more=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("comment", "author", "tenantDomain", "story", "x"), ANY_JSON)
    )
)
def test_whatever_is_sent_gets_an_answer(client: TestClient, more: dict[str, Any]) -> None:
    answer = moderate(client, "fine", **more)
    assert answer.status_code in (200, 204, 400, 422), answer.text
