"""Known vulnerabilities of the packages of constraints.txt: ``python -m tests.release.audit_dependencies``.

Exit status: 0 if none is known, 1 if one is known. If no service can be reached, it prints ``NOT AUDITED`` and exits
with 0, because a missing network is no fault of a change. With BELOWLINE_AUDIT=required, as for a release, that is 2.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.client_environments import python_with

TOOL = "pip-audit==2.10.1"
SERVICES = ("pypi", "osv")
REQUIRED = "BELOWLINE_AUDIT"


@dataclass(frozen=True)
class Audited:
    """Packages that were looked up, packages unknown to the service, and one line for each vulnerability."""

    known: Sequence[str]
    unknown: Sequence[str]
    findings: Sequence[str]


def read_answer(answer: str) -> Audited:
    """Parse pip-audit's JSON; return an empty result if it is none."""
    try:
        packages = json.loads(answer)["dependencies"]
    except (ValueError, KeyError):
        packages = []
    findings = [
        f"{one['name']} {one['version']}: {fault['id']}"
        f"{', fixed in ' + ', '.join(fault['fix_versions']) if fault['fix_versions'] else ', not fixed yet'}"
        for one in packages
        for fault in one.get("vulns", ())
    ]
    return Audited(
        [one["name"] for one in packages if "skip_reason" not in one],
        [one["name"] for one in packages if "skip_reason" in one],
        findings,
    )


def verdict(audited: Audited, *, required: bool) -> tuple[int, str]:
    """Return the exit status and the message."""
    lines = [f"VULNERABLE {finding}" for finding in audited.findings]
    total = len(audited.known) + len(audited.unknown)
    if not audited.known:
        lines.append(
            "NOT AUDITED: no vulnerability service could be asked, so nothing is known about any dependency; "
            "run make audit-dependencies again where https://pypi.org or https://api.osv.dev can be reached"
        )
        return (2 if required else 0), "\n".join(lines)
    if audited.unknown:
        lines.append(f"NOT AUDITED, for the service does not know them: {', '.join(audited.unknown)}")
    lines.append(
        f"audited {len(audited.known)} of {total} packages: {len(audited.findings)} vulnerabilities known"
    )
    missed = 2 if required and audited.unknown else 0
    return (1 if audited.findings else missed), "\n".join(lines)


def pinned(constraints: str) -> str:
    """Return the pins of a constraints file without local version suffixes, which no service knows."""
    lines = (line.partition("#")[0].strip() for line in constraints.splitlines())
    return "\n".join(line.partition("+")[0] for line in lines if line) + "\n"


def ask(service: str) -> Audited:
    """Return the result of ``service`` for constraints.txt; empty if it cannot be reached."""
    try:
        python = python_with(TOOL)
    except pytest.skip.Exception as error:
        print(error, file=sys.stderr)
        return Audited([], [], [])
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder, "pins.txt")
        pins.write_text(pinned((ROOT / "constraints.txt").read_text("utf-8")), "utf-8")
        command = [str(python), "-m", "pip_audit", "-r", str(pins), "-s", service, "-f", "json"]
        command += ["--disable-pip", "--no-deps", "--progress-spinner", "off", "--timeout", "20"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=folder)
    return read_answer(done.stdout)


def main() -> int:
    """Ask the services in order until one answers."""
    audited = Audited([], [], [])
    for service in SERVICES:
        audited = ask(service)
        if audited.known:
            break
    status, told = verdict(audited, required=os.environ.get(REQUIRED) == "required")
    print(told, file=sys.stderr if "NOT AUDITED" in told or status else sys.stdout, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
