"""Published clients of the Perspective API, and Coral's own calls, against a real server."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from tests.support.client_environments import node_with, python_with, run_client
from tests.support.serve_fakes import KEY, served

GOOGLE = """
import json, sys
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

base, key = sys.argv[1:]

def service(key):
    return build("commentanalyzer", "v1alpha1", developerKey=key, static_discovery=False,
                 discoveryServiceUrl=base + "/$discovery/rest?version=v1alpha1").comments()

def refusal(request):
    try:
        request.execute()
    except HttpError as error:
        return [error.status_code, error.reason, error.error_details]

comment = {"text": "\U0001f4a9 Fine. A toxicity!"}
wanted = {"comment": comment, "requestedAttributes": {"TOXICITY": {}}, "spanAnnotations": True,
          "languages": ["en"], "clientToken": "t"}
told = {"comment": comment, "attributeScores": {"TOXICITY": {"summaryScore": {"value": 0.0}}},
        "languages": ["en"], "communityId": "site.example", "clientToken": "c1"}
print(json.dumps({
    "analyzed": service(key).analyze(body=wanted).execute(),
    "told": service(key).suggestscore(body=told).execute(),
    "japanese": refusal(service(key).analyze(body={**wanted, "languages": ["ja"]})),
    "key": refusal(service("wrong").analyze(body=wanted)),
}))
"""
PERSPECTIVE = """
import json, sys
from urllib.error import HTTPError
from perspective import PerspectiveAPI

base, key = sys.argv[1:]
client = PerspectiveAPI(key)
client.api_client.url = base + "/v1alpha1/{endpoint}"
scores = client.analyze_comment("a toxicity", context=[{"text": "News"}], languages=["en"], client_token="t")
told = client.suggest_score("a spam", {"SPAM": {"summaryScore": {"value": 1.0}}}, community_id="site.example")
try:
    client.analyze_comment("text", requested_attributes={"FLIRTATION": {}})
except HTTPError as error:
    refused = json.load(error)
print(json.dumps({"scores": scores, "told": told, "refused": refused}))
"""
PYPERSPECTIVE = """
import json, sys
from PyPerspective import Perspective as module
from PyPerspective.errors import InvalidAuthKey

base, key = sys.argv[1:]
module.base_url = base + "/v1alpha1/comments:analyze"
try:
    module.Perspective("wrong")
    wrong = "taken"
except InvalidAuthKey:
    wrong = "refused"
client = module.Perspective(key)
comment = client.get_score("a toxicity", tests=["TOXICITY", "SEVERE_TOXICITY"])
print(json.dumps({
    "wrong": wrong, "score": comment["toxicity"].score, "low": comment["severe_toxicity"].score,
    "span": str(comment["toxicity"][0]), "languages": [comment.requests_langs, comment.detected_langs],
}))
"""
NODE = """
const axios = require("axios"), Perspective = require("perspective-api-client");
const [base, key] = process.argv.slice(1);
axios.interceptors.request.use((request) =>
  ({...request, url: request.url.replace("https://commentanalyzer.googleapis.com", base)}));
(async () => {
  const client = new Perspective({apiKey: key});
  const scores = await client.analyze("<b>a profanity</b>", {attributes: ["toxicity", "profanity"]});
  const refused = await client.analyze({comment: {text: "x"}, languages: ["ja"]}, {stripHTML: false}).catch((error) => error);
  const wrong = await new Perspective({apiKey: "wrong"}).analyze("x").catch((error) => error);
  console.log(JSON.stringify({
    scores, refused: [refused.name, refused.message, refused.response.data.error.details[0].errorType],
    wrong: wrong.response.data.error.details[0].reason}));
})();
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    """A real server that requires a key."""
    with served(tmp_path, api_keys=KEY) as client:
        yield client


def run_python(service: httpx.Client, package: str, code: str) -> dict[str, Any]:
    """Return the JSON that ``code`` prints with a published package; ``code`` gets the server's address and a key."""
    return _printed([python_with(package), "-c", code], service)


def _printed(command: list[str | Path], service: httpx.Client, folder: Path | None = None) -> dict[str, Any]:
    base = str(service.base_url).rstrip("/")
    return cast(dict[str, Any], json.loads(run_client([*command, base, KEY], folder)))


