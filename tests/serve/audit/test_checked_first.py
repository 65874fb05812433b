"""Options of an audit that cannot work are refused before anything is scored."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from belowline.serve import cli
from belowline.serve.audit.review.sample import SMALLEST
from belowline.serve.audit.review.spreadsheet import write_sheet
from tests.support.serve_fakes import fake_scorer


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Any:
    scorer = fake_scorer()
    monkeypatch.setattr("belowline.serve.audit.command.load_with_digest", lambda *_: (scorer, None))
    return scorer


def archive(folder: Path, comments: int) -> Path:
    file = folder / "a.jsonl"
    file.write_text("".join(json.dumps({"text": f"comment {number}"}) + "\n" for number in range(comments)))
    return file


@pytest.mark.parametrize("option", [("--sample", "20"), ("--queue", "a b")])
def test_a_wrong_option_is_refused_before_scoring(
    scorer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    file, out = archive(tmp_path, 100), tmp_path / "out"
    assert cli.run(["audit", str(file), "--out", str(out), *option]) == 1
    assert scorer.calls == []
    assert not out.exists()
    assert option[1] in capsys.readouterr().err


def test_a_small_sample_of_a_small_archive_is_drawn(scorer: Any, tmp_path: Path) -> None:
    assert (
        cli.run(["audit", str(archive(tmp_path, 15)), "--out", str(tmp_path / "out"), "--sample", "20"]) == 0
    )
    assert len((tmp_path / "out" / "sample.csv").read_text("utf-8-sig").splitlines()) == 16


def test_a_filled_in_sample_is_kept_before_scoring(scorer: Any, tmp_path: Path) -> None:
    file, out = archive(tmp_path, 60), tmp_path / "out"
    command = ["audit", str(file), "--out", str(out), "--sample", str(SMALLEST)]
    assert cli.run(command) == 0
    sheet = out / "sample.csv"
    rows = list(csv.DictReader(sheet.read_text("utf-8-sig").splitlines()))
    write_sheet(sheet, list(rows[0]), [rows[0] | {"decision": "publish"}, *rows[1:]])
    scorer.calls.clear()
    assert cli.run([*command, "--force"]) == 1
    assert scorer.calls == []
