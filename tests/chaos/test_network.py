"""Faults of clients and networks against a real server: slow, interrupted, oversized, many or invalid requests.

Other clients are not delayed. Nothing acknowledged is lost. The server recovers without intervention.
"""

import asyncio
import contextlib
import json
import re
import resource
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.bench.load import Result, Stage, run, unlike
from tests.support.served_process import Served, served
from tests.support.waiting import until

SECRET = "do-not-write-me-down"
PATIENCE_S = 3.0
MOST_BYTES = 1_000_000
LONG_S = 200.0
"""Timeout in seconds after which an operation counts as stuck; it is long because the machine may be busy."""
SETTINGS = {"request_timeout_s": PATIENCE_S, "max_body_bytes": MOST_BYTES, "queue_comments": 256}
JSON = "Host: localhost\r\nContent-Type: application/json\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_model_dir: Path) -> Iterator[Served]:
    arguments = ("--model", str(tiny_model_dir), "--threads", "1")
    with served(tmp_path_factory.mktemp("chaos"), *arguments, settings=SETTINGS) as one:
        yield one
        check_log(one)


@pytest.fixture(autouse=True)
def goes_on(service: Served) -> Iterator[None]:
    """Check before and after each test that the service is ready and that no connection of the test is left."""
    until(lambda: ready(service), LONG_S)
    before = service.usage().files
    yield
    until(lambda: ready(service) and service.usage().files <= before + 20, LONG_S)
    check_log(service)


def check_log(service: Served) -> None:
    wrong = re.compile(f"{SECRET}|Traceback|ERROR")
    # Compares the first few lines only: pytest takes minutes to compare a string with a long log.
    assert [line for line in service.log.read_text().splitlines() if wrong.search(line)][:5] == []


def ready(service: Served) -> bool:
    try:
        return bool(httpx.get(service.url + "/readyz", timeout=LONG_S).json()["ready"])
    except httpx.TransportError:
        return False


def answered(result: Result) -> bool:
    """Return True if every request is answered and some succeed; a busy machine may refuse some."""
    return 200 in result.shares() and set(result.shares()) <= {200, 429}


async def connect(service: Served) -> Streams:
    address = urlsplit(service.url)
    return await asyncio.open_connection(address.hostname, address.port)


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """Return the bytes up to the end of the connection, however the server ends it."""
    got = bytearray()
    async with asyncio.timeout(LONG_S):
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(65536):
                got += part
    return bytes(got)


async def said(service: Served, *parts: bytes, pause_s: float = 0.0) -> bytes:
    """Return the server's whole answer to ``parts``; the server ends the connection."""
    reader, writer = await connect(service)
    answer = asyncio.create_task(all_of(reader))
    with contextlib.suppress(ConnectionError):
        for part in parts:
            if answer.done():
                break
            writer.write(part)
            await writer.drain()
            if pause_s:
                await asyncio.sleep(pause_s)
    found = await answer
    writer.close()
    return found


async def together(calls: Iterable[Awaitable[Any]]) -> list[Any]:
    return list(await asyncio.gather(*calls))


def post(path: str, body: bytes, length: int | None = None, media: str = "application/json") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\n"
    return f"{head}Content-Length: {len(body) if length is None else length}\r\n\r\n".encode() + body


def comment(name: str, text: str = SECRET) -> bytes:
    return json.dumps({"site": "load", "comments": [{"id": name, "text": text}]}).encode()


def status(answer: bytes) -> int:
    """Return the status; 0 without an answer."""
    found = re.match(rb"HTTP/1.1 (\d+)", answer)
    return int(found[1]) if found else 0


def body(answer: bytes) -> Any:
    return json.loads(answer.partition(b"\r\n\r\n")[2])


SHAPES: dict[str, tuple[int, Callable[[bytes], bool]]] = {
    "/v1/comments": (408, lambda told: body(told)["type"] == "urn:belowline:problem:slow-body"),
    "/v1/score": (408, lambda told: body(told)["type"] == "urn:belowline:problem:slow-body"),
    "/v1alpha1/comments:analyze": (408, lambda told: body(told)["error"]["status"] == "DEADLINE_EXCEEDED"),
    "/v1/moderations": (408, lambda told: body(told)["error"]["code"] == "slow_body"),
    "/predict": (408, lambda told: "seconds" in body(told)["error"]),
    "/1.1/comment-check": (200, lambda told: told.endswith(b"true") and b"connection: close" in told.lower()),
    "/coral/moderate": (200, lambda told: body(told)["status"] == "SYSTEM_WITHHELD"),
}


