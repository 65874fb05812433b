"""The load generator against servers with known behaviour: its report matches what happened."""

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.bench.load import (
    KINDS,
    NOBODY,
    Answer,
    Result,
    Sample,
    Stage,
    Usage,
    Wire,
    growth,
    invented,
    offer,
    unlike,
)
from tests.support.served_process import served

Serve = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


async def against(serve: Serve, stage: Stage) -> Result:
    """Return the result of a stage against a server that answers through ``serve``.

    ``serve`` gets the number of earlier requests.
    """
    count = itertools.count()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await _head(reader):
            length = [line for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
            await reader.readexactly(int(length[0].split()[1]) if length else 0)
            await serve(next(count), writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    wire, result = Wire(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), Result(stage)
    await offer(wire, result, invented())
    wire.close()
    server.close()
    return result


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (EOFError, ConnectionError):
        return b""


def reply(status: int, headers: str = "", body: bytes = b"{}") -> bytes:
    return f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_requests_do_not_wait_for_answers() -> None:
    """The server answers only after 30 requests, so a client that waits for answers would never get one."""
    waiting: list[asyncio.StreamWriter] = []

    async def hold(number: int, writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)
        if number >= 30:
            while waiting:
                waiting.pop().write(reply(200))

    result = asyncio.run(against(hold, Stage(100, 2, patience=20)))
    assert result.shares()[200] > 0.8
    assert len(result.answers) > 100


def test_a_stall_is_charged_to_all_that_was_due_in_it() -> None:
    """The whole process sleeps, client included: requests due in the stall are late by the rest of it."""

    async def stall(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 10:
            __import__("time").sleep(1.0)
        writer.write(reply(200))

    result = asyncio.run(against(stall, Stage(100, 2)))
    late = [one for one in result.answers if one.seconds > 0.4]
    assert len(late) > 25
    assert result.percentiles()["max"] >= 900


def test_statuses_waits_and_ids_are_noted() -> None:
    async def mixed(number: int, writer: asyncio.StreamWriter) -> None:
        kinds = (reply(200), reply(429, "Retry-After: 7\r\n"), reply(503))
        if number % 4 == 3:
            writer.close()
        else:
            writer.write(kinds[number % 4])

    result = asyncio.run(against(mixed, Stage(100, 1, "comments")))
    shares = result.shares()
    assert set(shares) == {200, 429, 503, NOBODY}
    assert sum(shares.values()) == pytest.approx(1)
    assert {one.retry_after for one in result.answers if one.status == 429} == {7}
    accepted = result.accepted()
    assert len(set(accepted)) == len(accepted) == sum(one.status == 200 for one in result.answers)
    summary = json.loads(json.dumps(result.summary()))
    assert summary["retry_after"] == [7, 7]
    assert summary["requests"] == len(result.answers)
    assert set(summary["milliseconds"]) == {"0", "200", "429", "503"}


def test_a_caller_gives_up() -> None:
    async def never(number: int, writer: asyncio.StreamWriter) -> None:
        return None

    result = asyncio.run(against(never, Stage(50, 0.5, patience=0.3)))
    assert result.shares() == {NOBODY: 1.0}
    assert result.accepted() == []


def test_connections_are_used_again_until_the_server_ends_them() -> None:
    peers: set[Any] = set()

    async def close_each_second(number: int, writer: asyncio.StreamWriter) -> None:
        peers.add(writer.get_extra_info("peername"))
        writer.write(reply(200, "Connection: close\r\n" if number % 2 else ""))

    result = asyncio.run(against(close_each_second, Stage(40, 1)))
    assert result.shares() == {200: 1.0}
    assert len(result.answers) / 2 <= len(peers) + 1


def test_every_kind_sends_texts_that_were_not_sent_before() -> None:
    texts = list(itertools.islice(invented(1), 200)) + list(itertools.islice(invented(2), 200))
    assert len(set(texts)) == 400
    for make in KINDS.values():
        bodies = [make(number, text).body for number, text in enumerate(texts[:20])]
        said = [one for one in bodies if one.endswith(b"}")]
        assert len(set(said)) == len(said)
    assert [KINDS["mixed"](number, "a").id is not None for number in range(20)] == [True] * 10 + [False] * 10


def test_what_the_store_lacks_or_has_twice_is_counted() -> None:
    answers = [Answer(0.0, 0.1, 200, accepted=name) for name in "abc"]
    result = Result(Stage(1, 1), [*answers, Answer(0.0, 0.1, 429)], wall=2.0)
    assert unlike([result], {"a": 1, "b": 2}) == {"accepted": 3, "lost": 1, "doubled": 1}
    assert result.throughput() == 1.5


def test_growth_is_the_slope_after_the_warm_up() -> None:
    """Ten mebibytes per 10,000 answers, after a start-up that does not count."""
    samples = [Sample(n * 100, Usage(0, 900, 50, 0.0)) for n in range(25)]
    samples += [Sample(n * 100, Usage(int(2**20 * n / 10), 7, 5, 0.0)) for n in range(25, 100)]
    assert growth(samples) == pytest.approx({"rss_mib": 10, "files": 0, "threads": 0}, abs=1e-3)


@pytest.mark.slow
def test_the_program_loads_a_service_of_its_own(tiny_model_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "load.json"
    command = [sys.executable, "-m", "tests.bench.load", "--model", str(tiny_model_dir), "--kind", "comments"]
    command += ["--rate", "10", "--rate", "20", "--seconds", "1", "--patience", "200", "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, timeout=280)
    found = json.loads(out.read_text())
    assert [stage["shares"] for stage in found["stages"]] == [{"200": 1.0}] * 2
    assert found["store"]["accepted"] == sum(stage["requests"] for stage in found["stages"])
    assert (found["store"]["lost"], found["store"]["doubled"]) == (0, 0)


@pytest.mark.slow
def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="model"), served(tmp_path, "--model", str(tmp_path / "none")):
        pass
