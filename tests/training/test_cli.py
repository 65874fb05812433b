"""The command belowline-train: every foreseen error is one line."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from belowline.data.corpora import CORPORA
from belowline.data.decisions import read_decided
from belowline.training import cli, recipes
from tests.support.selection import NEEDS_TORCH
from tests.support.tiny_training import write_corpora, write_decisions, write_recipe

WITHOUT_TORCH = """
import sys
from importlib.machinery import PathFinder
from belowline.training.cli import main
class Hidden:
    find_spec = lambda name, *rest: None if name == "torch" else PathFinder.find_spec(name, *rest)
sys.meta_path[sys.meta_path.index(PathFinder)] = Hidden
main()
"""


def failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> list[str]:
    """Return the last lines on standard error of a failing command, after its progress."""
    monkeypatch.setattr(sys, "argv", ["belowline-train", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    if find_spec("torch") is None and "torch not installed" in shown.err:
        pytest.skip(NEEDS_TORCH)
    _, beginning, rest = shown.err.partition("belowline-train: ")
    assert beginning
    return rest.splitlines()


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    return write_recipe(tmp_path / "recipe.toml", tmp_path / "base")


@pytest.mark.parametrize(
    "command",
    ["fit --recipe r.toml", "check --recipe retrain", "export --run r", "evaluate --run r"],
)
def test_without_torch_it_says_what_to_install(command: str) -> None:
    arguments = [sys.executable, "-c", WITHOUT_TORCH, *command.split()]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    *_, line = result.stderr.splitlines()
    assert line == "belowline-train: torch not installed; run: pip install 'belowline[train]'"


def test_an_unknown_corpus(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = failure(monkeypatch, capsys, "fetch", "--corpus", "jigsaw", "--corpus", "jigsawn")
    assert line.startswith("unknown corpus jigsawn; known: toxic-spans, jigsaw, ")


def test_missing_corpora(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, recipe: Path
) -> None:
    options = ("--corpora", tmp_path / "nowhere", "--runs", tmp_path / "runs")
    (line,) = failure(monkeypatch, capsys, "fit", "--recipe", recipe, *options)
    assert line.startswith(f"{tmp_path / 'nowhere'}")
    assert "belowline-train fetch --corpus" in line


def test_a_recipe_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    absent = tmp_path / "absent.toml"
    (line,) = failure(monkeypatch, capsys, "fit", "--recipe", absent)
    packaged = ", ".join(sorted(file.stem for file in Path(recipes.__file__).parent.glob("*.toml")))
    assert line == (
        f"{absent}: cannot be read (No such file or directory); name a recipe file, or one of {packaged}"
    )
    (tmp_path / "half.toml").write_text("[mix", "utf-8")
    (line,) = failure(monkeypatch, capsys, "fit", "--recipe", tmp_path / "half.toml")
    assert "not TOML" in line


@pytest.mark.slow
def test_a_base_that_cannot_be_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, recipe: Path
) -> None:
    (tmp_path / "base").mkdir()
    options = ("--corpora", write_corpora(tmp_path / "corpora"), "--runs", tmp_path / "runs")
    (line,) = failure(monkeypatch, capsys, "fit", "--recipe", recipe, *options)
    assert f"base '{tmp_path / 'base'}': cannot be loaded" in line


@pytest.mark.parametrize("command", ["export", "evaluate"])
def test_a_directory_that_is_no_run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tiny_model_dir: Path,
    command: str,
) -> None:
    model = ("--model", tiny_model_dir) if command != "export" else ()
    (line,) = failure(monkeypatch, capsys, command, "--run", tmp_path, *model)
    assert line.startswith(f"{tmp_path}: ")
    assert line.endswith("run `belowline-train fit` first")


def test_a_directory_that_is_no_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (line,) = failure(monkeypatch, capsys, "evaluate", "--run", tmp_path, "--model", tmp_path / "none")
    assert str(tmp_path / "none") in line


def test_a_mirror_of_other_files_fails_its_checksum(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mirror = write_corpora(tmp_path / "mirror")
    options = ("--corpus", "sms-spam", "--mirror", mirror, "--to", tmp_path / "out")
    first, second = failure(monkeypatch, capsys, "fetch", *options)
    assert first == f"1 of {len(CORPORA['sms-spam'].files)} files failed"
    assert str(mirror / "sms-spam" / "SMSSpamCollection") in second
    assert "SHA-256" in second
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_progress_of_fetching_goes_to_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seen: dict[str, object] = {}
    monkeypatch.setattr("belowline.training.cli.fetch_corpora", lambda *_, **options: seen.update(options))
    cli.fetch(tmp_path, ["sms-spam"], tmp_path)
    assert getattr(seen["console"], "stderr", False) is True


def test_a_shipped_recipe_is_checked_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = [
        write_decisions(tmp_path / f"{name}.jsonl", 9, (spam,)) for name, spam in (("a", True), ("b", False))
    ]
    options = ("--corpora", tmp_path / "nowhere", "--runs", tmp_path / "runs", "--recipe", "retrain")
    said = failure(monkeypatch, capsys, "check", *options, "--decisions", files[0])
    assert said[0].startswith("one-sided: decisions:herald:")
    assert (tmp_path / "runs" / "retrain" / "data_checks.json").is_file()
    cli.check_command(Path("retrain"), tmp_path / "nowhere", tmp_path / "runs", files)
    shown = capsys.readouterr().err
    assert "WARNING not in" in shown
    assert "few-examples" in shown


def test_files_that_hold_no_decisions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "d.jsonl").write_text("no\n", "utf-8")
    options = ("--corpora", tmp_path, "--runs", tmp_path / "runs", "--decisions", tmp_path / "d.jsonl")
    (line,) = failure(monkeypatch, capsys, "fit", "--recipe", "heads", *options)
    assert "d.jsonl" in line
    assert "belowline decisions export" in line


@pytest.mark.slow
def test_one_more_run_of_a_recipe_has_a_name_and_a_version(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, workshop: Path
) -> None:
    recipe, runs = write_recipe(tmp_path / "recipe.toml", workshop / "base", limit=20), tmp_path / "runs"
    cli.fit_command(recipe, workshop / "corpora", runs, name="november", version="0.0.3")
    assert capsys.readouterr().out.strip() == str(runs / "november" / "model")
    assert (runs / "november" / "model" / "weights.pt").is_file()
    assert json.loads((runs / "november" / "run.json").read_text("utf-8"))["recipe"]["version"] == "0.0.3"


def test_a_lent_calibration_needs_a_version_and_the_other_way_round(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in (["--like", "release"], ["--version", "0.0.3"]):
        monkeypatch.setattr(sys, "argv", ["belowline-train", "export", "--run", "r", *option])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        assert caught.value.code
        shown = " ".join(capsys.readouterr().err.split())
        assert "--like" in shown
        assert "Traceback" not in shown


def test_a_table_of_labels_becomes_decisions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, out = tmp_path / "my.csv", tmp_path / "out.jsonl"
    table.write_text("text,label\nCheap watches,ad\n,ad\nThank you,none\nPerhaps,\n", "utf-8")
    (line,) = failure(monkeypatch, capsys, "import", table, "--out", out)
    assert "'ad' (2), 'none' (1)" in line
    assert not out.exists()
    assert cli.run(["import", str(table), "--map", "ad=spam,none=", "--out", str(out)]) == cli.REJECTED
    shown = capsys.readouterr().out
    assert "spam: 1 yes, 1 no" in shown
    assert "1 without a label" in shown
    assert [one.labels["spam"] for one in read_decided(out)] == [1.0, 0.0]
    [reject] = map(json.loads, Path(f"{out}.rejects.jsonl").read_text("utf-8").splitlines())
    assert (reject["position"], "watches" in reject["reason"]) == (3, False)
    table.write_text("text,label\nCheap watches,spam\n", "utf-8")
    assert cli.run(["import", str(table), "--out", str(out)]) == 0
    assert not Path(f"{out}.rejects.jsonl").exists()
    before = out.read_bytes()
    table.write_text("text,label\n,spam\n", "utf-8")
    failure(monkeypatch, capsys, "import", table, "--out", out)
    assert out.read_bytes() == before


def test_an_import_does_not_replace_its_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for table in (Path("labels.jsonl"), Path("labels.jsonl.rejects.jsonl")):
        table.write_text('{"text": "Cheap watches", "label": "spam"}\n')
        (line,) = failure(monkeypatch, capsys, "import", table)
        assert "give another --out" in line
        assert "watches" in table.read_text()
        table.unlink()


@pytest.mark.parametrize(
    "command",
    [
        ["export", "--run", "run", "--out", "."],
        ["second-look", "--first", "a", "--second", "b", "--run", "run", "--out", "."],
        ["fit", "--recipe", "newsroom", "--runs", "..", "--name", "here", "--force"],
    ],
)
def test_a_folder_with_other_files_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: list[str]
) -> None:
    mine = tmp_path / "here" / "mine.txt"
    mine.parent.mkdir()
    mine.touch()
    monkeypatch.chdir(mine.parent)
    (line,) = failure(monkeypatch, capsys, *command)
    assert "would be deleted" in line
    assert mine.exists()


def test_a_folder_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, out = tmp_path / "my.jsonl", tmp_path / "none" / "out.jsonl"
    table.write_text('{"text": "Cheap watches", "label": "spam"}\n')
    (line,) = failure(monkeypatch, capsys, "import", table, "--out", out)
    assert str(out.parent) in line
    assert "No such file" in line


@pytest.mark.parametrize("given", [["fit"], ["fit", "--recipes", "x"], ["import"], ["nothing"]])
def test_a_wrong_command_is_one_line(given: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(given) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("belowline-train: ")
    assert line.endswith("--help")


def test_version_and_help_have_short_names(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--version"], ["-h"], ["compare", "-h"], []):
        assert cli.run(arguments) == 0
    shown = capsys.readouterr().out
    assert "[gates]" in shown
    assert "Usage: belowline-train compare" in shown
