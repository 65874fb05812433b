"""SECURITY.md claims only existing things: every file, test and route that it names exists."""

import re

from tests.conftest import ROOT

TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`((?:serve|data|model|tests|training)/[\w./]*(?:::\w+)?)`", TEXT)))
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and "---" not in line][1:]


def is_there(name: str) -> bool:
    path, _, test = name.partition("::")
    return (ROOT / path).exists() and (not test or f"def {test}(" in (ROOT / path).read_text("utf-8"))


def test_what_it_names_is_there() -> None:
    missing = [name for name in NAMED if not is_there(name)]
    assert not missing


def test_every_threat_has_a_place_and_a_test() -> None:
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 5, row
        assert "`" in cells[3], row
        assert "`tests/" in cells[4], row


def test_it_tells_how_to_report_and_what_is_not_defended() -> None:
    assert len(NAMED) > 40
    assert len(ROWS) > 15
    for heading in ("## Reporting", "## Threat model", "## What is left to you"):
        assert heading in TEXT
