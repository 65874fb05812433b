"""The author's name and website reach the model on every path that has them."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from belowline.model import ScoreInput, Scorer
from belowline.serve import cli
from belowline.serve.active.active import Active
from belowline.serve.queue.comments import load, newest
from belowline.serve.store.database import Database
from belowline.serve.wordpress.sync import Bridge
from tests.support.fake_wordpress import FakeWordPress
from tests.support.serve_fakes import KEY, client_of
from tests.support.sqlite_store import sqlite_url
from tests.support.tiny_model import LABELS, build_tiny_model
from tests.support.xml_exports import entry, item, wxr

TEXT, NAME, URL = "you there", "the link", "https://www.shop.example/zz"
WEIGHTS = {"text": 0.5, "line": 1.0, "shift": 0.5}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that holds every comment as spam."""
    thresholds = {label: {"hold": 0.0 if label == "spam" else None} for label in LABELS}
    directory = tmp_path_factory.mktemp("weighted") / "model"
    return build_tiny_model(directory, author=WEIGHTS, thresholds=thresholds)


@pytest.fixture(scope="module")
def scorer(model: Path) -> Scorer:
    return Scorer.load(model, threads=1)


@pytest.fixture
def client(tmp_path: Path, scorer: Scorer) -> Iterator[TestClient]:
    with client_of(tmp_path, scorer, api_keys=KEY, max_comment_chars=200) as client:
        client.headers["X-API-Key"] = KEY
        yield client


def spam(scorer: Scorer, text: str = TEXT, name: str | None = NAME, url: str | None = URL) -> float:
    [scores] = scorer.score([ScoreInput(text, author=name, author_url=url)])
    return round(scores.probabilities["spam"], 4)


def over_score(client: TestClient) -> float:
    author = {"name": NAME, "url": URL}
    answer = client.post("/v1/score", json={"comments": [{"text": TEXT, "author": author}]})
    return float(answer.json()["results"][0]["scores"]["spam"])


def over_score_into_the_queue(client: TestClient) -> float:
    comment = {"id": "c", "text": TEXT, "author": {"name": NAME, "url": URL}}
    client.post("/v1/score", json={"site": "paper", "comments": [comment]})
    [stored] = client.get("/v1/comments").json()["items"]
    assert stored["author"] is None
    assert URL not in json.dumps(stored)
    return float(stored["probabilities"]["spam"])


def over_comments(client: TestClient) -> float:
    comment = {"id": "c", "text": TEXT, "author": {"id": "u", "name": NAME, "url": URL}}
    answer = client.post("/v1/comments", json={"site": "paper", "thread": {"id": "t"}, "comments": [comment]})
    assert URL not in client.get("/v1/comments").text
    return float(answer.json()["results"][0]["scores"]["spam"])


def over_akismet(client: TestClient, text: str = TEXT) -> float:
    fields = {"api_key": KEY, "blog": "https://paper.example", "comment_content": text}
    client.post("/1.1/comment-check", data=fields | {"comment_author": NAME, "comment_author_url": URL})
    [stored] = client.get("/v1/comments").json()["items"]
    assert stored["author"]["name"] is None
    assert URL not in json.dumps(stored)
    return float(stored["probabilities"]["spam"])


@pytest.mark.parametrize("path", [over_score, over_score_into_the_queue, over_comments, over_akismet])
def test_over_http(path: Callable[[TestClient], float], client: TestClient, scorer: Scorer) -> None:
    assert path(client) == spam(scorer) != spam(scorer, name=None, url=None)


def test_a_text_in_pieces(client: TestClient, scorer: Scorer) -> None:
    text = " ".join([TEXT] * 30)
    assert over_akismet(client, text) == spam(scorer, text)


def test_the_try_page(client: TestClient, scorer: Scorer) -> None:
    fields = {"text": TEXT, "title": "", "author": NAME, "author_url": URL, "key": KEY}
    page = client.post("/", data=fields).text
    found = re.search(r'Spam</th>.*?"number"[^>]*>([\d.]+)<', page, re.DOTALL)
    assert found is not None
    assert found[1] == f"{spam(scorer):.2f}"
    assert f'value="{NAME}"' in page


def test_the_bridge_to_wordpress(tmp_path: Path, scorer: Scorer) -> None:
    paper = FakeWordPress()
    paper.write(1, TEXT, author_name=NAME, author_url=URL, author_email="ann@reader.example")
    with Database.open(sqlite_url(tmp_path / "queue.sqlite3")) as database, paper.remote() as remote:
        list(Bridge(remote, Active(scorer, None, None, database), database, apply=True).round())
        with database.read() as tx:
            [stored] = load(tx, newest(tx, 1))
    assert stored.probabilities["spam"] == spam(scorer)
    asked = [request.url.params.get("_fields", "") for request in paper.requests]
    assert any("author_url" in fields for fields in asked)


@pytest.mark.parametrize("format", ["jsonl", "csv", "wxr"])
def test_an_audit(tmp_path: Path, model: Path, scorer: Scorer, format: str) -> None:
    source, out = tmp_path / f"in.{format}", tmp_path / "out"
    content = {
        "jsonl": json.dumps({"text": TEXT, "author": NAME, "website": URL}) + "\n",
        "csv": f"text,author,author_url\n{TEXT},{NAME},{URL}\n",
        "wxr": wxr(item(entry(TEXT, author=NAME, author_url=URL), title="")),
    }
    source.write_text(content[format], "utf-8")
    assert cli.run(["audit", str(source), "--out", str(out), "--model", str(model), "--processes", "1"]) == 0
    [row] = [json.loads(line) for line in (out / "comments.jsonl").read_text("utf-8").splitlines()]
    assert row["scores"]["spam"] == spam(scorer)
    assert URL not in json.dumps(row)


def test_score(tmp_path: Path, model: Path, scorer: Scorer) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.jsonl"
    source.write_text(f"text,by,site\n{TEXT},{NAME},{URL}\n", "utf-8")
    columns = ["--author-column", "by", "--author-url-column", "site"]
    files = ["--in", str(source), "--out", str(out)]
    assert cli.run(["score", *files, *columns, "--model", str(model)]) == 0
    assert json.loads(out.read_text("utf-8"))["scores"]["spam"] == spam(scorer)


def test_a_blocked_domain_in_the_authors_website(tmp_path: Path, scorer: Scorer) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('labels = []\n[links]\nblocked = ["shop.example"]\n', "utf-8")
    with client_of(tmp_path, scorer, policy=policy) as client:
        comments = [{"text": TEXT, "author": {"url": URL}}, {"text": TEXT}]
        results = client.post("/v1/score", json={"comments": comments}).json()["results"]
    assert [one["reason"]["code"] for one in results] == ["links", "none"]
