import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from fastapi.testclient import TestClient

from belowline.model import ScoreInput
from belowline.serve.settings import Settings, SettingsError
from tests.support.serve_fakes import KEY, LABELS, FakeScorer, client_of, fake_scorer
from tests.support.store_fakes import lose_tables
from tests.support.waiting import until


@pytest.fixture
def client(tmp_path: Path):
    with client_of(tmp_path) as client:
        yield client


def score(client: TestClient, *texts: str, **more: Any) -> Any:
    return client.post("/v1/score", json={"comments": [{"text": text} for text in texts], **more})


def hold(client: TestClient, site: str, **comments: str) -> Any:
    listed = [{"id": name, "text": text} for name, text in comments.items()]
    return client.post("/v1/score", json={"comments": listed, "site": site})


def test_one_result_for_each_comment_in_order(client: TestClient) -> None:
    answer = client.post("/v1/score", json={"comments": [{"id": "x", "text": "my spam"}, {"text": "fine"}]})
    assert answer.status_code == 200
    assert answer.json() == {
        "results": [
            {
                "id": "x",
                "scores": {label: 0.9 if label == "spam" else 0.01 for label in LABELS},
                "relevance": None,
                "action": "hold",
                "reason": answer.json()["results"][0]["reason"] | {"code": "spam", "label": "spam"},
                "evidence": [{"label": "spam", "start": 3, "end": 7, "strength": 0.8765}],
                "language": "en",
                "model": "9.9.9",
            },
            {
                "id": None,
                "scores": dict.fromkeys(LABELS, 0.01),
                "relevance": None,
                "action": "publish",
                "reason": answer.json()["results"][1]["reason"] | {"code": "none", "label": None},
                "evidence": [],
                "language": "en",
                "model": "9.9.9",
            },
        ],
        "model": "9.9.9",
    }


def test_the_model_is_told_of_article_and_parent(tmp_path: Path) -> None:
    scorer = fake_scorer()
    with client_of(tmp_path, scorer) as client:
        article = {"title": "Harbour", "url": "https://paper.example/1", "text": "It opens.\n\nMore."}
        body = {"comments": [{"text": "Yes", "parent": "Is it so?"}], "article": article}
        answer = client.post("/v1/score", json=body)
    assert scorer.calls == [[ScoreInput("Yes", "Harbour\nIt opens.\n\nMore.", "Is it so?")]]
    assert answer.json()["results"][0]["relevance"] == 0.75


