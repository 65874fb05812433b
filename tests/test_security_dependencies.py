"""The audit of dependencies reports an unreachable service, and fails for known vulnerabilities."""

import json
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.release.audit_dependencies import Audited, pinned, read_answer, verdict

FAULT = {"id": "PYSEC-2026-1", "fix_versions": ["2.1"], "aliases": [], "description": "x"}


def answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


GOOD = {"name": "a", "version": "1", "vulns": []}
BAD = {"name": "b", "version": "2", "vulns": [FAULT, {**FAULT, "id": "GHSA-x", "fix_versions": []}]}
SKIPPED = {"name": "c", "skip_reason": "Dependency not found on PyPI and could not be audited: c (1)"}


def test_what_is_known_fails_and_is_named() -> None:
    status, told = verdict(read_answer(answer(GOOD, BAD)), required=False)
    assert status == 1
    assert "VULNERABLE b 2: PYSEC-2026-1, fixed in 2.1" in told
    assert "VULNERABLE b 2: GHSA-x, not fixed yet" in told
    assert "audited 2 of 2 packages: 2 vulnerabilities" in told


def test_nothing_known_is_good() -> None:
    assert verdict(read_answer(answer(GOOD)), required=True) == (
        0,
        "audited 1 of 1 packages: 0 vulnerabilities known",
    )


@pytest.mark.parametrize("said", ["", "Traceback (most recent call last)", "{}", answer(), answer(SKIPPED)])
def test_a_service_that_says_nothing_is_no_audit(said: str) -> None:
    for required, expected in ((False, 0), (True, 2)):
        status, told = verdict(read_answer(said), required=required)
        assert status == expected
        assert told.startswith("NOT AUDITED")


def test_packages_that_the_service_does_not_know_are_named() -> None:
    status, told = verdict(read_answer(answer(GOOD, SKIPPED)), required=False)
    assert (status, "does not know them: c" in told) == (0, True)
    assert verdict(read_answer(answer(GOOD, SKIPPED)), required=True)[0] == 2
    assert verdict(Audited(["a"], ["c"], ["b"]), required=True)[0] == 1


def test_every_pin_is_asked_about_by_its_public_version() -> None:
    assert pinned("# a note\na==1\n\ntorch==2.7.0+cpu  # why\n") == "a==1\ntorch==2.7.0\n"
    pins = pinned((ROOT / "constraints.txt").read_text("utf-8")).splitlines()
    assert all(pin.count("==") == 1 and "+" not in pin for pin in pins)
    assert len(pins) > 100
