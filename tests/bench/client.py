"""Clients of a service, in their own process.

They use little processor time, because they share the cores with the service that they measure.
"""

import asyncio
import itertools
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from tests.bench.load import KINDS, Stage, run
from tests.bench.texts import endless
from tests.support.wire import Sent, Wire

KEY = "a-key-for-the-benchmarks"
"""Key from the environment, as for a service that other machines reach."""
HEADERS = {"X-API-Key": KEY}
_NUMBERS = itertools.count(1_000_000_000)
"""Ids of comments; tests.bench.load numbers its own from 0 in the same process."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Results of sequential requests.

    Seconds to each answer, number of answers by status, wall seconds, and processor seconds of the clients.
    """

    seconds: list[float]
    statuses: dict[int, int]
    wall: float
    processor_s: float


def requests(kind: str, texts: Sequence[str], size: int = 1) -> list[Sent]:
    """Return one request for every ``size`` texts; only kind ``score`` takes more than one text."""
    if size == 1:
        return [KINDS[kind](next(_NUMBERS), text) for text in texts]
    return [score_list(texts[at : at + size]) for at in range(0, len(texts), size)]


def score_list(texts: Sequence[str]) -> Sent:
    """Return one request for the scores of several comments."""
    body = {"comments": [{"text": text} for text in texts]}
    return Sent("POST", "/v1/score", json.dumps(body).encode())


def closed(url: str, kind: str, texts: Sequence[str], clients: int, size: int = 1) -> Answered:
    """Send requests from several clients, each waiting for its answer; a status other than 200 ends the run."""
    return asyncio.run(_closed(url, requests(kind, texts, size), clients))


async def _closed(url: str, made: Sequence[Sent], clients: int) -> Answered:
    wire, waiting = Wire(url, HEADERS), iter(made)
    took: list[float] = []
    statuses: Counter[int] = Counter()

    async def work() -> None:
        for sent in waiting:
            began = time.perf_counter()
            status, _, body = await wire.ask(sent)
            took.append(time.perf_counter() - began)
            statuses[status] += 1
            if status != 200:
                raise RuntimeError(f"{sent.path}: {status} {body[:200]!r}")

    began, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(clients)))
    answered = Answered(took, dict(statuses), time.perf_counter() - began, time.process_time() - used)
    wire.close()
    return answered


def opened(url: str, stage: Stage, texts: Sequence[str], seed: int) -> dict[str, Any]:
    """Run one stage of Poisson arrivals; return shares by status, milliseconds, and accepted requests per second."""
    result = run(url, [stage], endless(texts), HEADERS, seed)[0]
    return {
        "shares": result.shares(),
        "milliseconds": {status: _percentiles(result.seconds(status)) for status in result.shares()},
        "accepted": result.throughput(),
    }


def _percentiles(seconds: Sequence[float]) -> dict[int, float]:
    return {share: float(np.percentile(seconds, share)) * 1000 for share in (50, 95, 99)}


@contextmanager
def trivial(answer: bytes) -> Iterator[str]:
    """Yield the address of a server, in its own process, that always answers with the same body.

    Requests to it show the cost of the client.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_trivial, args=(answer, theirs), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        server.terminate()
        server.join()


def _trivial(answer: bytes, told: Connection) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                writer.write(whole)
        except (EOFError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())
