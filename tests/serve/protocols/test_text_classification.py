"""Text classification in the format of text-embeddings-inference: shapes, limits, errors, and Discourse's call."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from tests.support.any_json import ANY_JSON
from tests.support.serve_fakes import KEY, LABELS, client_of, served


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client_of(tmp_path_factory.mktemp("predict")) as one:
        yield one


def predict(client: TestClient, inputs: Any, **more: Any) -> httpx.Response:
    return client.post("/predict", json={"inputs": inputs, **more})


def check_error(answer: httpx.Response, status: int, kind: str) -> None:
    assert answer.status_code == status, answer.text
    error = answer.json()
    assert set(error) == {"error", "error_type"}
    assert error["error_type"] == kind
    assert error["error"]


def test_one_text_gets_its_labels_the_likeliest_first(client: TestClient) -> None:
    found = predict(client, "a threat").json()
    assert found[0] == {"label": "threat", "score": 0.9}
    assert {one["label"] for one in found} == set(LABELS)
    assert predict(client, ["a threat"]).json() == found


def test_a_list_of_two_is_a_pair_and_a_list_of_lists_a_batch(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        pair = predict(client, ["a threat", "spam"]).json()
        batch = predict(client, [["a threat"], ["spam"], ["fine", "hate"]]).json()
        calls = client.app.state.service.pipeline.scorer.calls  # type: ignore[attr-defined]
    assert [one["label"] for one in pair][:1] == ["threat"], "the second of a pair is what the first answers"
    assert [found[0]["label"] for found in batch][:2] == ["threat", "spam"]
    assert (calls[0][0].text, calls[0][0].parent) == ("a threat", "spam")
    read = [(one.text, one.parent) for call in calls[1:] for one in call]
    assert sorted(read, key=str) == [("a threat", None), ("fine", "hate"), ("spam", None)]


def test_raw_scores_are_log_odds(client: TestClient) -> None:
    raw = {one["label"]: one["score"] for one in predict(client, "spam", raw_scores=True).json()}
    assert raw["spam"] == pytest.approx(math.log(9))
    assert raw["hate"] == pytest.approx(math.log(0.01 / 0.99))


def test_what_makes_no_difference_is_taken(client: TestClient) -> None:
    answer = predict(client, "spam", truncate=True, truncation_direction="Left", prompt_name=None)
    assert answer.json() == predict(client, "spam").json()


@pytest.mark.parametrize(
    "inputs", ["", " ", [], [""], ["a", ""][::-1], ["a", "b", "c"], [[]], [["a"], []], [["a"]] * 257]
)
def test_inputs_that_cannot_be_classified_are_refused(client: TestClient, inputs: Any) -> None:
    check_error(predict(client, inputs), 413, "Validation")


@pytest.mark.parametrize("inputs", [7, None, {}, [7], [None, None], [["a"], "b"], [[["a"]]]])
def test_inputs_of_another_form_are_refused(client: TestClient, inputs: Any) -> None:
    check_error(predict(client, inputs), 422, "Tokenizer")


def test_failures_have_the_servers_own_names(client: TestClient) -> None:
    check_error(predict(client, "explode"), 424, "Backend")
    check_error(predict(client, [["fine"], ["explode"]]), 424, "Backend")
    check_error(client.post("/predict", content=b"{"), 422, "Tokenizer")
    check_error(client.get("/predict"), 405, "Validation")
    check_error(predict(client, "fine " * 10_000), 413, "Validation")


def test_over_capacity_and_without_a_key(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        check_error(predict(client, "fine"), 401, "Unauthorized")
        check_error(client.get("/info"), 401, "Unauthorized")
        assert client.get("/health").status_code == 200
        client.headers["X-API-KEY"] = KEY
        client.app.state.service.score_queue.queued = 1024  # type: ignore[attr-defined]
        check_error(predict(client, "fine"), 429, "Overloaded")


def test_info_tells_the_labels(client: TestClient) -> None:
    info = client.get("/info").json()
    assert info["model_type"]["classifier"]["id2label"] == {str(n): label for n, label in enumerate(LABELS)}
    assert info["model_type"]["classifier"]["label2id"]["spam"] == 0
    assert info["max_client_batch_size"] == 256
    assert info["max_input_length"] == 20_480


def test_health_tells_when_it_is_not(tmp_path: Path) -> None:
    with client_of(tmp_path) as client:
        assert (client.get("/health").status_code, client.get("/health").content) == (200, b"")
        client.app.state.service.score_queue._closing = True  # type: ignore[attr-defined]
        check_error(client.get("/health"), 503, "Unhealthy")


def test_discourses_call_works(tmp_path: Path) -> None:
    with served(tmp_path, api_keys=KEY) as server:
        headers = {"Content-Type": "application/json", "X-API-KEY": KEY, "Authorization": f"Bearer {KEY}"}
        body = '{"inputs":"a hate post","truncate":true}'
        for path in ("/", "", "/predict"):  # Discourse posts to the address of its setting unchanged
            answer = server.post(path, content=body, headers={**headers, "Referer": "https://forum.example"})
            assert {one["label"]: one["score"] for one in answer.json()}["hate"] == 0.9


@pytest.mark.parametrize("media", ["application/json", "application/json; charset=utf-8", "text/plain", ""])
def test_a_call_of_the_root_is_a_call_of_predict(tmp_path: Path, media: str) -> None:
    headers = {"Content-Type": media, "X-API-KEY": KEY}
    with client_of(tmp_path, api_keys=KEY) as client:
        for content in (
            b'{"inputs": "a threat"}',
            b'{"inputs": [["a"], ["spam"]]}',
            b"{",
            b'{"inputs": ""}',
            b"",
        ):
            at_root, at_predict = (
                client.post(path, content=content, headers=headers) for path in ("/", "/predict")
            )
            assert (at_root.status_code, at_root.json()) == (at_predict.status_code, at_predict.json())
        check_error(client.post("/", content=b"{", headers=headers), 422, "Tokenizer")
        check_error(client.post("/", json={"inputs": "fine"}), 401, "Unauthorized")
        client.app.state.service.score_queue.queued = 1024  # type: ignore[attr-defined]
        check_error(client.post("/", content=b'{"inputs": "a"}', headers=headers), 429, "Overloaded")


def test_the_page_at_the_root_stays(client: TestClient) -> None:
    assert client.get("/").headers["Content-Type"].startswith("text/html")
    filled = client.post("/", data={"text": "a threat"})
    assert (filled.status_code, filled.headers["Content-Type"].partition(";")[0]) == (200, "text/html")


@given(
    body=st.fixed_dictionaries(
        {}, optional={"inputs": ANY_JSON, "raw_scores": ANY_JSON, "truncate": ANY_JSON}
    )
)
def test_whatever_is_sent_gets_an_answer_of_the_protocol(client: TestClient, body: Any) -> None:
    answer = client.post("/predict", json=body)
    if answer.status_code == 413:
        check_error(answer, 413, "Validation")
    elif answer.status_code != 200:
        check_error(answer, 422, "Tokenizer")
