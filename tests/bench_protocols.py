"""How long each protocol's answer takes, with one client, with 32, and at half and full load: ``make bench-protocols``.

A real ``belowline serve`` with the released model, on this machine, which the clients share with it. Texts are ``c3`` comments where
``../shared/corpora`` is at hand, otherwise the invented sample with numbers added; none is sent twice, for repeats come from a cache.
Closed loop: each client sends its next request when it has its answer. Open loop: requests leave at random moments (Poisson) at a stated
share of the rate that 32 clients of our own API reached, and their time counts from the moment at which they were due. For Coral the share
of answers that withhold the comment is told too: what is not judged in time is withheld.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from tests.bench_scorer import texts_for

KEY = "a-key-for-the-benchmark"
SECRET = "a-secret-for-the-benchmark"
CONSOLE = Console(stderr=True)
LONE, MANY, OPEN_S = 150, 480, 8.0
LIMIT_S = 0.2
"""After which Coral goes on without an answer."""
Call = Callable[[str], dict[str, Any]]


def _perspective(text: str) -> dict[str, Any]:
    wanted = {"TOXICITY": {}, "SPAM": {}, "INSULT": {}}
    body = {"comment": {"text": text[:5000]}, "requestedAttributes": wanted, "languages": ["en"]}
    return {"url": f"/v1alpha1/comments:analyze?key={KEY}", "json": body}


def _coral(text: str) -> dict[str, Any]:
    who = {
        "author": {"id": "u1", "role": "COMMENTER"},
        "story": {"id": "s", "url": "https://paper.example/a"},
    }
    parts = {"action": "NEW", "comment": {"body": text, "parentID": None}, **who, "site": {"id": "1"}}
    body = json.dumps({**parts, "tenantID": "t", "tenantDomain": "paper.example"}, indent=2).encode()
    signed = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Coral-Signature": signed}
    return {"url": "/coral/moderate", "content": body, "headers": headers}


def _akismet(text: str) -> dict[str, Any]:
    about = {"blog": "https://paper.example", "user_ip": "192.0.2.7", "comment_author_email": "a@b.example"}
    return {"url": "/1.1/comment-check", "data": {"api_key": KEY, **about, "comment_content": text}}


CALLS: Mapping[str, Call] = {
    "own /v1/score": lambda text: {"url": "/v1/score", "json": {"comments": [{"text": text}]}},
    "Perspective": _perspective,
    "OpenAI": lambda text: {"url": "/v1/moderations", "json": {"input": text}},
    "Akismet": _akismet,
    "Coral": _coral,
    "text-classification": lambda text: {"url": "/predict", "json": {"inputs": text}},
}


@contextmanager
def service() -> Iterator[str]:
    """The address of a server of its own."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        settings = {"BELOWLINE_API_KEYS": KEY, "BELOWLINE_CORAL_SECRETS": SECRET, "BELOWLINE_PORT": "0"}
        settings["BELOWLINE_DATABASE_URL"] = f"sqlite:///{folder}/bench.sqlite3"
        command = [str(Path(sys.executable).with_name("belowline")), "serve"]
        server = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)
        try:
            yield _address(server, Path(folder) / "log")
        finally:
            server.terminate()
            server.wait(20)