def test_slow_callers_are_cut_off_and_delay_nobody(service: Served) -> None:
    async def trickled(start: bytes) -> bytes:
        return await said(service, start, *[b"x"] * 400, pause_s=0.1)

    async def whole() -> list[bytes]:
        bodies = [trickled(post(path, b'{"', 1000)) for path in SHAPES]
        heads = [trickled(b"GET /healthz HTTP/1.1\r\nX-Long: ") for _ in range(20)]
        silent = [said(service) for _ in range(20)]
        late = [said(service, post("/v1/comments", comment(f"late-{n}"))[:-1]) for n in range(5)]
        load = asyncio.to_thread(run, service.url, [Stage(10, 2 * PATIENCE_S, "comments", LONG_S)])
        others, *answers = await together([load, *bodies, *heads, *silent, *late])
        assert answered(others[0])
        assert unlike(others, service.kept())["lost"] == 0
        return answers

    answers = asyncio.run(whole())
    for (path, (expected, fits)), answer in zip(SHAPES.items(), answers, strict=False):
        assert status(answer) == expected, path
        assert fits(answer), path
    assert [status(one) for one in answers[len(SHAPES) :]] == [0] * 40 + [408] * 5
    assert not any(name.startswith("late-") for name in service.kept())


def test_a_connection_is_kept_for_the_next_comment(service: Served) -> None:
    """The pause is longer than the request timeout and than uvicorn's default keep-alive."""

    async def whole() -> list[int]:
        reader, writer = await connect(service)
        found = []
        for pause in (0.0, 2 * PATIENCE_S):
            await asyncio.sleep(pause)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(length(head))
            found.append(status(head))
        writer.close()
        return found

    assert asyncio.run(whole()) == [200, 200]


def test_who_takes_no_answer_is_cut_off(service: Served) -> None:
    """Requests are sent without pause and no answer is read: the server stops reading, then closes the connection."""

    async def whole() -> bool:
        address = urlsplit(service.url)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect((address.hostname, address.port))
            deaf.setblocking(False)
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(LONG_S):
                    while True:
                        await loop.sock_sendall(
                            deaf, b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
                        )
            except ConnectionError:
                return True

    assert asyncio.run(whole())


def test_half_a_request_leaves_nothing(service: Served) -> None:
    async def cut(raw: bytes, *, reset: bool) -> None:
        _, writer = await connect(service)
        if reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.write(raw)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    chunked = f"POST /v1/comments HTTP/1.1\r\n{JSON}Transfer-Encoding: chunked\r\n\r\nffff\r\n".encode()
    raw = [post(path, comment(f"half-{n}"), 5000) for n, path in enumerate(list(SHAPES) * 3)]
    raw += [chunked + comment("half-chunk"), post("/v1/comments", comment("half-head"))[:60]] * 5
    asyncio.run(together([cut(one, reset=bool(n % 2)) for n, one in enumerate(raw)]))
    [after] = run(service.url, [Stage(20, 1, "score", LONG_S)])
    assert answered(after)
    assert not any(name.startswith("half-") for name in service.kept())


def test_a_body_over_the_limit_is_refused_at_once_and_not_held(service: Served) -> None:
    mebibyte = b" " * 2**20
    held = f"POST /v1/score HTTP/1.1\r\n{JSON}".encode()

    async def whole() -> tuple[list[bytes], bytes]:
        chunk = b"100000\r\n" + mebibyte + b"\r\n"
        floods = [said(service, held + b"Content-Length: 9000000000\r\n\r\n", *[mebibyte] * 24)]
        floods += [
            said(service, held + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 24) for _ in range(3)
        ]
        # Refused before the body arrives; the connection is usable again once the body is complete.
        reader, writer = await connect(service)
        writer.write(held + b"Content-Length: 2000000\r\n\r\n")
        first = await reader.readuntil(b"\r\n\r\n")
        assert status(first) == 413
        assert b"body-too-large" in await reader.readexactly(length(first))
        writer.write(
            b" " * 2_000_000 + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        return await together(floods), await all_of(reader)

    before = service.usage().rss
    floods, again = asyncio.run(whole())
    assert [status(one) for one in floods] == [413] * 4
    assert status(again) == 200
    assert service.usage().rss - before < 48 * 2**20  # of 96 MiB that were sent


def length(head: bytes) -> int:
    found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    assert found
    return int(found[1])


LIES = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
    "negative": b"Content-Length: -1\r\n\r\n{}",
    "no number": b"Content-Length: 1e3\r\n\r\n{}",
    "immense": b"Content-Length: 99999999999999999999999999\r\n\r\n{}",
    "not hexadecimal": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}",
    "unknown coding": b"Transfer-Encoding: gzip\r\n\r\n{}",
    "too long for its length": b"Content-Length: 3\r\n\r\n{}}{}}{}{}\r\n\r\n",
}
GARBAGE = {
    "noise": bytes(range(256)) * 4,
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "nul in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
    "line break in a name": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX Y: 1\r\n\r\n",
    "endless header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000,
    "endless address": b"GET /" + b"x" * 200_000,
    "garbage after a refused body": (
        f"POST /v1/score HTTP/1.1\r\n{JSON}Content-Length: 90000000\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".encode()
    ),
}


