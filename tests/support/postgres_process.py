"""A private PostgreSQL: created in a folder, started, stopped in any way, and removed afterwards."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings of a server that may lose all data."""


class PostgresProcess:
    """A server on a socket in ``folder``; ``address`` is that of its default database."""

    def __init__(self, programs: Path, folder: Path, settings: Mapping[str, str]) -> None:
        self._programs, self._folder = programs, folder
        known = {"listen_addresses": "", "unix_socket_directories": str(folder), "max_connections": "100"}
        self._options = " ".join(f"-c {name}='{value}'" for name, value in (known | settings).items())
        self._as_user: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            owner = pwd.getpwnam("postgres")
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            self._as_user = [
                "setpriv",
                f"--reuid={owner.pw_uid}",
                f"--regid={owner.pw_gid}",
                "--clear-groups",
            ]
        self._call("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")

    @property
    def address(self) -> str:
        return f"postgresql+psycopg://postgres@/postgres?host={self._folder}"

    @property
    def pid(self) -> int:
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        self._call("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", self._options, "start")

    def stop(self, how: str = "immediate") -> None:
        """Stop the server: ``fast`` ends open work in order, ``immediate`` is a crash."""
        self._call("pg_ctl", "-w", "-m", how, "stop")

    def _call(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as_user, str(self._programs / program), "-D", str(self._folder / "data"), *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout


@contextmanager
def postgres_process(settings: Mapping[str, str]) -> Iterator[PostgresProcess]:
    """Yield a running server, which a test may stop; skip if PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip(
            "needs PostgreSQL (Debian: apt install postgresql) or a server in BELOWLINE_TEST_POSTGRES"
        )
    folder = Path(tempfile.mkdtemp(prefix="belowline-pg-"))
    try:
        server = PostgresProcess(programs, folder, settings)
        server.start()
        try:
            yield server
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return debian[-1].parent if debian else None
