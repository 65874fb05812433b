"""Every target is measured by one command, on a random model."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict
from rich.console import Console

from belowline.training.errors import RunError
from belowline.training.recipes.recipe import Recipe
from tests.release import figures as module
from tests.release.figures import TARGETS, Target, figures, show, write
from tests.release.label_figures import OnSplit
from tests.support.tiny_model import LABELS, build_tiny_model
from tests.support.tiny_training import write_base

pytestmark = pytest.mark.slow

QUIET = Console(quiet=True)
CORPORA = {
    "isca": ("hate", "antisemitism"),
    "dghs": ("hate",),
    "ghc": ("hate",),
    "implicit-hate": ("hate",),
    "hatexplain": ("hate",),
    "toxic-spans": ("personal_attack",),
    "jigsaw": ("personal_attack",),
    "cad": ("hate", "personal_attack"),
    "sms-spam": ("spam",),
}
ROWS = 24


def row(source: str, number: int) -> dict[str, object]:
    labels = [float(number % 2) if label in CORPORA[source] else None for label in LABELS]
    text = f"the {'link' * (number % 5)} {source} you {'.' * (number % 3)} no {number}"
    part = "rationales 0" if number < ROWS // 2 else "other"
    fixed = {"spans": [], "spans_known": False, "source": source, "row": str(number), "slice": part}
    return {"text": text, "labels": labels, **fixed}


def write_c3(root: Path) -> None:
    names = "comment_counter article_id comment_text constructive crowd_toxicity_level njudgements_toxicity_expt toxicity_characteristics"
    (root / "c3").mkdir(parents=True)
    with (root / "c3" / "C3_anonymized.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names.split())
        for number in range(ROWS):
            text = f"you link {'the ' * (number % 6)} {number}"
            writer.writerow((f"c{number}", "a1", text, number % 2, "", "", ""))


def write_toxic_spans(root: Path) -> None:
    (root / "toxic-spans").mkdir(parents=True)
    files = {
        "comments": ["comment_id,comment_text", *(f"{n},the text of {n}" for n in range(ROWS))],
        "annotations": ["annotation,comment_id,worker", *(f"{n},{n},7" for n in range(ROWS))],
        "spans": ["annotation,type,start,end", *(f"{n},Insult,0,3" for n in range(0, ROWS, 2))],
    }
    for name, lines in files.items():
        (root / "toxic-spans" / f"{name}.csv").write_text("\n".join(lines) + "\n", "utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with data and fp32 twin, a model with other weights, and corpora."""
    root = tmp_path_factory.mktemp("figures")
    build_tiny_model(root / "model")
    build_tiny_model(root / "run" / "fp32", seed=8)
    data = Dataset.from_list([row(source, number) for source in CORPORA for number in range(ROWS)])
    DatasetDict({"validation": data, "test": data}).save_to_disk(str(root / "run" / "data"))
    base = {"recipe": {"base": str(write_base(root / "base"))}}
    (root / "run" / "run.json").write_text(json.dumps(base), "utf-8")
    write_c3(root / "corpora")
    write_toxic_spans(root / "corpora")
    return root


@pytest.fixture(scope="module")
def rows(place: Path) -> dict[str, dict[str, object]]:
    found = figures(place / "run", place / "model", place / "corpora", QUIET)
    return {str(one["measure"]): one for one in found}


def test_every_target_has_a_row_with_figures_or_a_reason(rows: dict[str, dict[str, object]]) -> None:
    assert list(rows) == [target.measure for target in TARGETS]
    for measure, one in rows.items():
        if "left out in turn" in measure:
            assert (one["value"], one["reached"], one["n"]) == (None, None, 0)
            assert "--videos" in str(one["note"])
        elif (
            "author" in measure or "names" in measure or "left out" in measure
        ):  # needs blog-spam and weights
            assert (one["value"], bool(one["note"])) == (None, True)
        else:
            assert isinstance(one["value"], float), measure
            assert isinstance(one["reached"], bool)
        if one["low"] is not None:
            assert one["low"] <= one["high"]  # type: ignore[operator]


def test_fp32_is_measured_where_auc_is(rows: dict[str, dict[str, object]]) -> None:
    for target in TARGETS:
        ranked = isinstance(target.of, OnSplit) and target.of.statistic == "AUC"
        assert (rows[target.measure]["fp32"] is not None) == ranked, target.measure
    lost = rows["int8 against fp32: AUC lost on any row above"]
    losses = [one["fp32"] - one["value"] for one in rows.values() if one["fp32"] is not None]  # type: ignore[operator]
    assert lost["value"] == pytest.approx(max(losses))


