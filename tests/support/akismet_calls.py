"""Calls of Akismet's protocol and checks of their answers."""

import json
import re
from typing import Any

import httpx
from fastapi.testclient import TestClient

from tests.support.serve_fakes import KEY

THANKS = "Thanks for making the web a better place."
ADMIN = {"X-API-Key": KEY}
SECRET = "do-not-quote-me"
MARKS = ("x-akismet-debug-help", "x-akismet-error", "x-akismet-alert-code", "x-akismet-pro-tip")
GUID = re.compile("[0-9a-f]{32}")


def said(answer: httpx.Response, text: str, **headers: str) -> None:
    """Check an answer: the text, and exactly these of Akismet's headers."""
    assert (answer.status_code, answer.text) == (200, text)
    assert answer.headers["Content-Type"].startswith("text/plain")
    found = {name: answer.headers[name] for name in MARKS if name in answer.headers}
    assert found == {f"x-akismet-{name.replace('_', '-')}": value for name, value in headers.items()}


def guid(answer: httpx.Response) -> str:
    """Return the guid in the answer."""
    named: str = answer.headers["X-akismet-guid"]
    assert GUID.fullmatch(named)
    return named


def refused(answer: httpx.Response, *words: str) -> None:
    """Check that a call is refused with a reason that does not quote the comment; a check's answer has a guid too."""
    assert (answer.status_code, answer.text) == (200, "invalid")
    assert answer.request.url.path != "/1.1/comment-check" or guid(answer)
    assert all(word in answer.headers["X-akismet-debug-help"] for word in words)
    assert SECRET not in str(answer.headers)


def kept(client: TestClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/comments", headers=ADMIN).json()["items"]
    return found


def made(client: TestClient, name: str, *sites: str, role: str = "service", **more: Any) -> str:
    """Create a key and return it."""
    body = {"name": name, "role": role, "sites": list(sites), **more}
    return str(client.post("/v1/keys", json=body, headers=ADMIN).json()["key"])


def decisions(client: TestClient) -> list[tuple[str, str, str]]:
    """Return via, action and code of every decision, oldest first."""
    lines = client.get("/v1/decisions", headers=ADMIN).text.splitlines()
    rows = [json.loads(line) for line in lines]
    return [(row["via"], row["action"], row["code"]) for row in rows]