def _address(server: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(600):
        found = [
            word.rstrip("/,.") for word in log.read_text().split() if word.startswith("http://127.0.0.1:")
        ]
        if found:
            return found[0]
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit(f"belowline serve did not start: {log.read_text()}")


@dataclass(slots=True)
class Times:
    """Seconds to each answer, and how many of them withheld the comment."""

    seconds: list[float] = field(default_factory=list)
    withheld: int = 0

    def percentiles(self) -> dict[str, float]:
        """Milliseconds."""
        shares = (50, 95, 99)
        return {f"p{share}": round(float(np.percentile(self.seconds, share)) * 1000, 1) for share in shares}

    def share(self, number: int) -> float:
        return round(number / len(self.seconds), 4)

    def within_limit(self) -> float:
        return self.share(sum(one <= LIMIT_S for one in self.seconds))


async def one(client: httpx.AsyncClient, call: Call, text: str, due: float, times: Times) -> None:
    """Sends a text and notes how long after ``due`` its answer came; an answer that is none ends the run."""
    answer = await client.post(**call(text))
    times.seconds.append(time.perf_counter() - due)
    times.withheld += "SYSTEM_WITHHELD" in answer.text
    if answer.status_code not in (200, 204, 429):
        raise SystemExit(f"{answer.request.url.path}: {answer.status_code} {answer.text[:200]}")


async def closed(
    client: httpx.AsyncClient, call: Call, texts: list[str], clients: int
) -> tuple[Times, float]:
    """Times of all texts with so many clients, and answers a second."""
    times = Times()
    waiting = iter(texts)

    async def work() -> None:
        for text in waiting:
            await one(client, call, text, time.perf_counter(), times)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return times, len(texts) / (time.perf_counter() - began)


async def opened(client: httpx.AsyncClient, call: Call, texts: Iterator[str], rate: float) -> Times:
    """Times while requests arrive at ``rate`` a second, whether those before were answered or not."""
    times = Times()
    rng = random.Random(5)
    began = due = time.perf_counter()
    tasks = []
    while due - began < OPEN_S:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(client, call, next(texts), due, times)))
        due += rng.expovariate(rate)
    await asyncio.gather(*tasks)
    return times


async def measure(address: str, name: str, texts: Iterator[str], capacity: float | None) -> dict[str, Any]:
    """Everything of one protocol; without ``capacity`` its own rate is what full load is."""
    call = CALLS[name]
    headers = {"Authorization": f"Bearer {KEY}"}
    limits = httpx.Limits(max_connections=512, max_keepalive_connections=512)
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60, limits=limits) as client:
        await closed(client, call, list(itertools.islice(texts, 20)), 4)
        lone, _ = await closed(client, call, list(itertools.islice(texts, LONE)), 1)
        many, rate = await closed(client, call, list(itertools.islice(texts, MANY)), 32)
        half = await opened(client, call, texts, (capacity or rate) / 2)
        full = await opened(client, call, texts, capacity or rate)
    return {
        "protocol": name,
        "one": lone.percentiles(),
        "many": many.percentiles(),
        "per_second": round(rate, 1),
        "half": half.within_limit(),
        "full": full.within_limit(),
        "withheld": [times.share(times.withheld) for times in (lone, half, full)],
    }


def endless(texts: list[str]) -> Iterator[str]:
    """``texts``, and then again with a number, so that none is sent twice."""
    for turn in itertools.count():
        yield from (f"{text} {turn}" if turn else text for text in texts)


def main() -> None:
    """Prints a table; the same as JSON on standard output."""
    found, source = texts_for(11_000, Path("../shared/corpora"))
    random.Random(3).shuffle(found)  # each protocol gets its own part, of the same lengths
    texts = endless(found)
    rows: list[dict[str, Any]] = []
    with service() as address:
        for name in CALLS:
            CONSOLE.print(f"measuring {name}")
            capacity = rows[0]["per_second"] if rows else None
            rows.append(asyncio.run(measure(address, name, texts, capacity)))
    table = Table(title=f"milliseconds; texts: {source}")
    for column in (
        "protocol",
        "1 client p50/95/99",
        "32 clients p50/95/99",
        "answers/s",
        "≤200 ms, half load",
        "full",
    ):
        table.add_column(column)
    for row in rows:
        cells = [" / ".join(f"{value:.0f}" for value in row[part].values()) for part in ("one", "many")]
        shares = [f"{100 * row[part]:.1f} %" for part in ("half", "full")]
        table.add_row(row["protocol"], *cells, f"{row['per_second']:.0f}", *shares)
    CONSOLE.print(table)
    print(json.dumps({"texts": source, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