def test_each_is_of_its_rows(rows: dict[str, dict[str, object]]) -> None:
    counts = {measure: one["n"] for measure, one in rows.items()}
    assert counts["hate, ghc: AUC"] == ROWS
    assert counts["hate against normal, hatexplain validation: AUC"] == ROWS // 2
    assert counts["on topic, c3's constructive vote: AUC"] == ROWS
    assert counts["evidence, toxic-spans: mean character F1"] == ROWS
    assert counts["embedding, pairs of c3 comments: Spearman with the base"] == 5000
    assert counts["spam in unseen disguises: recall at 1 % false positives on c3"] == 500
    assert "at most 3000 comments, drawn with seed 0" in str(
        rows["on topic, c3's constructive vote: AUC"]["note"]
    )


def test_the_file_is_what_was_returned(rows: dict[str, dict[str, object]], place: Path) -> None:
    written = json.loads((place / "run" / "figures.json").read_text("utf-8"))
    assert written == {"rows": list(rows.values())}
    assert set(written["rows"][0]) == {
        *("measure", "target", "value", "low", "high", "n", "fp32", "reached", "note")
    }
    size = (place / "model" / "model.onnx").stat().st_size
    assert written["rows"][-1]["value"] == size / 1e6


def test_without_twin_and_corpora_the_rest_is_measured(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "run", tmp_path / "run", ignore=shutil.ignore_patterns("fp32", "figures.json"))
    found = figures(tmp_path / "run", place / "model", tmp_path, QUIET, limit=10)
    by = {str(one["measure"]): one for one in found}
    for measure in (
        "on topic, c3's constructive vote: AUC",
        "evidence, toxic-spans: mean character F1",
        "embedding, pairs of c3 comments: Spearman with the base",
        "int8 against fp32: AUC lost on any row above",
    ):
        assert by[measure]["value"] is None
        assert by[measure]["note"]
    assert (by["hate, ghc: AUC"]["n"], by["hate, ghc: AUC"]["fp32"]) == (10, None)
    assert str(by["hate, ghc: AUC"]["note"]).endswith("a quick look: at most 10 rows of a corpus")


class Stopped(Exception):
    """End a measurement once the videos are trained."""


def test_videos_are_trained_when_asked(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Recipe, Path, Path, Console]] = []

    def stop(*_: object) -> None:
        raise Stopped

    monkeypatch.setattr(module, "leave_one_out", lambda *arguments: asked.append(arguments))
    monkeypatch.setattr(module, "read", stop)
    for videos in (False, True):
        with pytest.raises(Stopped):
            figures(place / "run", place / "model", tmp_path, QUIET, videos=videos)
    ((recipe, corpora, folder, _),) = asked
    assert (recipe.name, corpora, folder) == ("leave-one-video", tmp_path, place / "run" / "videos")


def test_a_directory_that_is_no_run(place: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="belowline-train fit"):
        figures(tmp_path, place / "model", place / "corpora", QUIET)
    shutil.copytree(place / "run" / "data", tmp_path / "data")
    with pytest.raises(RunError, match=r"no run\.json"):
        figures(tmp_path, place / "model", place / "corpora", QUIET)


# --- targets, table, file ---


def test_targets() -> None:
    least, most = Target("a", 0.9, "x"), Target("b", 0.02, "x", at_most=True)
    assert (least.text, most.text) == ("≥ 0.9", "≤ 0.02")
    assert [least.reached(value) for value in (0.9, 0.89, float("nan"))] == [True, False, None]
    assert [most.reached(value) for value in (0.02, 0.03)] == [True, False]


ROW: dict[str, object] = {
    **{"measure": "hate, ghc: AUC", "target": "≥ 0.88", "value": 0.9, "low": 0.85, "high": 0.94},
    **{"n": 7, "fp32": None, "reached": True, "note": "3 positive [sic]"},
}


def test_the_table() -> None:
    console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    nothing = ROW | {"value": None, "low": None, "high": None, "reached": None}
    show([ROW, ROW | {"reached": False}, nothing], console)
    text = console.export_text()
    lines = [line for line in text.splitlines() if "≥" in line]
    assert "0.900 (0.850-0.940)" in lines[0]
    assert [line.split("│")[-2].strip() for line in lines] == ["yes", "no", "-"]
    assert text.count("hate, ghc: AUC: 3 positive [sic]") == 3


def test_a_broken_write_leaves_the_old_file(tmp_path: Path) -> None:
    write([ROW], tmp_path / "figures.json")
    with pytest.raises(ValueError):
        write([ROW | {"value": float("nan")}], tmp_path / "figures.json")
    assert json.loads((tmp_path / "figures.json").read_text("utf-8")) == {"rows": [ROW]}
