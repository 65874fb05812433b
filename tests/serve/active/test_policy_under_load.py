"""Two workers on one store while the policy changes.

One second after each change, every path of both workers answers by the new policy.
"""

import http.client
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.served_process import Served, served
from tests.support.waiting import InThreads, until
from tests.support.worker_processes import busy, workers

pytestmark = pytest.mark.slow

CHANGES = 20
LIMIT_S = 1.0
"""Seconds after a change in which an answer may still follow the previous policy."""
WORDS = [word * 3 for word in "abcdefghijklmnopqrstu"]
"""Listed words: policy number N holds word N; odd and even N have different labels."""
EVERY_WORD = " ".join(WORDS)
ODD_WORDS = " ".join(WORDS[1::2])
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


def policy(number: int) -> str:
    label = "spam" if number % 2 else "threat"
    return (
        f'version = "v{number}"\nlabels = ["{label}"]\nunknown_language = "publish"\n'
        f'[thresholds.{label}]\nhold = 1.0\n[words]\nhold = ["{WORDS[number]}"]\n'
    )


def by_rule(body: str) -> int:
    """Return the number of the policy that held the text, from the listed word in the answer."""
    found = re.search(r"listed word \W*(?:#39;)?([a-z]+)", body)
    assert found, body[:2000]
    return WORDS.index(found[1])


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and a function that reads the policy's number from the answer.

    If not ``exact``, the function returns 0 for an even number and 1 for an odd one.
    """

    path: str
    body: str
    headers: Mapping[str, str]
    told: Callable[[http.client.HTTPResponse, str], int]
    exact: bool = False

    def fits(self, told: int, number: int) -> bool:
        return told == (number if self.exact else number % 2)


def likely_to_reject(answer: http.client.HTTPResponse, body: str) -> int:
    scores = {name: one["summaryScore"]["value"] for name, one in json.loads(body)["attributeScores"].items()}
    assert scores["SPAM"] != scores["THREAT"]
    return {scores["SPAM"]: 1, scores["THREAT"]: 0}[scores["LIKELY_TO_REJECT"]]


PATHS = {
    "score": Asked(
        "/v1/score",
        json.dumps({"comments": [{"text": EVERY_WORD}]}),
        JSON,
        lambda _, body: by_rule(body),
        exact=True,
    ),
    "page": Asked("/", urlencode({"text": EVERY_WORD}), FORM, lambda _, body: by_rule(body), exact=True),
    "moderations": Asked(
        "/v1/moderations",
        json.dumps({"input": ODD_WORDS}),
        JSON,
        lambda answer, _: int(answer.headers["X-Belowline-Reasons"] == "banned_word"),
    ),
    "coral": Asked(
        "/coral/moderate",
        json.dumps({"comment": {"body": ODD_WORDS}, "tenantDomain": "coral.example"}),
        JSON,
        lambda _, body: int("SYSTEM_WITHHELD" in body),
    ),
    "akismet": Asked(
        "/1.1/comment-check",
        urlencode(
            {
                "blog": "https://a.example",
                "user_ip": "192.0.2.1",
                "comment_content": ODD_WORDS,
                "is_test": "1",  # only scores: storing a comment reads the policy from the store anyway
            }
        ),
        FORM,
        lambda _, body: {"true": 1, "false": 0}[body],
    ),
    "perspective": Asked(
        "/v1alpha1/comments:analyze",
        json.dumps(
            {
                "comment": {"text": ODD_WORDS},
                "languages": ["en"],
                "requestedAttributes": {"LIKELY_TO_REJECT": {}, "SPAM": {}, "THREAT": {}},
            }
        ),
        JSON,
        likely_to_reject,
    ),
}


@dataclass(frozen=True, slots=True)
class Answer:
    name: str
    begun: float
    ended: float
    told: int


class Callers(InThreads):
    """Threads that call every path without pause.

    Each request has a new connection, which the system gives to either worker.
    """

    def __init__(self, url: str, threads: int) -> None:
        self.answers: list[Answer] = []
        self.failed: list[str] = []
        self._host = url.removeprefix("http://")
        super().__init__(threads)

    def go_on(self, thread: int) -> None:
        while not self.over.is_set():
            for name, path in PATHS.items():
                try:
                    self._ask(name, path)
                except (OSError, AssertionError, KeyError, ValueError) as error:
                    self.failed.append(f"{name}: {error!r}")
            status, body = ask(self._host, "POST", "/predict", json.dumps({"inputs": EVERY_WORD}))
            if status != 200:
                self.failed.append(f"/predict: {status} {body[:200]}")

    def _ask(self, name: str, path: Asked) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=60)
        begun = time.monotonic()
        connection.request("POST", path.path, path.body, dict(path.headers))
        answer = connection.getresponse()
        body = answer.read().decode()
        ended = time.monotonic()
        connection.close()
        assert answer.status in (200, 204), body[:500]
        self.answers.append(Answer(name, begun, ended, path.told(answer, body)))


def ask(host: str, method: str, path: str, body: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, timeout=60)
    connection.request(method, path, body, JSON)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def change(service: Served, number: int) -> float:
    """Activate policy ``number``; return the time of the answer."""
    body = json.dumps({"text": policy(number), "after": number - 1})
    status, text = ask(service.url.removeprefix("http://"), "PUT", "/v1/policy", body)
    assert (status, json.loads(text)["number"]) == (200, number), text
    return time.monotonic()


@dataclass(slots=True)
class Found:
    """Counts of answers while each policy in turn was the newest."""

    answers: int = 0
    late: int = 0
    old: Counter[str] = field(default_factory=Counter)
    longest_s: float = 0.0


def pipeline(answers: list[Answer], spans: list[tuple[int, float, float]]) -> Found:
    """Count answers to requests that began ``LIMIT_S`` or later after a change, and old ones among them by path."""
    found = Found()
    for number, start, end in spans:
        for answer in answers:
            if start <= answer.begun and answer.ended < end:
                old = not PATHS[answer.name].fits(answer.told, number)
                found.answers += 1
                found.late += answer.begun - start >= LIMIT_S
                if old:
                    found.longest_s = max(found.longest_s, answer.begun - start)
                if old and answer.begun - start >= LIMIT_S:
                    found.old[answer.name] += 1
    return found


def test_a_second_after_a_change_no_answer_follows_the_policy_before(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(policy(0), "utf-8")
    settings: dict[str, Any] = {"workers": 2, "policy": file, "coral_answer_ms": 9000}
    spans = []
    with served(tmp_path, "--model", str(tiny_model_dir), settings=settings) as service:
        both = busy(service.url)
        with Callers(service.url, 3) as callers:
            until(lambda: len(callers.answers) > 30 or callers.failed)
            for number in range(1, CHANGES + 1):
                before = workers(service.url)
                start = change(service, number)
                time.sleep(LIMIT_S + 0.5)
                spans.append((number, start, time.monotonic()))
                after = workers(service.url)
                assert all(after[one] > before[one] + 5 for one in both), "both answer"
    found = pipeline(callers.answers, spans)
    print(f"{found}, {len(callers.answers)} answers in all")
    assert callers.failed == []
    assert found.late > CHANGES * len(PATHS)
    assert {one.name for one in callers.answers} == set(PATHS)
    assert found.old == {}
