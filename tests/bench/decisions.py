"""Key presses, page loads and time of 100 decisions: ``python -m tests.bench.decisions [--checkout DIR]``.

A queue of 100 comments with two campaigns is decided in Chromium by keyboard alone. ``--checkout`` is a folder with
version 0.7.0, whose console is then measured with the packages of this environment.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from tests.support.browser import chromium
from tests.support.hands import Keyboard
from tests.support.invented import offer, ordinary, rumour
from tests.support.waiting import until

_SERVE = """
import sys, uvicorn
try:
    from belowline.serve.server.app import create_app
    from tests.support.serve_fakes import fake_scorer
except ImportError:  # 0.7.0
    from belowline.serve.app import create_app
    from tests.serve_fakes import fake_scorer
from belowline.serve.settings import Settings
settings = Settings(database_url=sys.argv[1], port=int(sys.argv[2]))
uvicorn.run(create_app(settings, fake_scorer()), port=settings.port, log_level="warning")
"""
_DUTIES = (
    ("offer", 12),
    ("chain", 8),
    ("together", 4),
    ("reason", 8),
    ("slip", 4),
    ("fine", 32),
    ("bad", 32),
)
"""Groups of comments, each with its number, in the order of arrival."""
_KEYS = {
    **{"fine": ("f",), "bad": ("d",), "slip": ("f", "u", "d"), "reason": ("d2",)},
    **{"offer": ("d1",), "chain": ("d1",), "together": ("xjxjxjxd1",)},
}
_KEYS_BEFORE = _KEYS | {"reason": ("d",), "offer": ("d",), "chain": ("d",), "together": ("xjxjxjxd",)}
"""Keys for a comment of each group. 0.7.0 shows the copies of a campaign one by one."""
_REASON_BEFORE = {"reason": "hat"}
"""The beginning of the reason that must be chosen in the list, because the card preselects another one."""


def _comments() -> list[dict[str, Any]]:
    """The 100 comments, in the order of their arrival."""
    names = [(group, at) for group, number in _DUTIES for at in range(number)]
    campaigns = {"offer": offer, "chain": partial(rumour, label="spam")}
    return [
        {
            "id": f"{group}{at}",
            "text": campaigns[group](at) if group in campaigns else ordinary(f"{group}{at}", "toxicity"),
            "author": {"id": f"{group}{at}"},
        }
        for group, at in names
    ]


def main() -> None:
    """Measure this version, and the other one if it is given, in turns; print a table of medians."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--checkout", type=Path, help="a folder with version 0.7.0")
    asked.add_argument("--rounds", type=int, default=3, help="passes through the queue; default: 3")
    given = asked.parse_args()
    versions = {"this version": Path.cwd()} | ({"0.7.0": given.checkout} if given.checkout else {})
    found: dict[str, list[dict[str, float]]] = {name: [] for name in versions}
    with chromium() as browser:
        for _ in range(given.rounds):
            for name, checkout in versions.items():
                found[name].append(measure(browser, checkout))
    table = Table("100 decisions", *found)
    for figure in ("cards", "keys", "pages", "requests", "seconds"):
        table.add_row(figure, *(f"{median(one[figure] for one in rounds):.0f}" for rounds in found.values()))
    Console().print(table)


def measure(browser: Any, checkout: Path) -> dict[str, float]:
    """Return the counts and the seconds of one pass through the queue of a version."""
    before = not (checkout / "tests" / "support").is_dir()
    with _served(checkout) as service:
        service.post(
            "/v1/comments", json={"site": "paper.example", "comments": _comments()}
        ).raise_for_status()
        groups = {str(one["id"]): _group(one["caller_id"]) for one in _stored(service)}
        hands, requests = Keyboard(browser, str(service.base_url)), []
        hands.page.on("request", lambda request: requests.append(request.url))
        hands.page.goto("/console")
        begin = time.perf_counter()
        _decide_all(hands, groups, before=before)
        seconds = time.perf_counter() - begin
        counts, cards = hands.counts(), hands.page.locator(".card").count()
        hands.context.close()
        _check(service)
    counted = {"cards": cards, "keys": counts["keys"], "pages": counts["pages"], "requests": len(requests)}
    return counted | {"seconds": seconds}


def _decide_all(hands: Keyboard, groups: dict[str, str], *, before: bool) -> None:
    """Decide every comment of the queue with keys."""
    page, keys = hands.page, _KEYS_BEFORE if before else _KEYS
    while _loaded(page):
        card = page.locator(".card:not(.done)").first
        group = groups[card.get_attribute("data-comment")]
        if before and group in _REASON_BEFORE:
            hands.choose(card.locator("[name=code]"), _REASON_BEFORE[group])
            page.keyboard.press("Shift+Tab")  # in the list, d would choose an entry
        for burst in keys[group]:
            done = page.locator(".card.done").count()
            for key in burst:
                page.keyboard.press(key)
            until(lambda done=done: page.locator(".card.done").count() != done)


def _loaded(page: Any) -> int:
    """Wait until no more cards are loading; returns the number of open ones."""
    until(lambda: not page.inner_text("#new").startswith("loading"))
    return int(page.locator(".card:not(.done)").count())


@contextmanager
def _served(checkout: Path) -> Iterator[httpx.Client]:
    """Yield a client of the service of a checkout, with a new store and a scorer for tests."""
    with TemporaryDirectory() as folder, socket.socket() as free:
        package = Path(folder) / "belowline"
        package.mkdir()
        for name in ("data", "model", "serve"):
            (package / name).symlink_to(checkout.resolve() / name)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-c", _SERVE, f"sqlite:///{folder}/queue.sqlite3", str(port)]
        path = os.pathsep.join((folder, str(checkout)))
        process = subprocess.Popen(command, cwd=checkout, env=os.environ | {"PYTHONPATH": path})
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
                until(lambda: _answers(client))
                yield client
        finally:
            process.terminate()
            process.wait()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def _stored(service: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.get("/v1/comments", params={"limit": 200}).json()["items"]
    return found


def _group(name: str) -> str:
    return name.rstrip("0123456789")


def _check(service: httpx.Client) -> None:
    """Fail unless every comment has the decision that was meant."""
    last = {}
    for line in service.get("/v1/decisions").text.splitlines():
        row = json.loads(line)
        last[row["caller_id"]] = (row["action"], row["code"])
    codes = {"reason": "hate_speech", "offer": "spam", "chain": "spam", "together": "spam"}
    assert last == {
        one["id"]: ("publish", "none")
        if (group := _group(one["id"])) == "fine"
        else ("reject", codes.get(group, "toxicity"))
        for one in _comments()
    }


if __name__ == "__main__":
    main()
