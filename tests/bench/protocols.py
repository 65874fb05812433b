"""Latency of each protocol with one client, with 32 clients, and at half and full load.

A real ``belowline serve`` with the released model shares this machine with the clients. No text is sent twice, because
repeats are answered from a cache. Closed loop: each client sends its next request when it has its answer. Open loop:
requests leave at random moments (Poisson) at a stated share of the rate that 32 clients of our own API reached, and
their time counts from the moment at which they were due. For Coral the share of answers that withhold the comment is
reported too: Coral withholds comments that are not scored in time.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from tests.bench.figures import figure, group
from tests.bench.rounds import Setup, Step
from tests.bench.texts import endless
from tests.support.served_process import served

KEY = "a-key-for-the-benchmark"
SECRET = "a-secret-for-the-benchmark"
LIMIT_S = 0.2
"""Timeout after which Coral continues without an answer."""
CLIENTS = 32
OWN = "own /v1/score"
Call = Callable[[str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Size:
    """Number of requests of one client and of many, and seconds of arrivals at each load."""

    lone: int
    many: int
    opened_s: float


def run(setup: Setup, step: Step) -> dict[str, Any]:
    """Rounds over all protocols; full load is the median rate of our own API."""
    found, source = setup.texts(setup.pick(11_000, 300))
    texts, size = endless(found), setup.pick(Size(60, 240, 2.0), Size(2, 6, 0.2))
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in CALLS}
    settings = {"api_keys": KEY, "coral_secrets": SECRET}
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), "--model", str(setup.model.resolve()), settings=settings) as service,
    ):
        for turn in range(setup.pick(3, 1)):
            for name in CALLS:
                step(f"round {turn + 1}: {name}")
                capacity = [row["per_second"] for row in rows[OWN]]
                known = statistics.median(capacity) if capacity else None
                rows[name].append(asyncio.run(measure(service.url, name, texts, size, known)))
    return {
        "title": "Protocols",
        "about": _about(source),
        "groups": [_group(name, found) for name, found in rows.items()],
    }


def _group(name: str, rounds: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    units = {"per_second": ("answers with 32 clients", "/s")}
    told = {
        key: units.get(key) or (key, "%" if key.startswith(("within", "withheld")) else "ms")
        for key in rounds[0]
    }
    return group(
        name, {what: figure([one[key] for one in rounds], unit) for key, (what, unit) in told.items()}
    )


def _about(source: str) -> list[str]:
    return [
        f"Comments of {source}, none sent twice. Half and full load are of the rate that {CLIENTS} clients of our own API reached; the "
        "client shares the cores with the service and costs more than that of the part on the service. Withheld is said by Coral alone.",
    ]


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
    OWN: lambda text: {"url": "/v1/score", "json": {"comments": [{"text": text}]}},
    "Perspective": _perspective,
    "OpenAI": lambda text: {"url": "/v1/moderations", "json": {"input": text}},
    "Akismet": _akismet,
    "Coral": _coral,
    "text-classification": lambda text: {"url": "/predict", "json": {"inputs": text}},
}


@dataclass(slots=True)
class Times:
    """Seconds to each answer, and number of answers that withheld the comment."""

    seconds: list[float] = field(default_factory=list)
    withheld: int = 0

    def percentiles(self, who: str) -> dict[str, float]:
        """Return percentiles in milliseconds."""
        shares = (50, 95, 99)
        return {f"{who}, p{share}": float(np.percentile(self.seconds, share)) * 1000 for share in shares}

    def share(self, number: int) -> float:
        """Return ``number`` as a percentage of the answers."""
        return 100 * number / len(self.seconds)

    def within_limit(self) -> float:
        return self.share(sum(one <= LIMIT_S for one in self.seconds))


async def one(client: httpx.AsyncClient, call: Call, text: str, due: float, times: Times) -> None:
    """Send a text and record the seconds since ``due``; an invalid answer ends the run."""
    answer = await client.post(**call(text))
    times.seconds.append(time.perf_counter() - due)
    times.withheld += "SYSTEM_WITHHELD" in answer.text
    if answer.status_code not in (200, 204, 429):
        raise SystemExit(f"{answer.request.url.path}: {answer.status_code} {answer.text[:200]}")


async def closed(
    client: httpx.AsyncClient, call: Call, texts: list[str], clients: int
) -> tuple[Times, float]:
    """Return the times of all texts with a number of clients, and answers per second."""
    times = Times()
    waiting = iter(texts)

    async def work() -> None:
        for text in waiting:
            await one(client, call, text, time.perf_counter(), times)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(clients)))
    return times, len(texts) / (time.perf_counter() - began)


async def opened(
    client: httpx.AsyncClient, call: Call, texts: Iterator[str], rate: float, length: float
) -> Times:
    """Return the times of requests that arrive at ``rate`` per second, whether earlier ones were answered or not."""
    times = Times()
    rng = random.Random(5)
    began = due = time.perf_counter()
    tasks = []
    while due - began < length:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(client, call, next(texts), due, times)))
        due += rng.expovariate(rate)
    await asyncio.gather(*tasks)
    return times


async def measure(
    address: str, name: str, texts: Iterator[str], size: Size, capacity: float | None
) -> dict[str, float]:
    """Measure one protocol in one round; without ``capacity``, full load is its own rate."""
    call = CALLS[name]
    headers = {"Authorization": f"Bearer {KEY}"}
    limits = httpx.Limits(max_connections=512, max_keepalive_connections=512)
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60, limits=limits) as client:
        await closed(client, call, list(itertools.islice(texts, size.many // 12 + 1)), 4)
        lone, _ = await closed(client, call, list(itertools.islice(texts, size.lone)), 1)
        many, rate = await closed(client, call, list(itertools.islice(texts, size.many)), CLIENTS)
        half = await opened(client, call, texts, (capacity or rate) / 2, size.opened_s)
        full = await opened(client, call, texts, capacity or rate, size.opened_s)
    loads = {"half load": half, "full load": full}
    return {
        **lone.percentiles("1 client"),
        **many.percentiles(f"{CLIENTS} clients"),
        "per_second": rate,
        **{f"within 200 ms, {load}": times.within_limit() for load, times in loads.items()},
        **(
            {f"withheld, {load}": times.share(times.withheld) for load, times in loads.items()}
            if name == "Coral"
            else {}
        ),
    }
