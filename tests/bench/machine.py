"""Circumstances of a benchmark: machine, versions, model, commit, and other load on the machine."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from belowline.model.digest import model_digest
from belowline.model.directory import read_config
from tests.bench.rounds import Setup, cores

PACKAGES = ("onnxruntime", "torch", "transformers", "tokenizers", "detoxify", "numpy")
_TOLD = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16", "avx512_bf16")
BUSY_LOAD, BUSY_SHARE = 0.5, 0.05
"""Thresholds of the page's warnings: load average at the start, and processor share of other processes in a part."""


def facts(setup: Setup) -> dict[str, Any]:
    """Return the facts that must be equal for results to be combined."""
    return {
        "quick": setup.quick,
        "machine": _machine(),
        "versions": {"Python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "model": {"version": read_config(setup.model).version, "digest": model_digest(setup.model)},
        "commit": _commit(),
    }


def start() -> dict[str, Any]:
    """Return the time of a start (or restart) and the load average of the preceding minute."""
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), "load": os.getloadavg()[0]}


def _machine() -> dict[str, Any]:
    cpu = Path("/proc/cpuinfo").read_text("utf-8")
    model = re.search(r"^model name\s*:\s*(.+)$", cpu, re.MULTILINE)
    flags = set((re.search(r"^(?:flags|Features)\s*:\s*(.+)$", cpu, re.MULTILINE) or [""])[0].split())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model[1] if model else platform.processor() or platform.machine(),
        "cores": cores(),
        "instructions": [flag for flag in _TOLD if flag in flags],
        "memory_gib": round(memory, 1),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _commit() -> str:
    """The checkout's commit, marked if tracked files differ from it; "unknown" outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip()


class Others:
    """Share of the machine's processor time that other processes used since this object was made.

    Time of this process and of its ended children is excluded.
    """

    def __init__(self) -> None:
        self._whole, self._busy = _processor_seconds()
        self._own = sum(os.times()[:4])

    def share(self) -> float:
        """Return the share, 0..1; time taken by a hypervisor counts as used by others."""
        whole, busy = _processor_seconds()
        others = busy - self._busy - (sum(os.times()[:4]) - self._own)
        return max(0.0, others / (whole - self._whole)) if whole > self._whole else 0.0


def _processor_seconds() -> tuple[float, float]:
    """Total and busy time of all cores since boot."""
    told = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    ticks = os.sysconf("SC_CLK_TCK")
    return sum(told) / ticks, (sum(told) - told[3] - told[4]) / ticks  # without idle and iowait


def warnings(bench: dict[str, Any]) -> list[str]:
    """Return the warnings about circumstances that make figures unreliable."""
    found = [
        f"Something else was running when the run of {one['at']} began: load average {one['load']:.1f}."
        for one in bench["starts"]
        if one["load"] > BUSY_LOAD
    ]
    found += [
        f"Others used {100 * part['others']:.0f} % of the processor time while “{name}” was measured."
        for name, part in bench["parts"].items()
        if part["others"] > BUSY_SHARE
    ]
    if bench["facts"]["quick"]:
        found.append("A quick run: it shows that the code works; its figures say nothing.")
    if bench["facts"]["commit"].endswith("-dirty"):
        found.append("The checkout had changes that are in no commit.")
    return found
