"""Failures of disks, databases, clocks and model files under a running service.

No accepted comment is lost or stored twice. The health endpoint reports the failure. The service recovers by itself.
"""

import os
import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from belowline.model import ScoreInput, Scorer
from belowline.serve.queue import queue_items
from belowline.serve.store.database import Database, now
from tests.support.chaos_callers import HELD, Insisting, check_kept, keep, ready, with_policy
from tests.support.postgres_process import PostgresProcess, postgres_process
from tests.support.served_process import Served, served
from tests.support.store_fakes import BEN, Desk
from tests.support.store_fakes import refused as refused_as
from tests.support.tiny_model import build_tiny_model
from tests.support.waiting import until

Change = Callable[[], None]
DAY = 24 * 3600
KEYS = {name: f"{name}-has-this-key-of-hers" for name in ("ann", "ben", "cleo", "dan")}
UNKEPT = (503, "urn:belowline:problem:store-unavailable")


@contextmanager
def service(
    folder: Path, model: Path, database_url: str | None = None, **settings: object
) -> Iterator[tuple[Served, httpx.Client]]:
    """A service under a policy that holds texts with ``HELD``, and a client of it."""
    known = {"policy": with_policy(folder), **settings}
    if database_url is not None:
        known["database_url"] = database_url
    with (
        served(folder, "--model", str(model), "--threads", "1", settings=known) as running,
        httpx.Client(base_url=running.url, timeout=60) as client,
    ):
        yield running, client


# --- disks ---


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a file system of 8 MiB at ``folder``."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Change:
    """Fill the disk; return a function that frees the space."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler.unlink


def limit(running: Served, folder: Path) -> Change:
    """Limit the process's files to the size of the longest one; return a function that lifts the limit."""
    longest = max(path.stat().st_size for path in folder.iterdir())
    before = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (longest, resource.RLIM_INFINITY))
    return lambda: resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, before) and None


def immutable(folder: Path) -> Change:
    """Make the files in ``folder`` immutable, open ones included; return a function that undoes it."""
    paths = [*map(str, folder.iterdir()), str(folder)]

    def change(flag: str) -> bool:
        return subprocess.run(["chattr", flag, *paths], capture_output=True).returncode == 0

    if os.geteuid() or not change("+i"):
        change("-i")
        pytest.skip("needs the right to make files immutable, on a file system that knows of it")
    return lambda: change("-i") and None


def check_disk(folder: Path, disk: Path, model: Path, spoil: Callable[[Served], Change], reason: str) -> None:
    """Check that a service on ``disk`` refuses what it cannot store, reports it, and recovers with the disk."""
    with service(folder, model, f"sqlite:///{disk}/s.sqlite3") as (running, client):
        accepted = {f"before-{number}" for number in range(20)}
        assert keep(client, *accepted).status_code == 200
        assert ready(client)["store"] == "ok"
        mend = spoil(running)
        try:
            unkept = until(lambda: refused(client, accepted))
            assert (unkept.status_code, unkept.json()["type"]) == UNKEPT
            assert ready(client)["store"] == "failing"
            assert client.post("/v1/score", json={"comments": [{"text": "fine"}]}).status_code == 200
            assert len(client.get("/v1/queue").json()["items"]) == min(50, len(accepted))
            assert keep(client, "lost").status_code == 503
            assert ready(client)["store"] == "failing"
        finally:
            mend()
        until(lambda: ready(client)["ready"])
        assert keep(client, "lost", "after").status_code == 200
        accepted |= {"lost", "after"}
        assert ready(client)["ready"]
        assert running.process.poll() is None
        assert reason in running.log.read_text()
    check_kept(running.database_url, accepted)


def refused(client: httpx.Client, accepted: set[str]) -> httpx.Response | None:
    """Return the answer to a comment that is refused; record one that still finds room and is accepted."""
    name = f"more-{len(accepted)}"
    answer = keep(client, name)
    if answer.status_code != 200:
        return answer
    accepted.add(name)
    return None


