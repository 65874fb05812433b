"""Several worker processes on one port and one store.

All workers answer. The service recovers from the death of one. All end together.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from belowline.serve.metrics import Metrics
from belowline.serve.server.run import ServerError, of_each_worker
from belowline.serve.settings import Settings
from tests.conftest import ROOT
from tests.support.chaos_callers import Insisting, check_kept, with_policy
from tests.support.served_process import served
from tests.support.tiny_model import build_tiny_model
from tests.support.worker_processes import answered, busy, eventually, workers

OPENER = (
    "import sys; from belowline.serve.store.database import Database; print('ready', flush=True); "
    "sys.stdin.readline(); Database.open(sys.argv[1]).close()"
)


def requests_of_all(url: str) -> float:
    found = re.findall(r"^belowline_requests_total\{.*?\} (\S+)$", answered(url), re.MULTILINE)
    return sum(float(one) for one in found)


def alive(process: int) -> bool:
    """Return True if a process runs; a zombie counts as ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def on(database_url: str, **more: Any) -> dict[str, Any]:
    return {"database_url": database_url, "workers": 2, **more}


def test_a_killed_worker_is_replaced_and_nothing_accepted_is_lost(
    tiny_model_dir: Path, tmp_path: Path, database_url: str
) -> None:
    settings = on(database_url, policy=with_policy(tmp_path))
    with served(tmp_path, "--model", str(tiny_model_dir), settings=settings) as service:
        first, second = busy(service.url)
        with Insisting(service.url, 8) as callers:
            eventually(lambda: len(callers.accepted) > 30)
            counted = requests_of_all(service.url)
            os.kill(first, signal.SIGKILL)
            accepted = len(callers.accepted)
            eventually(lambda: len(callers.accepted) > accepted + 30)
            eventually(lambda: set(workers(service.url)) > {second} and first not in workers(service.url))
        assert requests_of_all(service.url) > counted, "what the dead one counted stays"
        assert answered(service.url, "/readyz").startswith('{"ready":true')
        living = [service.process.pid, *busy(service.url)]
    assert service.process.returncode == -signal.SIGTERM
    assert not any(alive(process) for process in living)
    check_kept(database_url, callers.accepted, callers.unsure + 1, callers.decided)
    assert re.search(rf"process {first}: .*-9; restarting in 0 s", service.log.read_text())
    assert "Traceback" not in service.log.read_text()


def test_workers_end_with_a_parent_that_is_killed(
    tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # a killed worker leaves its folder of metrics
    with served(tmp_path, "--model", str(tiny_model_dir), "--workers", "2") as service:
        both = busy(service.url)
        service.process.kill()
        eventually(lambda: not any(alive(process) for process in both))
    eventually(lambda: is_free(service.url))


def is_free(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind((host, int(port)))
        except OSError:
            return False
    return True


def test_a_worker_that_cannot_begin_is_tried_again_while_the_other_serves(tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "model")
    with served(tmp_path, "--model", str(model), "--workers", "2") as service:
        first, second = busy(service.url)
        model.rename(tmp_path / "elsewhere")
        os.kill(first, signal.SIGTERM)
        eventually(lambda: "restarting in 1 s" in service.log.read_text())
        assert answered(service.url, "/readyz").startswith('{"ready":true')
        assert set(workers(service.url)) == {second}
        shutil.copytree(tmp_path / "elsewhere", model)
        assert first not in busy(service.url)
    assert re.search(r"worker \d, process \d+: .*model.*; restarting in 1 s", service.log.read_text())


def failed(folder: Path, *arguments: str) -> str:
    """Return the only line of a failing start with two workers."""
    code = "from belowline.serve.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", "--workers", "2", *arguments],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if not name.startswith("BELOWLINE_")}
        | {"BELOWLINE_LOG_LEVEL": "error"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.returncode == 1, done
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    return line


def test_a_start_that_fails_is_one_line(tmp_path: Path) -> None:
    assert "no/such" in failed(tmp_path, "--port", "0", "--model", "no/such")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1 port {port}: address already in use" in failed(
            tmp_path, "--port", port
        )


def test_workers_share_the_cores_out_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert of_each_worker(Settings(workers=3)).threads == 2
    assert of_each_worker(Settings(workers=20)).threads == 1
    assert of_each_worker(Settings(workers=3, threads=5)).threads == 5


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_workers_cannot_share_a_database_in_memory(url: str) -> None:
    with pytest.raises(ServerError, match="database in memory"):
        of_each_worker(Settings(workers=2, database_url=url))


def test_processes_that_open_an_empty_database_at_once_all_do(empty_url: str) -> None:
    command = [sys.executable, "-c", OPENER, empty_url]
    openers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(4)
    ]
    for one in openers:
        assert one.stdout
        assert one.stdout.readline() == "ready\n"
    for one in openers:
        assert one.stdin
        one.stdin.write("\n")
        one.stdin.flush()
    for one in openers:
        one.communicate(timeout=120)
    assert [one.returncode for one in openers] == [0] * 4
    engine = create_engine(empty_url)
    with engine.connect() as connection:
        assert len(connection.execute(text("SELECT version_num FROM alembic_version")).all()) == 1
    engine.dispose()


def test_one_process_counts_by_itself() -> None:
    waiting = [3]
    metrics = Metrics(lambda: waiting[0])
    metrics.active("1", "a" * 64, 3, behind=True)
    metrics.active("2", "b" * 64, 4, behind=False)
    metrics.request("GET", "/healthz", 200, 0.1)
    waiting[0] = 5
    shown = metrics.render().decode()
    assert 'belowline_model_info{digest="aaaaaaaaaaaa",version="1"} 0.0' in shown
    assert 'belowline_model_info{digest="bbbbbbbbbbbb",version="2"} 1.0' in shown
    assert "belowline_active_policy 4.0" in shown
    assert "belowline_model_behind 0.0" in shown
    assert "belowline_queue_comments 5.0" in shown
    assert "belowline_worker_requests 1.0" in shown
