"""OpenAI's moderation: its own client, its shapes and its errors."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from belowline.model import ScoreInput, Scores
from belowline.serve.protocols.moderations import _UNJUDGED as UNJUDGED
from belowline.serve.protocols.moderations import ModerationRequest
from belowline.serve.protocols.text_classification import PredictRequest
from tests.support.any_json import ANY_JSON
from tests.support.client_environments import python_with, run_client
from tests.support.serve_fakes import KEY, FakeScorer, client_of, served

CATEGORIES = {
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
}
CLIENT = """
import sys, openai
base, key = sys.argv[1:]
client = openai.OpenAI(base_url=base + "/v1", api_key=key, max_retries=0)
one = client.moderations.create(input="a hate comment")
assert one.results[0].flagged and one.results[0].categories.hate, one
assert one.results[0].category_scores.hate == 0.9 and one.results[0].category_scores.sexual == 0.0
assert one.model == "omni-moderation-latest" and one.id.startswith("modr-")
assert one.results[0].category_applied_input_types.hate == ["text"]
many = client.moderations.create(model="text-moderation-stable", input=["fine", "a threat and hate", "spam"])
assert [result.flagged for result in many.results] == [False, True, True], many
assert many.results[1].categories.hate_threatening and many.results[1].categories.harassment_threatening
assert not any(value for _, value in many.results[2].categories if value), "spam has no category"
parts = [{"type": "text", "text": "personal_attack"}, {"type": "image_url", "image_url": {"url": "https://x.example/i.png"}}]
both = client.moderations.create(input=parts)
assert len(both.results) == 1 and both.results[0].categories.harassment
raw = client.moderations.with_raw_response.create(input="spam")
assert raw.headers["x-belowline-reasons"] == "spam"
foreign = client.moderations.with_raw_response.create(input=["Guten Morgen", "Guten Morgen, hate", "Guten Morgen, spam"])
assert [result.flagged for result in foreign.parse().results] == [False, True, True], foreign.parse()
assert foreign.headers["x-belowline-reasons"] == "language,hate_speech,spam"
for wrong, error in ((dict(input=""), openai.BadRequestError), (dict(input="explode"), openai.InternalServerError)):
    try:
        client.moderations.create(**wrong)
        raise SystemExit(f"{wrong} was taken")
    except error as problem:
        assert problem.code, problem.response.text
try:
    openai.OpenAI(base_url=base + "/v1", api_key="wrong", max_retries=0).moderations.create(input="x")
    raise SystemExit("a wrong key was taken")
except openai.AuthenticationError as problem:
    assert problem.code == "invalid_api_key"
