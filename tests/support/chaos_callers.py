"""Persistent clients: each comment and each decision is sent until it is acknowledged."""

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from belowline.serve.store.database import Database
from belowline.serve.store.tables import LIVE, SYSTEM
from tests.support.replay import replay
from tests.support.store_fakes import Desk
from tests.support.waiting import InThreads

HELD = "a crypto giveaway"
POLICY = 'version = "chaos"\nunknown_language = "publish"\n[words]\nhold = ["crypto giveaway"]\n'


def keep(client: httpx.Client, *names: str, text: str = HELD) -> httpx.Response:
    """Submit comments with these ids."""
    body = {"site": "s", "comments": [{"id": name, "text": f"{text} {name}"} for name in names]}
    return client.post("/v1/comments", json=body)


def ready(client: httpx.Client) -> dict[str, Any]:
    """Return the body of ``/readyz``; check that its status agrees."""
    answer = client.get("/readyz")
    found: dict[str, Any] = answer.json()
    assert answer.status_code == (200 if found["ready"] else 503)
    return found


def with_policy(folder: Path) -> str:
    """Return the file of a policy under which ``HELD`` is held, whatever its scores."""
    file = folder / "policy.toml"
    file.write_text(POLICY)
    return str(file)


def check_kept(
    database_url: str, accepted: set[str], unsure: int = 0, decided: set[str] | None = None
) -> None:
    """Check that every accepted comment is stored once and whole, with at most ``unsure`` more.

    Check too that every decision of ``decided`` was recorded once.
    """
    database = Database.open(database_url)
    desk = Desk(database)
    rows = {row.id: row for row in desk.rows("comments")}
    names = Counter(row.caller_id for row in rows.values())
    made = desk.rows("decisions")
    by_system = Counter(row.comment_id for row in made if row.actor == SYSTEM)
    by_people = Counter(rows[row.comment_id].caller_id for row in made if row.actor != SYSTEM)
    waiting = Counter(row.comment_id for row in desk.rows("items", state=LIVE))
    revisions = Counter(row.comment_id for row in desk.rows("revisions"))
    unlike, remembered = list(replay(database)), desk.rows("idempotency", actor=SYSTEM)
    database.close()
    assert (unlike, remembered) == (
        [],
        [],
    )  # the rows that probe whether the store can write are deleted again
    assert set(names.values()) <= {1}
    assert accepted <= set(names)
    assert len(set(names) - accepted) <= unsure
    assert by_system == revisions == dict.fromkeys(rows, 1)
    assert set(by_people.values()) <= {1}
    assert (decided or set()) <= set(by_people)
    assert waiting == {number: 1 for number, row in rows.items() if row.action == "hold"}


class Insisting(InThreads):
    """Threads that submit comments and decide them, one after another, until the block ends."""

    def __init__(self, address: str, threads: int = 3) -> None:
        self.accepted: set[str] = set()
        self.decided: set[str] = set()
        self.statuses: Counter[int] = Counter()
        self._address = address
        super().__init__(threads)

    @property
    def unsure(self) -> int:
        """Return the largest number of comments that may be stored without having been acknowledged."""
        return len(self.threads)

    def go_on(self, thread: int) -> None:
        with httpx.Client(base_url=self._address, timeout=60) as client:
            for number in itertools.count():
                name = f"{thread}-{number}"
                if self._insist(lambda name=name: keep(client, name)):  # type: ignore[misc]
                    self.accepted.add(name)
                if self._insist(lambda name=name: _decide(client, name)):  # type: ignore[misc]
                    self.decided.add(name)
                if self.over.is_set():
                    return

    def _insist(self, ask: Callable[[], httpx.Response]) -> bool:
        while True:
            try:
                status = ask().status_code
            except httpx.TransportError:
                status = 0
            self.statuses[status] += 1
            if 200 <= status < 300:
                return True
            if self.over.wait(0.05):
                return False


def _decide(client: httpx.Client, name: str) -> httpx.Response:
    return client.post(
        f"/v1/comments/s:{name}/decisions", json={"action": "reject"}, headers={"Idempotency-Key": name}
    )