def test_what_is_no_http_is_refused_and_ended(service: Served) -> None:
    raw = {name: f"POST /v1/score HTTP/1.1\r\n{JSON}".encode() + rest for name, rest in LIES.items()}
    raw |= GARBAGE
    answers = asyncio.run(together([said(service, one) for one in raw.values()]))
    found = {name: status(answer) for name, answer in zip(raw, answers, strict=True)}
    assert {name: one for name, one in found.items() if one not in (400, 413, 422, 501, 505)} == {}


def test_garbage_after_an_answer_ends_the_connection(service: Served) -> None:
    head = f"POST /v1/score HTTP/1.1\r\n{JSON}Content-Length: 90000000\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = asyncio.run(said(service, head.encode(), b"zz\r\n", pause_s=1.0))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"413"]


BODIES = {
    "not UTF-8": (b'{"comments": [{"text": "\xff\xfe"}]}', 400),
    "deep": (b'{"comments": ' + b"[" * 200_000, 400),
    "deep objects": (b'{"a":' * 100_000, 400),
    "deep and closed": (b'{"comments": ' + b"[" * 50_000 + b"]" * 50_000 + b"}", 400),
    "long number": (b'{"comments": ' + b"9" * 100_000 + b"}", 400),
    "immense number": (b'{"comments": [{"text": 1e999999}]}', 422),
    "no number": (b'{"comments": NaN}', 422),
    "twice": (b'{"comments": 1, "comments": [{"text": "a", "text": "b"}]}', 200),
    "nul": (b'{"comments": [{"text": "a\\u0000b"}]}', 200),
    "half a pair": (b'{"comments": [{"text": "\\ud800"}]}', 200),
    "many keys": (json.dumps(dict.fromkeys(map(str, range(60_000)), 0)).encode(), 422),
}


def test_odd_json_is_answered_and_nobody_waits_long(service: Served) -> None:
    with httpx.Client(
        base_url=service.url, timeout=LONG_S, headers={"Content-Type": "application/json"}
    ) as client:
        found = {
            name: client.post("/v1/score", content=sent).status_code for name, (sent, _) in BODIES.items()
        }
        assert found == {name: expected for name, (_, expected) in BODIES.items()}
        elsewhere = {
            (path, name): client.post(path, content=sent).status_code
            for name, (sent, _) in BODIES.items()
            for path in SHAPES
        }
        paths = {
            client.get(path).status_code for path in ("/%00", "/static/%00", "/v1/comments/a%00", "/%ff")
        }
    assert {key: one for key, one in elsewhere.items() if one >= 500} == {}
    assert paths <= {400, 404, 422}


def test_pipelined_requests_are_answered_in_order(service: Served) -> None:
    valid = [post("/v1/comments", comment(f"pipe-{n}", f"{SECRET} {n}")) for n in range(8)]
    answer = asyncio.run(said(service, b"".join(valid) + b"garbage\x00\r\n\r\n"))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200"] * 8 + [b"400"]
    assert re.findall(rb'"id":"(pipe-\d)"', answer) == [b"pipe-%d" % n for n in range(8)]
    assert sum(name.startswith("pipe-") for name in service.kept().elements()) == 8


