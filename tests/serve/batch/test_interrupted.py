"""Interrupted and failing runs leave earlier results as they are; progress is seen on terminals and in logs."""

import errno
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from belowline.model import Scorer
from belowline.serve import cli
from belowline.serve.batch import terminal
from belowline.serve.batch.rejects import rejects_path
from tests.support.serve_fakes import fake_scorer

ROWS = 3000


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "in.jsonl"
    texts = ["spam", "hate", "fine", "fine", ""] * (ROWS // 5)
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return file


@pytest.fixture
def earlier(tmp_path: Path) -> Iterator[Path]:
    """Yield a target with earlier results; check at the end that they and nothing else are there."""
    out = tmp_path / "out.jsonl"
    out.write_text("earlier")
    rejects_path(out).write_text("earlier rejects")
    before = {*tmp_path.iterdir(), tmp_path / "in.jsonl"}
    yield out
    assert out.read_text() == "earlier"
    assert rejects_path(out).read_text() == "earlier rejects"
    assert set(tmp_path.iterdir()) == before


def scorer_that(monkeypatch: pytest.MonkeyPatch, act: Any = lambda: None, after: int = 1) -> None:
    """Use a scorer that calls ``act`` after ``after`` chunks."""
    calls: list[None] = []

    def before() -> None:
        calls.append(None)
        if len(calls) > after:
            act()

    monkeypatch.setattr(Scorer, "load", lambda *_, **__: fake_scorer(before))


def test_an_interrupt_leaves_the_earlier_results(
    source: Path, earlier: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    scorer_that(monkeypatch, interrupt)
    assert cli.run(["score", "--in", str(source), "--out", str(earlier)]) == 130
    assert capsys.readouterr().err == f"belowline: interrupted after 1,024 comments; {earlier} is unchanged\n"


def test_a_termination_leaves_the_earlier_results(
    source: Path, earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    scorer_that(monkeypatch, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(SystemExit) as stopped:
        cli.run(["score", "--in", str(source), "--out", str(earlier)])
    assert stopped.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == handler


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_a_full_disk_is_one_line(
    source: Path,
    earlier: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    scorer_that(monkeypatch)
    monkeypatch.setattr(os, "fsync", full)
    target = earlier.with_name(name)
    assert cli.run(["score", "--in", str(source), "--out", str(target)]) == 1
    shown = capsys.readouterr().err
    assert "cannot be written (No space left on device)" in shown
    assert name in shown


def test_a_folder_that_cannot_be_written_is_noticed_before_scoring(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_pipeline", lambda *_: pytest.fail("the model is loaded"))
    monkeypatch.setattr(os, "access", lambda path, mode, **_: mode == os.R_OK)
    assert cli.run(["score", "--in", str(source), "--out", str(tmp_path / "out.csv")]) == 1
    assert f"the folder {tmp_path} is read-only" in capsys.readouterr().err


def test_the_closing_line_counts(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "monotonic", lambda: 0.0)  # no time for lines of progress
    scorer_that(monkeypatch)
    out = tmp_path / "out.jsonl"
    assert cli.run(["score", "--in", str(source), "--out", str(out)]) == 3
    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        "scored 2,400: 1,200 published, 1,200 held (spam 600, hate speech 600), 0 rejected; "
        f"600 not readable ({rejects_path(out)}); wrote {out}"
    )


def test_a_log_gets_lines_with_the_total_and_the_time_left(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(terminal, "monotonic", lambda: clock[0])
    scorer_that(monkeypatch, lambda: clock.__setitem__(0, clock[0] + 30), after=0)
    assert cli.run(["score", "--in", str(source), "--out", str(tmp_path / "out.jsonl")]) == 3
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("scoring: ")]
    assert lines == ["scoring: 1,024 of 2,400 (34/s, 40 s left)", "scoring: 2,048 of 2,400 (34/s, 10 s left)"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89, "89 s"), (91, "2 min"), (3599, "1 h 0 min"), (9000, "2 h 30 min")],
)
def test_a_duration_is_short(seconds: float, words: str) -> None:
    assert terminal._duration(seconds) == words
