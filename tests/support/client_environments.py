"""Published clients, unmodified, each in its own environment, so that their packages do not conflict with ours."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = ROOT / ".clients"
"""Kept between runs: an environment is created once for each list of packages."""
OUT_OF_REACH: set[str] = set()
"""Lists of packages that could not be installed in this run; another attempt would waste minutes."""


def python_with(*packages: str) -> Path:
    """Return the interpreter of an environment with pinned ``packages``; skip the test if they are unavailable."""
    made = _made("python", packages, _make_python)
    return made / "bin" / "python"


def node_with(*packages: str) -> Path:
    """Return a folder for ``node`` with pinned ``packages``; skip the test if they are unavailable."""
    if shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    return _made("node", packages, _make_node)


def run_client(command: list[str | Path], folder: Path | None = None, **environment: str) -> str:
    """Return the output of ``command``; if it fails, fail with all of its output."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _made(kind: str, packages: tuple[str, ...], make: Callable[[Path, tuple[str, ...]], None]) -> Path:
    name = "-".join(sorted(packages)).replace("/", "_").replace("@", "").replace("==", "-")
    folder = FOLDER / f"{kind}-{name}"
    if not (folder / "complete").is_file():
        if kind in OUT_OF_REACH:
            pytest.skip(f"no packages for {kind} can be had")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            make(folder, packages)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            OUT_OF_REACH.add(kind)
            pytest.skip(f"cannot install {', '.join(packages)}: {error}")
        (folder / "complete").touch()
    return folder


def _make_python(folder: Path, packages: tuple[str, ...]) -> None:
    _call([sys.executable, "-m", "venv", str(folder)], folder)
    pip = [
        str(folder / "bin" / "pip"),
        "--disable-pip-version-check",
        "-q",
        "--retries",
        "1",
        "--timeout",
        "20",
        "install",
    ]
    _call([*pip, *packages], folder)


def _make_node(folder: Path, packages: tuple[str, ...]) -> None:
    (folder / "package.json").write_text('{"private": true}\n', "utf-8")
    _call(
        [
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--fetch-retries=0",
            "--fetch-timeout=20000",
            *packages,
        ],
        folder,
    )


def _call(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=240)
