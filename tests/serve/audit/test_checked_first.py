"""Options of an audit that cannot work are refused before anything is scored."""

import csv
import errno
import json
import os
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


def test_parts_of_something_else_stay(
    scorer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "out" / "parts" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert cli.run(["audit", str(archive(tmp_path, 20)), "--out", str(tmp_path / "out"), "--force"]) == 1
    assert mine.exists()
    assert str(mine.parent) in capsys.readouterr().err


@pytest.mark.parametrize("name", ["comments.csv", "rejects.jsonl", "summary.json"])
def test_an_input_is_not_replaced(
    scorer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    file = archive(tmp_path, 20).rename(tmp_path / name)
    before = file.read_bytes()
    assert cli.run(["audit", str(file), "--out", str(tmp_path), "--format", "jsonl", "--force"]) == 1
    assert file.read_bytes() == before
    assert str(file) in capsys.readouterr().err


def test_a_folder_of_somebody_else_stays(scorer: Any, tmp_path: Path) -> None:
    mine = tmp_path / "out" / "inventory" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.touch()
    assert cli.run(["audit", str(archive(tmp_path, 20)), "--out", str(tmp_path / "out")]) == 0
    assert mine.exists()
    assert not any(one.name.startswith(".") for one in (tmp_path / "out").iterdir())


def test_a_full_disk_is_one_line_with_the_file(
    scorer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert cli.run(["audit", str(archive(tmp_path, 20)), "--out", str(tmp_path / "out")]) == 1
    shown = capsys.readouterr().err
    assert "rejects.jsonl: No space left on device" in shown
    assert len(shown.splitlines()) == 1


def test_a_file_name_that_is_not_utf8_is_audited(scorer: Any, tmp_path: Path) -> None:
    folder, out = tmp_path / os.fsdecode(b"caf\xe9"), tmp_path / "out"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such name")
    archive(folder, 20).rename(folder / os.fsdecode(b"caf\xe9.jsonl"))
    assert cli.run(["audit", str(folder), "--out", str(out), "--sample", "20"]) == 0
    rows = [json.loads(line) for line in (out / "comments.jsonl").read_bytes().splitlines()]
    assert {row["source"] for row in rows} == {f"{tmp_path}/caf\ufffd/caf\ufffd.jsonl:1"}
