"""A minimal WordPress for tests of the sync."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from belowline.serve.active.active import Active
from belowline.serve.wordpress.client import (
    WordPress,
    address_of,
)
from belowline.serve.wordpress.sync import Bridge
from tests.support.serve_fakes import fake_scorer
from tests.support.store_fakes import Desk

SITE, USER, PASSWORD = "https://paper.example", "mona", "pass word of mona"
ROOT = {"namespaces": ["oembed/1.0", "wp/v2"]}


class FakeWordPress:
    """A subset of the REST API below ``/wp-json/``; ``broken`` replaces an answer if it returns one."""

    def __init__(self) -> None:
        self.comments: dict[int, dict[str, Any]] = {}
        self.requests: list[httpx.Request] = []
        self.broken: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        self.waits: list[float] = []

    def write(self, comment: int, text: str, **more: Any) -> None:
        known = {"id": comment, "post": 1, "parent": 0, "author": 0, "author_name": "Ann", "author_email": ""}
        known |= {"date_gmt": "2026-01-02T03:04:05", "content": {"raw": text}, "status": "hold"}
        self.comments[comment] = {**known, "author_ip": "192.0.2.1", "author_user_agent": "Firefox", **more}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.broken(request) or self._answer(request)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path, asked = request.url.path.removeprefix("/wp-json/"), request.url.params
        if not path:
            return httpx.Response(200, json=ROOT)
        if path != "wp/v2/comments":
            one = self.comments[int(path.rpartition("/")[2])]
            one.update(json.loads(request.content) if request.method == "POST" else {})
            return httpx.Response(200, json=one)
        wanted = [int(part) for part in asked.get("include", "").split(",") if part]
        found = [
            one
            for one in self.comments.values()
            if asked["status"] in ("any", one["status"]) and one["id"] in (wanted or self.comments)
        ]
        return httpx.Response(200, json=found, headers={"X-WP-TotalPages": "1"})

    def remote(self, site: str = SITE) -> WordPress:
        transport = httpx.MockTransport(self)
        return WordPress(address_of(site), USER, PASSWORD, transport=transport, wait=self.waits.append)


def rounds(paper: FakeWordPress, desk: Desk, *, apply: bool = True) -> dict[int, str]:
    """Return the outcomes of one round, by WordPress's id."""
    with paper.remote() as remote:
        active = Active(fake_scorer(), None, None, desk.database)
        return {
            step.remote: step.outcome for step in Bridge(remote, active, desk.database, apply=apply).round()
        }
