"""Measurements of an audit of a million comments: rate, memory, sizes, and equal bytes after kills.

``python -m tests.bench.measure_audit --comments 1000000 --corpora DIR --folder WORK``

Both engines (processes and Ray) are compared. Comments are those of ``c3`` with variations
(tests/support/archive_of_c3.py). Results are printed and written to ``WORK/measured.json``.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from belowline.serve.audit.run import PART_COMMENTS
from tests.support.archive_of_c3 import TAILS, write_archive
from tests.support.audit_fakes import TABLES


def audited(archive: Path, out: Path, *options: str, parts: int, kills: int = 0) -> dict[str, Any]:
    """Measurements of one audit of ``parts`` parts that is killed and resumed ``kills`` times."""
    took = 0.0
    memory: list[tuple[float, float]] = []
    for life in range(kills + 1):
        began = time.perf_counter()
        until = parts * (life + 1) // (kills + 1) if life < kills else None
        ended = _run(archive, out, options, memory, took, until)
        took += time.perf_counter() - began
        if life == kills and ended:
            raise SystemExit(f"{out}: the audit ended with {ended}")
    return {
        "seconds": round(took, 1),
        "memory_mb": [(round(at), round(mb)) for at, mb in memory],
        "bytes": {file.name: file.stat().st_size for file in sorted(out.iterdir())},
        "sha256": {name: _digest(out / name) for name in TABLES},
    }


def _run(
    archive: Path,
    out: Path,
    options: tuple[str, ...],
    memory: list[tuple[float, float]],
    before: float,
    until: int | None,
) -> int:
    """Run an audit and kill it at ``until`` parts; return the exit status."""
    belowline = str(Path(sys.executable).with_name("belowline"))
    command = [belowline, "audit", str(archive), "--out", str(out), *options]
    began = time.perf_counter()
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            memory.append((before + time.perf_counter() - began, _memory_of(process.pid)))
            if until is not None and sum(1 for _ in (out / "parts").glob("*.jsonl")) >= until:
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(1)
        return process.returncode


def _memory_of(group: int) -> float:
    """Return the proportional memory (PSS) of a process group in MB: shared pages count once."""
    total = 0
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and _group_of(folder) == group:
            try:
                pss = (folder / "smaps_rollup").read_text().partition("Pss:")[2].split()[0]
            except (OSError, IndexError):
                continue
            total += int(pss)
    return total / 1024


def _group_of(folder: Path) -> int | None:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[2])
    except (OSError, IndexError):
        return None


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--comments", type=int, default=1_000_000)
    parser.add_argument(
        "--corpora", type=Path, default=Path("../shared/corpora"), help="folder that holds c3"
    )
    parser.add_argument("--folder", type=Path, required=True, help="folder to work in")
    parser.add_argument("--tails", type=float, default=TAILS, help="share of comments that are no copies")
    parser.add_argument("--kills", type=int, default=3, help="how often the broken run is killed")
    parser.add_argument(
        "--runs", default="unbroken,killed", help="which of unbroken, killed, processes-2, ray-1, ray-2"
    )
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    archive, measured = folder / f"archive-{arguments.comments}.jsonl", folder / "measured.json"
    if not archive.exists():
        write_archive(archive, arguments.comments, arguments.corpora, arguments.tails)
    found: dict[str, Any] = json.loads(measured.read_text()) if measured.exists() else {}
    options = {
        "unbroken": (),
        "killed": (),
        "processes-2": ("--processes", "2"),
        "ray-1": ("--engine", "ray", "--processes", "1", "--threads", "1"),
        "ray-2": ("--engine", "ray", "--processes", "2", "--threads", "2"),
        "threads-1": ("--threads", "1"),
    }
    for name in arguments.runs.split(","):
        out = folder / f"{name}-{arguments.comments}"
        kills = arguments.kills if name == "killed" else 0
        parts = -(-arguments.comments // PART_COMMENTS)
        found[out.name] = audited(archive, out, *options[name], parts=parts, kills=kills)
        rate = arguments.comments / found[out.name]["seconds"]
        print(
            f"{out.name}: {rate:.0f} comments/s, at most {max(mb for _, mb in found[out.name]['memory_mb'])} MB",
            flush=True,
        )
        measured.write_text(json.dumps(found, indent=1) + "\n")
    same = {
        json.dumps(one["sha256"]) for name, one in found.items() if name.endswith(f"-{arguments.comments}")
    }
    print("all runs wrote the same bytes" if len(same) == 1 else f"{len(same)} different results")


if __name__ == "__main__":
    main()