print("all well")
"""


class Foreign(FakeScorer):
    """A model that detects German in comments with "Guten"."""

    def score(self, comments: Sequence[ScoreInput]) -> list[Scores]:
        return [
            replace(one, language="de") if "Guten" in comment.text else one
            for one, comment in zip(super().score(comments), comments, strict=True)
        ]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(tmp_path_factory.mktemp("moderations")) as one:
        yield one


def moderated(client: TestClient, **body: Any) -> httpx.Response:
    return client.post("/v1/moderations", json=body)


def check_error(answer: httpx.Response, status: int, kind: str, code: str | None = None) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == kind
    assert error["message"]
    assert code in (None, error["code"])


@pytest.mark.slow
def test_openais_own_client_works(tmp_path: Path) -> None:
    python = python_with("openai==3.54.0")
    with served(tmp_path, cast(Any, Foreign()), api_keys=KEY) as server:
        said = run_client([python, "-c", CLIENT, str(server.base_url), KEY])
    assert "all well" in said


def test_every_category_is_in_every_map(client: TestClient) -> None:
    answer = moderated(client, input=["fine", "a threat"])
    first, second = answer.json()["results"]
    for name in ("categories", "category_scores", "category_applied_input_types"):
        assert set(first[name]) == CATEGORIES
    assert set(UNJUDGED) == set(answer.headers["X-Belowline-Unjudged"].split(","))
    assert {name for name, types in first["category_applied_input_types"].items() if not types} == set(
        UNJUDGED
    )
    assert not any(second["categories"][name] or second["category_scores"][name] for name in UNJUDGED)
    assert (first["flagged"], second["flagged"]) == (False, True)
    assert second["categories"]["harassment/threatening"]
    assert not second["categories"]["hate/threatening"], "a threat to nobody's group"
    assert answer.headers["X-Belowline-Reasons"] == "none,threat"


def test_what_is_held_for_its_language_alone_is_not_flagged(tmp_path: Path) -> None:
    with client_of(tmp_path, cast(Any, Foreign())) as client:
        answer = moderated(client, input=["Guten Morgen", "Guten Morgen, threat", "spam", "fine"])
        own = client.post("/v1/score", json={"comments": [{"text": "Guten Morgen"}]}).json()["results"][0]
    assert [one["flagged"] for one in answer.json()["results"]] == [False, True, True, False]
    assert answer.headers["X-Belowline-Reasons"] == "language,threat,spam,none"
    assert (own["action"], own["reason"]["code"]) == ("hold", "language"), "elsewhere it is held"


def test_antisemitism_is_hate(client: TestClient) -> None:
    [result] = moderated(client, input="antisemitism").json()["results"]
    assert result["categories"]["hate"]
    assert result["category_scores"]["hate"] == 0.9


def test_a_category_follows_the_policys_thresholds(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('labels = ["hate"]\n[thresholds.hate]\nhold = 0.95\n', "utf-8")
    with client_of(tmp_path, policy=policy) as client:
        hate, attack = moderated(client, input=["hate", "personal_attack"]).json()["results"]
    assert (hate["flagged"], hate["categories"]["hate"], hate["category_scores"]["hate"]) == (
        False,
        False,
        0.9,
    )
    assert attack["categories"]["harassment"], (
        "a label that the policy does not hold for has the model's threshold"
    )


@pytest.mark.parametrize(
    "given_input", ["", "  ", [], [""], ["fine", " "], [1, 2], 5, None, {}, [["a"]], [{"type": "x"}]]
)
def test_what_cannot_be_judged_is_refused(client: TestClient, given_input: Any) -> None:
    answer = moderated(client, input=given_input)
    check_error(answer, 400, "invalid_request_error", "invalid_value")
    assert answer.json()["error"]["param"] == "input"


def test_images_alone_are_not_judged(client: TestClient) -> None:
    answer = moderated(client, input=[{"type": "image_url", "image_url": {"url": "https://x.example/i.png"}}])
    check_error(answer, 400, "invalid_request_error")
    assert "images" in answer.json()["error"]["message"]


def test_images_beside_a_text_are_named_as_not_judged(client: TestClient) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x.example/i.png"}}
    answer = moderated(
        client, input=[{"type": "text", "text": "a"}, image, {"type": "text", "text": "threat"}]
    )
    [result] = answer.json()["results"]
    assert result["categories"]["harassment/threatening"]
    assert answer.headers["X-Belowline-Unjudged"].endswith(",image_url")


@pytest.mark.parametrize("item", [1, {}, None, [1], [1] * 9])
@pytest.mark.parametrize(
    "field", [ModerationRequest.model_fields["input"], PredictRequest.model_fields["inputs"]]
)
def test_of_a_body_full_of_faults_few_are_listed(field: FieldInfo, item: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(field.annotation).validate_python([item] * 1000)
    assert caught.value.error_count() < 5, "each takes a kilobyte, and a body has room for millions"


def test_limits_are_told(client: TestClient) -> None:
    check_error(moderated(client, input=["fine"] * 257), 400, "invalid_request_error", "invalid_value")
    answer = moderated(client, input="fine " * 10_000)
    check_error(answer, 400, "invalid_request_error", "string_above_max_length")
    assert answer.json()["error"]["param"] == "input"
    assert "fine" not in answer.text


def test_bodies_that_are_no_json_are_refused(client: TestClient) -> None:
    for body in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        answer = client.post("/v1/moderations", content=body)
        check_error(answer, 400, "invalid_request_error")
    check_error(client.get("/v1/moderations"), 405, "invalid_request_error")


def test_failures_are_told_and_never_zeros(client: TestClient) -> None:
    check_error(moderated(client, input=["fine", "explode"]), 500, "server_error", "scoring_failed")


def test_over_capacity_it_says_when_to_come_back(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        client.app.state.service.score_queue.queued = 1024  # type: ignore[attr-defined]
        answer = moderated(client, input="fine")
    check_error(answer, 429, "requests", "rate_limit_exceeded")
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_key_is_asked_for(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        check_error(moderated(client, input="fine"), 401, "invalid_request_error", "invalid_api_key")
        made = client.post("/v1/keys", json={"name": "m", "role": "admin"}, headers={"X-API-Key": KEY})
        with_key = {"Authorization": f"Bearer {made.json()['key']}"}
        assert client.post("/v1/moderations", json={"input": "fine"}, headers=with_key).status_code == 200


@given(body=st.fixed_dictionaries({}, optional={"input": ANY_JSON, "model": ANY_JSON, "x": ANY_JSON}))
def test_whatever_is_sent_gets_an_answer_of_the_protocol(client: TestClient, body: Any) -> None:
    answer = moderated(client, **body)
    if answer.status_code != 200:
        check_error(answer, 400, "invalid_request_error")
