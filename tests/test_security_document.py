"""SECURITY.md claims nothing that is not there: every file, test and route that it names exists."""

import ast
import re

import pytest

from tests.conftest import ROOT

TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`((?:serve|data|model|tests|training)/[\w./]*(?:::\w+)?)`", TEXT)))
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and "---" not in line][1:]


@pytest.mark.parametrize("name", NAMED)
def test_what_it_names_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    assert (ROOT / path).exists()
    if test:
        functions = ast.walk(ast.parse((ROOT / path).read_text("utf-8")))
        assert test in {one.name for one in functions if isinstance(one, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_threat_has_a_place_and_a_test(row: str) -> None:
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    assert len(cells) == 5
    assert "`" in cells[3]
    assert re.search(r"`tests/(?:\w+/)*test_", cells[4])


def test_it_tells_how_to_report_and_what_is_not_defended() -> None:
    assert len(NAMED) > 40
    assert len(ROWS) > 15
    for heading in ("## Reporting", "## Threat model", "## What is left to you"):
        assert heading in TEXT