def test_a_full_disk(tiny_model_dir: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk"):
        check_disk(
            tmp_path,
            tmp_path / "disk",
            tiny_model_dir,
            lambda _: fill(tmp_path / "disk"),
            "free space on its disk",
        )


def test_files_that_may_not_grow(tiny_model_dir: Path, tmp_path: Path) -> None:
    """Same effect as a disk quota."""
    disk = tmp_path / "disk"
    disk.mkdir()
    check_disk(
        tmp_path, disk, tiny_model_dir, lambda running: limit(running, disk), "check whether its disk is full"
    )


def test_a_disk_that_becomes_read_only(tiny_model_dir: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    check_disk(
        tmp_path,
        disk,
        tiny_model_dir,
        lambda _: immutable(disk),
        "check whether its disk is full, read-only or damaged",
    )


def test_no_start_on_a_read_only_disk(tiny_model_dir: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    url = f"sqlite:///{disk}/s.sqlite3"
    Database.open(url).close()
    mend = immutable(disk)
    try:
        assert refusal(tmp_path, tiny_model_dir, url).startswith("belowline: the database cannot be opened: ")
    finally:
        mend()
    with service(tmp_path, tiny_model_dir, url) as (_, client):
        assert ready(client)["ready"]


def refusal(folder: Path, model: Path, database_url: str | None = None) -> str:
    """Return the one line with which a service refuses to start."""
    with pytest.raises(RuntimeError), service(folder, model, database_url):
        pass
    *earlier, line = (folder / "served.log").read_text().splitlines()
    assert all(one.startswith("INFO ") for one in earlier)
    return line


# --- databases ---


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresProcess]:
    """A server that keeps acknowledged data through a crash of its processes; the machine does not crash."""
    with postgres_process({"fsync": "off"}) as process:
        yield process


def freeze(server: PostgresProcess) -> Change:
    """Suspend all of the server's processes; return a function that resumes them."""
    pids = [server.pid, *children(server.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    def thaw() -> None:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)

    return thaw


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def stop(server: PostgresProcess, how: str) -> Change:
    server.stop(how)
    return server.start


def test_a_database_that_goes_and_comes_back(
    tiny_model_dir: Path, tmp_path: Path, server: PostgresProcess
) -> None:
    ways: dict[str, Callable[[], Change]] = {
        "fast": lambda: stop(server, "fast"),
        "crash": lambda: stop(server, "immediate"),
        "frozen": lambda: freeze(server),
    }
    with service(tmp_path, tiny_model_dir, server.address) as (running, client):
        with Insisting(running.url) as callers:
            for leave in ways.values():
                after_a_while(callers)
                come_back = leave()
                try:
                    until(lambda: ready(client)["store"] == "unreachable")
                    assert client.get("/healthz").status_code == 200
                finally:
                    come_back()
                until(lambda: ready(client)["ready"])
            after_a_while(callers)
        assert running.process.poll() is None
    assert set(callers.statuses) <= {200, 201, 503}
    check_kept(server.address, callers.accepted, callers.unsure, callers.decided)


def after_a_while(callers: Insisting) -> None:
    """Wait until ten more decisions are acknowledged."""
    before = len(callers.decided)
    until(lambda: len(callers.decided) > before + 10)


# --- clocks ---


def test_a_clock_that_is_set(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = tmp_path / "clock"
    monkeypatch.setenv("CLOCK_FILE", str(clock))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "set_clock"))
    clock.write_text("0")
    accepted: list[str] = []
    with service(tmp_path, tiny_model_dir, api_keys=",".join(KEYS.values())) as (running, client):

        def keeps() -> None:
            accepted.append(f"c{len(accepted)}")
            client.headers["X-API-Key"] = KEYS["ann"]
            assert keep(client, accepted[-1]).status_code == 200
            assert keep(client, accepted[-1]).json()["results"][0]["changed"] is False

        def got(who: str) -> list[str]:
            body = {"limit": 1, "sort": "oldest"}
            answer = client.post("/v1/queue/claim", json=body, headers={"X-API-Key": KEYS[who]})
            return [one["caller_id"] for one in answer.json()["items"]]

        def set_to(seconds: float) -> None:
            part = clock.with_suffix(".part")
            part.write_text(str(seconds))
            part.replace(clock)  # in one write, because the service reads the file at every look at its clock
            keeps()
            assert ready(client)["ready"]
            figures = client.get("/v1/stats").json()
            assert figures["oldest_age"] >= 0
            assert figures["median_age"] >= 0

        keeps()
        assert (got("ann"), got("ben")) == (["c0"], [])
        set_to(DAY)
        assert (got("ben"), got("ann")) == (["c0"], ["c1"])  # a lease is over
        set_to(0)
        assert (got("cleo"), got("ann")) == (["c0"], ["c1"])  # a lease from tomorrow is free today
        set_to(-DAY)
        assert (got("dan"), got("ann")) == (["c0"], ["c1"])
        client.headers["X-API-Key"] = KEYS["dan"]
        assert client.post("/v1/comments/s:c0/decisions", json={"action": "reject"}).status_code == 201
        set_to(0)
        log = client.get("/v1/decisions").text.splitlines()
        assert len(log) == len(accepted) + 1
        newest = client.get("/v1/queue?sort=newest").json()["items"]
        assert [one["caller_id"] for one in newest] == accepted[:0:-1]  # in order of arrival
        assert client.get("/v1/stats").json()["time_to_decision"] == 0
        assert "ERROR" not in running.log.read_text()
    check_kept(running.database_url, set(accepted), decided={"c0"})


def test_a_lease_from_a_clock_ahead_keeps_nobody_from_deciding(desk: Desk) -> None:
    first, second = desk.hold(2)
    desk.claim("ann", 2)
    for comment, ahead in ((first, timedelta(days=1)), (second, timedelta(minutes=2))):
        until_then = now() + queue_items.LEASE + ahead
        change = (
            update(queue_items.items)
            .where(queue_items.items.c.comment_id == comment)
            .values(claimed_until=until_then)
        )
        desk.do(lambda tx, change=change: tx.execute(change))
    assert desk.claim("ben", 2) == [first]
    desk.do(queue_items.release, "ben")
    assert desk.rule(first, "reject", BEN).action == "reject"
    refused_as("conflict", desk.rule, second, "reject", BEN)  # clocks of two machines may differ by minutes


# --- model files and the process ---


def test_model_files_that_are_spoiled_under_way(tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "model")
    other = build_tiny_model(tmp_path / "other", seed=8)
    network = model / "model.onnx"
    spoil: dict[str, Change] = {
        "the link you": lambda: shutil.copyfile(other / "model.onnx", network) and None,
        "a link 7 the": lambda: os.truncate(network, 100),
        HELD: network.unlink,
        "you the link": lambda: (model / "tokenizer.json").write_text("{") and None,
    }
    before = Scorer.load(model, threads=1).score([ScoreInput(text) for text in spoil])
    with service(tmp_path, model) as (running, client):
        for (text, change), expected in zip(spoil.items(), before, strict=True):
            change()
            [found] = client.post("/v1/score", json={"comments": [{"text": text}]}).json()["results"]
            assert found["scores"] == {label: round(p, 4) for label, p in expected.probabilities.items()}
        assert ready(client)["ready"]
        assert running.process.poll() is None
    assert refusal(tmp_path, model).startswith(f"belowline: {network}: ")


def test_a_worker_killed_in_the_middle_of_a_batch(tiny_model_dir: Path, tmp_path: Path) -> None:
    accepted: list[set[str]] = [set() for _ in range(6)]
    with service(tmp_path, tiny_model_dir) as (running, client):
        sending = [
            threading.Thread(target=send, args=(running.url, caller, accepted[caller])) for caller in range(6)
        ]
        for thread in sending:
            thread.start()
        until(lambda: any(accepted) and b"\nbelowline_queue_comments 0" not in client.get("/metrics").content)
        running.process.kill()
        for thread in sending:
            thread.join()
    acknowledged = set().union(*accepted)
    check_kept(running.database_url, acknowledged, unsure=6)
    with service(tmp_path, tiny_model_dir) as (running, client):
        assert ready(client)["ready"]
        again = [f"{caller}-{len(names)}" for caller, names in enumerate(accepted)]
        assert [keep(client, name, text=LONG).status_code for name in again] == [200] * 6
    check_kept(running.database_url, acknowledged | set(again))


LONG = "the link you 7 " * 300
"""Long enough for other requests to wait meanwhile."""


def send(url: str, caller: int, accepted: set[str]) -> None:
    """Submit comments one after another until the service dies."""
    with httpx.Client(base_url=url, timeout=60) as client, suppress(httpx.TransportError):
        while keep(client, f"{caller}-{len(accepted)}", text=LONG).status_code == 200:
            accepted.add(f"{caller}-{len(accepted)}")