@pytest.mark.parametrize(
    "text", ["😀😀😀", "שלום עולם", "a\x00b\x07c\x1b", "word" * 4000, "\u202eabc", "\ufeffx", "e\u0301"]
)
def test_odd_texts_are_scored(client: TestClient, text: str) -> None:
    assert score(client, text).json()["results"][0]["action"] == "publish"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/score", {"comments": [{"text": "fine"}]}),
        (
            "/v1alpha1/comments:analyze",
            {"comment": {"text": "fine"}, "requestedAttributes": {"TOXICITY": {}}},
        ),
        ("/v1/moderations", {"input": "fine"}),
        ("/predict", {"inputs": "fine"}),
    ],
)
def test_an_answer_that_reads_no_store_takes_no_thread(
    path: str, body: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No thread of the pool is used, because a thread costs more than the rest of a request beside the model.

    FastAPI uses one for each dependency that is not a coroutine.
    """
    taken: list[Any] = []
    with client_of(tmp_path, api_keys=KEY) as client:
        run_sync = anyio.to_thread.run_sync

        async def noted(task: Any, *rest: Any, **named: Any) -> Any:
            taken.append(task)
            return await run_sync(task, *rest, **named)

        # Periodic background tasks would be recorded as well.
        monkeypatch.setattr("belowline.serve.webhooks.sender.run_in_threadpool", run_sync)
        monkeypatch.setattr(anyio.to_thread, "run_sync", noted)
        answer = client.post(path, json=body, headers={"X-API-Key": KEY})
        noticed = [*taken]
    assert answer.status_code == 200
    assert noticed == []


def test_256_comments_are_accepted_and_257_are_not(client: TestClient) -> None:
    assert len(score(client, *["fine"] * 256).json()["results"]) == 256
    assert score(client, *["fine"] * 257).status_code == 422


def test_a_comment_that_cannot_be_scored_is_held(client: TestClient) -> None:
    results = score(client, "fine", "explode", "fine").json()["results"]
    assert [(one["action"], one["reason"]["code"]) for one in results] == [
        ("publish", "none"),
        ("hold", "scoring_failed"),
        ("publish", "none"),
    ]


def test_held_comments_of_a_site_are_queued_once_newest_first(client: TestClient) -> None:
    assert hold(client, "paper.example", a="spam one", b="fine", c="hate two").status_code == 200
    assert hold(client, "paper.example", a="spam one, edited").status_code == 200
    items = client.get("/v1/queue?sort=newest").json()["items"]
    assert [(item["caller_id"], item["text"]) for item in items] == [
        ("c", "hate two"),
        ("a", "spam one, edited"),
    ]
    assert items[1]["site"] == "paper.example"
    assert items[1]["probabilities"]["spam"] == 0.9
    assert (items[1]["decision"]["code"], items[1]["item"]["code"]) == ("spam", "spam")
    assert items[1]["model"] == "9.9.9"
    assert items[1]["decision"]["policy"]
    assert items[1]["item"]["created"].endswith("Z")


def test_the_queue_says_how_relevant_a_held_comment_is(client: TestClient) -> None:
    hold(client, "s", bare="spam")
    comments = [{"id": "under", "text": "spam"}]
    client.post("/v1/score", json={"comments": comments, "site": "s", "article": {"title": "Harbour"}})
    items = client.get("/v1/queue?sort=newest").json()["items"]
    assert [(item["caller_id"], item["relevance"]) for item in items] == [("under", 0.75), ("bare", None)]


def test_without_a_site_nothing_is_kept(client: TestClient) -> None:
    score(client, "spam")
    client.post("/", data={"text": "spam"})
    assert client.get("/v1/queue").json() == {"items": [], "next": None}


def test_the_queue_is_read_in_pages(client: TestClient) -> None:
    hold(client, "s", **{f"c{i}": "spam" for i in range(5)})
    pages, after = [], None
    while True:
        page = client.get("/v1/queue", params={"limit": 2, **({"after": after} if after else {})}).json()
        pages.append([item["caller_id"] for item in page["items"]])
        after = page["next"]
        if after is None:
            break
    assert pages == [["c4", "c3"], ["c2", "c1"], ["c0"]]


def test_a_comment_is_erased_by_site_and_id(client: TestClient, tmp_path: Path) -> None:
    hold(client, "s", **{"a/b c": "spam-that-is-erased", "d": "spam"})
    hold(client, "other", **{"a/b c": "spam"})
    assert client.delete("/v1/comments/s:a%2Fb%20c").status_code == 204
    assert client.delete("/v1/comments/s:a%2Fb%20c").status_code == 404
    items = client.get("/v1/queue?sort=newest").json()["items"]
    assert [(one["site"], one["caller_id"]) for one in items] == [("other", "a/b c"), ("s", "d")]


def test_a_store_that_fails_is_not_silent_and_stops_no_scoring(tmp_path: Path) -> None:
    with client_of(tmp_path, api_keys=KEY) as client:
        client.headers["X-API-Key"] = KEY
        lose_tables(tmp_path)
        answers = [hold(client, "s", a="spam"), client.get("/v1/queue"), client.delete("/v1/comments/s:a")]
        assert [(one.status_code, one.json()["type"]) for one in answers] == [
            (503, "urn:belowline:problem:store-unavailable")
        ] * 3
        assert score(client, "spam").status_code == 200
        ready = client.get("/readyz").json()
    assert (ready["store"], ready["ready"]) == ("unreachable", False)


def test_readiness_follows_the_model(tmp_path: Path) -> None:
    broken = threading.Event()

    def fail_while_broken() -> None:
        if broken.is_set():
            raise RuntimeError

    with client_of(tmp_path, fake_scorer(fail_while_broken)) as client:
        parts = dict.fromkeys(("model", "batcher", "store", "promotion"), "ok")
        assert client.get("/readyz").json() == {
            "ready": True,
            "active_model": "9.9.9",
            "active_policy": 0,
            **parts,
        }
        score(client, "explode")
        assert client.get("/readyz").status_code == 200
        broken.set()
        score(client, "fine")
        assert (client.get("/readyz").status_code, client.get("/readyz").json()["model"]) == (503, "failing")
        broken.clear()
        assert client.get("/readyz").status_code == 200
        assert client.get("/healthz").json() == {"status": "ok"}


def test_a_stopped_batcher_is_not_ready(tmp_path: Path) -> None:
    client = client_of(tmp_path)  # outside a with block its lifespan has not started
    assert client.get("/readyz").json()["batcher"] == "stopped"
    answer = score(client, "fine")
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:belowline:problem:shutting-down")


def test_a_full_queue_is_429_with_retry_after(tmp_path: Path) -> None:
    free = threading.Event()
    scorer = fake_scorer(lambda: free.wait(10) and None)
    with client_of(tmp_path, scorer, queue_comments=256, threads=1) as client, ThreadPoolExecutor(4) as pool:
        service, accepted = client.app.state.service, []
        for number in range(2):  # one call more than the number of model threads
            accepted.append(pool.submit(score, client, "a"))
            until(lambda number=number: len(scorer.calls) > number)
        # Two comments of the next request are handed over ahead, which frees two places.
        for size, queued in ((256, 254), (2, 256)):
            accepted.append(pool.submit(score, client, *["b"] * size))
            until(lambda queued=queued: service.score_queue.queued == queued)
        refused = score(client, "c")
        free.set()
        assert refused.status_code == 429
        assert int(refused.headers["Retry-After"]) >= 1
        assert {one.result().status_code for one in accepted} == {200}


def test_metrics_count_and_hold_no_text(client: TestClient) -> None:
    hold(client, "site-name", secret_id="spam secret-text")
    client.get("/no/such/secret-path")
    client.delete("/v1/comments/site-name:secret_id")
    text = client.get("/metrics").text
    assert 'belowline_comments_total{action="hold",code="spam"} 1.0' in text
    assert 'belowline_requests_total{method="POST",route="/v1/score",status="200"} 1.0' in text
    assert 'belowline_requests_total{method="GET",route="other",status="404"} 1.0' in text
    assert "belowline_batch_comments_sum 1.0" in text
    assert "belowline_queue_comments 0.0" in text
    assert "secret" not in text
    assert "site-name" not in text


def test_two_apps_have_metrics_of_their_own(tmp_path: Path) -> None:
    with client_of(tmp_path) as one, client_of(tmp_path) as other:
        score(one, "spam")
        assert "belowline_comments_total{" not in other.get("/metrics").text


@pytest.mark.parametrize("header", [{"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}])
def test_a_known_key_opens(tmp_path: Path, header: dict[str, str]) -> None:
    with client_of(tmp_path, host="paper.example", api_keys=f"another-long-enough-key,{KEY}") as client:
        client.headers.update(header)
        assert score(client, "fine").status_code == 200
        assert client.get("/v1/queue").status_code == 200
        assert client.get("/metrics").status_code == 200


@pytest.mark.parametrize("header", [{}, {"X-API-Key": KEY[:-1]}, {"Authorization": f"Basic {KEY}"}])
def test_other_keys_do_not(tmp_path: Path, header: dict[str, str]) -> None:
    with client_of(tmp_path, host="paper.example", api_keys=KEY) as client:
        client.headers.update(header)
        answers = [score(client, "x"), client.get("/v1/queue"), client.delete("/v1/comments/s:i")]
        for answer in (*answers, client.get("/metrics")):
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert answer.headers["Content-Type"] == "application/problem+json"
        assert client.get("/readyz").status_code == 200


def test_with_a_key_made_here_host_names_are_not_checked(tmp_path: Path) -> None:
    foreign = {"Host": "rest.akismet.com"}
    with client_of(tmp_path) as client:
        assert client.get("/v1/queue", headers=foreign).status_code == 421
        made = client.post("/v1/keys", json={"name": "a", "role": "admin"}).json()
        with_key = foreign | {"X-API-Key": made["key"]}
        assert client.get("/v1/queue", headers=with_key).status_code == 200
        assert client.get("/v1/queue", headers=foreign).status_code == 401
        assert client.post("/1.1/verify-key", data={"key": made["key"]}, headers=foreign).text == "valid"
        assert client.delete("/v1/keys/1", headers=with_key).is_success
        assert client.get("/v1/queue", headers=with_key).status_code == 421, "no key is asked for again"


@pytest.mark.parametrize(
    ("host", "keys", "reads"),
    [("localhost", {}, 0), ("a.example", {"api_keys": KEY}, 0), ("a.example", {}, 1)],
)
def test_only_a_name_that_is_not_allowed_costs_a_look_at_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, keys: dict[str, str], reads: int
) -> None:
    looked: list[Any] = []
    with client_of(tmp_path, host=host, **keys) as client:
        monkeypatch.setattr(
            "belowline.serve.http.auth.accounts.any_keys", lambda tx: looked.append(tx) or False
        )
        client.get("/healthz")
    assert len(looked) == reads


def test_without_keys_foreign_host_names_are_refused(tmp_path: Path) -> None:
    with client_of(tmp_path, host="evil.example") as client:
        assert client.get("/v1/queue").status_code == 421
        assert client.get("/v1/queue", headers={"Host": "a:b:c]"}).status_code == 421
        assert client.get("/v1/queue", headers={"Host": "localhost:8000"}).status_code == 200
        assert client.get("/v1/queue", headers={"Host": "[::1]:8000"}).status_code == 200
    with client_of(tmp_path, host="inside.example", allowed_hosts="inside.example") as client:
        assert client.get("/v1/queue").status_code == 200


def test_an_open_service_without_keys_is_not_built(tmp_path: Path) -> None:
    from belowline.serve.server.app import create_app

    with pytest.raises(SettingsError, match="refusing to listen"):
        create_app(Settings(host="0.0.0.0"), fake_scorer())


def test_the_schema_lists_every_field(client: TestClient) -> None:
    schema = json.dumps(client.get("/openapi.json").json())
    for name in ("/v1/score", "/v1/queue", "/v1/comments/{reference}", "parent", "evidence"):
        assert name in schema
    assert isinstance(client.app.state.service.pipeline.scorer, FakeScorer)
