"""A real server with a real (tiny) model: the same scores through every interface."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from belowline.model import ScoreInput, Scorer
from belowline.serve.scoring.results import Result

pytestmark = pytest.mark.slow

ROWS = [
    {"thread": "t", "title": "The harbour reopens", "id": f"c{number}", "text": text}
    for number, text in enumerate(
        [
            "Thank you, I learned something.",
            "I earn $97 an hour, visit easy-cash-4u.example!!!",
            "שלום עולם",
            "😀😀😀",
            "the link the link " * 300,
            "Ünïcödé wïth\ttabs",
        ]
    )
]
KEY_IN_ADDRESS = "a-key-that-must-not-be-logged"
SERVE = ["-c", "from belowline.serve.cli import main; main()"]


def command(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BELOWLINE_")}
    return subprocess.Popen(
        [sys.executable, *SERVE, *arguments],
        cwd=folder,
        env=environment | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output_of(folder: Path, *arguments: str) -> str:
    process = command(folder, *arguments)
    output, _ = process.communicate(timeout=250)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def server(tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process = command(
        tmp_path_factory.mktemp("served"), "serve", "--port", "0", "--model", str(tiny_model_dir)
    )
    assert process.stdout
    address = None
    for line in process.stdout:
        if found := re.search(r"listens on (http://\S+)", line):
            address = found[1]
            break
    assert address, "the service did not start"
    yield address
    process.send_signal(signal.SIGINT)
    assert process.wait(20) in (0, 130)
    assert KEY_IN_ADDRESS not in process.stdout.read(), "a key was logged"


@pytest.fixture(scope="module")
def service(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=120) as client:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if client.get("/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.05)
        yield client


def test_all_doors_give_the_same_results(service: httpx.Client, tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    model = ("--model", str(tiny_model_dir))

    comments = [{"id": row["id"], "text": row["text"]} for row in ROWS]
    body = {"comments": comments, "article": {"title": ROWS[0]["title"]}}
    over_http = service.post("/v1/score", json=body).raise_for_status().json()["results"]
    columns = ("--article-column", "title")
    output_of(tmp_path, "score", "--in", str(source), "--out", "scores.jsonl", *columns, *model)
    scored = [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()]
    by_score = [{name: row[name] for name in Result.model_fields} for row in scored]
    output_of(tmp_path, "audit", str(folder), "--out", "audit-out", *model)
    audited = [
        json.loads(line) for line in (tmp_path / "audit-out" / "comments.jsonl").read_text().splitlines()
    ]
    by_audit = [{name: row[name] for name in Result.model_fields} for row in audited]
    direct = Scorer.load(tiny_model_dir).score([ScoreInput(row["text"], row["title"]) for row in ROWS])

    assert over_http == by_score == by_audit
    for result, scores in zip(over_http, direct, strict=True):
        assert result["scores"] == {label: round(p, 4) for label, p in scores.probabilities.items()}


def test_one_at_a_time_is_the_same_as_together(service: httpx.Client) -> None:
    together = service.post("/v1/score", json={"comments": [{"text": row["text"]} for row in ROWS]}).json()
    for row, expected in zip(ROWS, together["results"], strict=True):
        alone = service.post("/v1/score", json={"comments": [{"text": row["text"]}]}).json()
        assert alone["results"] == [expected]


def test_nothing_is_reported_to_anybody(tiny_model_dir: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """onnxruntime writes an identifier and a queue of reports into the cache folder unless telemetry is off."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    output_of(tmp_path, "score", "text", "--model", str(tiny_model_dir))
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]


def test_a_held_comment_goes_through_the_queue(service: httpx.Client) -> None:
    comments = [{"id": row["id"], "text": row["text"]} for row in ROWS]
    results = service.post("/v1/score", json={"comments": comments, "site": "paper.example"}).json()[
        "results"
    ]
    held = {one["id"]: one for one in results if one["action"] != "publish"}
    assert held, "the tiny model holds the comment in Hebrew for its language at least"
    items = service.get("/v1/queue").json()["items"]
    assert {one["caller_id"]: as_result(one) for one in items} == held
    for comment_id in held:
        assert service.delete(f"/v1/comments/paper.example:{comment_id}").status_code == 204
    assert service.get("/v1/queue").json()["items"] == []


def as_result(comment: dict[str, Any]) -> dict[str, Any]:
    """Return the stored result of a comment."""
    decision = comment["decision"]
    reason = {
        "code": decision["code"],
        "rule": decision["rule"],
        "label": next(iter(decision["labels"]), None),
    }
    shared = {name: comment[name] for name in ("action", "evidence", "language", "model", "relevance")}
    return {"id": comment["caller_id"], "scores": comment["probabilities"], "reason": reason, **shared}


def test_a_person_tries_the_page(service: httpx.Client) -> None:
    assert "Try a comment" in service.get("/").text
    answered: Any = service.post("/", data={"text": ROWS[1]["text"], "title": ""})
    assert answered.status_code == 200
    assert "Personal attack" in answered.text
    assert service.get("/static/belowline.css").headers["content-type"].startswith("text/css")


def test_what_was_scored_is_counted(service: httpx.Client) -> None:
    service.post("/v1/score", json={"comments": [{"text": "counted"}]})
    metrics = service.get("/metrics").text
    assert "belowline_comments_total{" in metrics
    assert "counted" not in metrics


def test_keys_in_addresses_are_not_logged(service: httpx.Client) -> None:
    """The ``service`` fixture reads the log when the server ends."""
    verified = service.post("/1.1/verify-key", params={"api_key": KEY_IN_ADDRESS})
    body = {"comment": {"text": "fine"}, "requestedAttributes": {"TOXICITY": {}}}
    analysed = service.post("/v1alpha1/comments:analyze", params={"key": KEY_IN_ADDRESS}, json=body)
    assert (verified.status_code, analysed.status_code) == (200, 200)


def test_a_body_that_is_too_large_is_refused(service: httpx.Client) -> None:
    answer = service.post("/v1/score", content=b"x" * 5_000_000, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (413, 413)