def value_of(answer: dict[str, Any], attribute: str = "TOXICITY") -> float:
    return cast(float, answer["attributeScores"][attribute]["summaryScore"]["value"])


def test_google_api_python_client(service: httpx.Client) -> None:
    found = run_python(service, "google-api-python-client==2.202.0", GOOGLE)
    assert value_of(found["analyzed"]) == 0.9
    spans = found["analyzed"]["attributeScores"]["TOXICITY"]["spanScores"]
    assert [(one["begin"], one["end"], one["score"]["value"]) for one in spans] == [
        (0, 8, 0.01),
        (9, 20, 0.9),
    ]
    assert found["analyzed"]["clientToken"] == "t"
    assert found["told"] == {"clientToken": "c1", "detectedLanguages": [], "requestedLanguages": ["en"]}
    status, reason, [detail] = found["japanese"]
    assert (status, reason) == (400, "Attribute TOXICITY does not support request languages: ja")
    assert detail["errorType"] == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert detail["languageNotSupportedByAttributeError"] == {
        "requestedLanguages": ["ja"],
        "attribute": "TOXICITY",
    }
    status, reason, [detail] = found["key"]
    assert (status, detail["reason"]) == (400, "API_KEY_INVALID")
    assert reason == "API key not valid. Please pass a valid API key."


def test_perspective(service: httpx.Client) -> None:
    found = run_python(service, "perspective==1.0.3", PERSPECTIVE)
    assert (value_of(found["scores"]), found["scores"]["clientToken"]) == (0.9, "t")
    assert found["told"]["requestedLanguages"] == []
    assert found["refused"]["error"]["message"] == "Unknown requested attribute: FLIRTATION"


def test_pyperspective(service: httpx.Client) -> None:
    assert run_python(service, "PyPerspective==1.0.4", PYPERSPECTIVE) == {
        "wrong": "refused",
        "score": 0.9,
        "low": 0.01,
        "span": "a toxicity",
        "languages": [["en"], ["en"]],
    }


def test_perspective_api_client_of_npm(service: httpx.Client) -> None:
    folder = node_with("perspective-api-client@3.1.0")
    found = _printed(["node", "-e", NODE], service, folder)
    assert (value_of(found["scores"]), value_of(found["scores"], "PROFANITY")) == (0.01, 0.9)
    assert found["refused"] == [
        "ResponseError",
        "Attribute TOXICITY does not support request languages: ja",
        "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
    ]
    assert found["wrong"] == "API_KEY_INVALID"


def coral(service: httpx.Client, method: str, sent: dict[str, Any]) -> httpx.Response:
    """Send a call in Coral's format: key in the address, compact JSON."""
    content = json.dumps(sent, separators=(",", ":"), ensure_ascii=False).encode()
    headers = {"Content-Type": "application/json", "Accept": "*/*", "User-Agent": "Coral/9.11.8"}
    return service.post(
        f"/v1alpha1/comments:{method}?key={KEY}", content=content, headers=headers, timeout=30
    )


def test_the_calls_of_coral(service: httpx.Client) -> None:
    text = "What a toxicity 💩"
    ids = {
        "url": "https://news.example/story",
        "reply_to_id_Coral_comment_id": "p",
        "Coral_comment_id": "c-7",
    }
    analyze = {
        "comment": {"text": text},
        "languages": ["en"],
        "doNotStore": True,
        "requestedAttributes": {"TOXICITY": {}},
    }
    scored = coral(service, "analyze", analyze)
    assert (scored.status_code, value_of(scored.json())) == (200, 0.9)
    for value in (0, 1):
        told = {
            "comment": {"text": text},
            "context": {"entries": [{"text": json.dumps(ids)}]},
            "attributeScores": {"TOXICITY": {"summaryScore": {"value": value}}},
            "languages": ["EN"],
            "communityId": "Coral:https://news.example",
            "clientToken": "comment:c-7",
        }
        answer = coral(service, "suggestscore", told)
        assert (answer.status_code, answer.json()["clientToken"]) == (200, "comment:c-7")
    erase = "/v1/comments/news.example:c-7"
    codes = [service.delete(erase, headers={"X-API-Key": KEY}).status_code for _ in range(2)]
    assert codes == [204, 404]