def test_thousands_of_idle_connections(service: Served) -> None:
    wanted = 2_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted + 500:
        pytest.skip(f"needs {wanted + 500} open files, and {hard} are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted + 500), hard))

    async def whole() -> None:
        open_ones = [await connect(service) for _ in range(wanted)]
        load = await asyncio.to_thread(run, service.url, [Stage(20, 2, "comments", LONG_S)])
        assert answered(load[0])
        assert {await all_of(reader) for reader, _ in open_ones} == {b""}
        for _, writer in open_ones:
            writer.close()

    try:
        asyncio.run(whole())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_connections_than_files(tmp_path: Path, tiny_model_dir: Path) -> None:
    """Connected clients are still served, the store included; surplus connections are refused.

    New clients are served again when the surplus is gone.
    """
    arguments = ("--model", str(tiny_model_dir), "--threads", "1")
    settings = SETTINGS | {"request_timeout_s": 60}
    with (
        served(tmp_path, *arguments, settings=settings, files=256) as narrow,
        httpx.Client(base_url=narrow.url, timeout=LONG_S) as known,
    ):
        assert known.get("/readyz").json()["ready"]

        async def whole() -> None:
            # All of them arrive at once, as after a pause in which the service was busy.
            narrow.process.send_signal(signal.SIGSTOP)
            flood = [await connect(narrow) for _ in range(400)]
            narrow.process.send_signal(signal.SIGCONT)
            answer = await asyncio.to_thread(
                known.post,
                "/v1/comments",
                content=comment("flooded"),
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 200
            assert known.get("/readyz").json()["ready"]
            for _, writer in flood:
                writer.close()

        asyncio.run(whole())
        until(lambda: ready(narrow), LONG_S)
        results = run(narrow.url, [Stage(20, 1, "comments", LONG_S)])
        assert answered(results[0])
        assert narrow.kept()["flooded"] == 1
        check_log(narrow)


def test_callers_who_leave_while_their_comment_waits(service: Served) -> None:
    async def leave(number: int) -> None:
        _, writer = await connect(service)
        writer.write(post("/v1/comments", comment(f"left-{number}", f"{SECRET} {number}")))
        await writer.drain()
        writer.close()

    async def whole() -> Any:
        load = asyncio.to_thread(run, service.url, [Stage(30, 1, "comments", LONG_S)])
        found, *_ = await together([load, *(leave(number) for number in range(100))])
        return found

    results = asyncio.run(whole())
    assert answered(results[0])
    until(lambda: waiting(service) == 0, LONG_S)
    assert unlike(results, service.kept())["lost"] == 0
    assert max(service.kept().values()) == 1
    # A repeated request finds the comment or stores it now: once in both cases.
    with httpx.Client(
        base_url=service.url, headers={"Content-Type": "application/json"}, timeout=LONG_S
    ) as client:
        for number in range(0, 100, 10):
            again = client.post("/v1/comments", content=comment(f"left-{number}", f"{SECRET} {number}"))
            assert again.status_code == 200
    kept = service.kept()
    assert all(kept[f"left-{number}"] == 1 for number in range(0, 100, 10))


def waiting(service: Served) -> float:
    metrics = httpx.get(service.url + "/metrics", timeout=LONG_S).text
    found = re.search(r"^belowline_queue_comments(?:{.*})? (\S+)$", metrics, re.MULTILINE)
    assert found
    return float(found[1])


def test_over_capacity_the_surplus_is_refused_and_the_rest_goes_on(service: Served) -> None:
    """Throughput is measured in the server's processor time, which does not depend on other load on the machine."""

    def measured(stage: Stage) -> tuple[Result, float]:
        began = service.usage().processor_s
        [result] = run(service.url, [stage])
        return result, len(result.accepted()) / (service.usage().processor_s - began)

    seen: list[httpx.Response] = []

    async def overloaded(rate: float) -> tuple[Result, float]:
        load = asyncio.create_task(asyncio.to_thread(measured, Stage(rate, 900 / rate, "comments", LONG_S)))
        async with httpx.AsyncClient(base_url=service.url, timeout=LONG_S) as client:
            while not load.done():
                seen.extend([await client.get("/healthz"), await client.get("/readyz")])
                await asyncio.sleep(0.2)
        return await load

    before, capacity = measured(Stage(200, 1, "comments", LONG_S))
    over, still = asyncio.run(overloaded(max(400, 4 * before.throughput())))
    [after] = run(service.url, [Stage(20, 1, "comments", LONG_S)])
    assert answered(before)
    assert answered(after)
    assert set(over.shares()) == {200, 429}
    assert all(1 <= (one.retry_after or 0) <= 60 for one in over.answers if one.status == 429)
    assert over.percentiles(429)["p50"] < over.percentiles(200)["p50"]
    assert still > 0.5 * capacity
    assert {one.status_code for one in seen} == {200}
    assert unlike([before, over, after], service.kept())["lost"] == 0
    assert max(service.kept().values()) == 1
