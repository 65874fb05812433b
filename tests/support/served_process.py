"""A serving process: started on its own store, observed from outside, and stopped."""

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from belowline.serve.store.database import Database
from belowline.serve.store.tables import comments
from tests.support.sqlite_store import sqlite_url

_MAIN = "from belowline.serve.cli import main; main()"
_LIMITED = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({0}, {0})); "


@dataclass(frozen=True, slots=True)
class Usage:
    """Resources of a process at one moment: ``rss`` in bytes, and processor time used so far in seconds."""

    rss: int
    files: int
    threads: int
    processor_s: float


@dataclass(frozen=True, slots=True)
class Served:
    """A running service: its address, process, log and database."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    database_url: str

    def usage(self) -> Usage:
        """Return the current usage of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE))
        files = len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        used = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        processor_s = sum(map(int, used)) / os.sysconf("SC_CLK_TCK")
        return Usage(int(found["VmRSS"]) * 1024, files, int(found["Threads"]), processor_s)

    def kept(self) -> Counter[str]:
        """Return the number of stored comments by the callers' ids."""
        return kept(self.database_url)


def kept(database_url: str) -> Counter[str]:
    """Return the number of stored comments by the callers' ids."""
    database = Database.open(database_url)
    try:
        with database.read() as tx:
            return Counter(tx.execute(select(comments.c.caller_id)).scalars())
    finally:
        database.close()


@contextmanager
def served(
    folder: Path,
    *arguments: str,
    settings: Mapping[str, object] | None = None,
    files: int | None = None,
) -> Iterator[Served]:
    """Run ``belowline serve`` with ``arguments`` and ``settings`` (without their prefix).

    The database is a new SQLite file in ``folder`` unless the settings name another. ``files`` limits the number of
    open files. The process gets SIGTERM at the end.
    """
    chosen = {"port": 0, "database_url": sqlite_url(folder / "served.sqlite3"), **(settings or {})}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BELOWLINE_")}
    environment |= {f"BELOWLINE_{name.upper()}": str(value) for name, value in chosen.items()}
    code = (_LIMITED.format(files) if files else "") + _MAIN
    log = folder / "served.log"
    with log.open("wb") as output:
        command = [sys.executable, "-u", "-c", code, "serve", *arguments]
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        try:
            yield Served(_address(process, log), process, log, str(chosen["database_url"]))
        finally:
            _end(process)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + 250
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"listens on (http://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.02)
    raise RuntimeError(f"belowline serve did not start: {log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
