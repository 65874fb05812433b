"""The model card: its content comes from the run's own files."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from belowline.model import Thresholds
from belowline.training.files import write_json
from belowline.training.measure.card import figure, interval, render, write_card
from belowline.training.measure.evaluate import measured
from belowline.training.measure.parts import parts_of
from belowline.training.measure.rows import TestRows
from tests.support.rows import test_rows

NAN = float("nan")
RNG = np.random.default_rng(8)
ROWS = 120
TRUTH = np.arange(ROWS) % 3 == 0
GIVEN = {
    "spam": np.clip(0.5 * TRUTH + 0.6 * RNG.random(ROWS), 0, 1),
    "hate": np.clip(0.4 * TRUTH + 0.6 * RNG.random(ROWS), 0, 1),
}


@pytest.fixture(scope="module")
def rows() -> TestRows:
    sources = np.where(np.arange(ROWS) < 80, "isca", "c3")
    slices = np.where(np.arange(ROWS) < 40, "one word", "other")
    targets = np.stack((TRUTH, TRUTH), axis=1).astype(float)
    return test_rows([f"no {n}" for n in range(ROWS)], targets, sources, slices, ("spam", "hate"))


def metrics_of(test: TestRows, path: Path, **changes: object) -> None:
    """Write metrics of two equally good models."""
    named = replace(test, texts=["women" if n < 90 else "" for n in range(ROWS)])
    wanted = ("all", "corpus isca", "corpus c3", "comments news", "comments elsewhere", "names women")
    parts = {name: mask for name, mask in parts_of(named, None).items() if name in wanted}
    tables = {
        name: measured(named, GIVEN, {"spam": Thresholds(hold=0.5)}, parts) for name in ("int8", "tfidf")
    }
    facts = {"limit": 50, "capped": {"isca": 900}, "unmeasured": {"detoxify": "no file"}}
    write_json(path, {**tables, **facts, **changes})


@pytest.fixture
def run(rows: TestRows, tmp_path: Path) -> Path:
    """A run with the files that the card reads."""
    recipe = {
        "name": "trial",
        "base": "some/encoder",
        "seed": 7,
        "hold_precision": 0.8,
        "mix": {"sms-spam": 1.5, "on-topic": 8.0},
        "generated": {"own-links": 12},
    }
    info = {
        "recipe": recipe,
        "versions": {"python": "3.11", "torch": "2", "transformers": "5"},
        "examples": {"train": 900, "validation": 80, "test": 70},
    }
    hold = {"threshold": 0.61, "precision": 0.82, "low": 0.7, "high": 0.9, "recall": 0.4, "held": 50}
    parity = {
        "texts": 40,
        "fp32_largest": 1e-6,
        "int8_mean": 0.003,
        "int8_largest": 0.02,
        "same_decisions": 1.0,
    }
    for name, content in (("run", info), ("thresholds", {"spam.hold": hold}), ("parity", parity)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content), "utf-8")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "bert", "num_hidden_layers": 5}', "utf-8")
    metrics_of(rows, tmp_path / "metrics.json")
    return tmp_path


def cells_of(card: str, beginning: str) -> list[str]:
    """Return the cells of the first table row that starts with ``beginning``."""
    line = next(line for line in card.splitlines() if line.startswith(beginning))
    return [cell.strip() for cell in line.strip(" |").split("|")]


def tables_of(card: str) -> dict[str, list[list[str]]]:
    """Return each table as rows of cells, by its first row."""
    tables: dict[str, list[list[str]]] = {}
    head = ""
    for line in card.splitlines():
        if not line.startswith("|"):
            head = ""
            continue
        head = head or line
        tables.setdefault(head, []).append(line.split("|")[1:-1])
    return tables


def test_the_card_has_the_runs_figures(run: Path, tiny_model_dir: Path) -> None:
    card = render(run, tiny_model_dir)
    assert card.startswith("# belowline 0.0.1-tiny")
    assert cells_of(card, "| `spam` |")[2:5] == ["0.61", "0.820 (0.700-0.900)", "0.400"]
    assert cells_of(card, "| `threat` |")[2:5] == ["–", "–", "–"]
    assert "900 examples for training, 80 for validation, 70 for test" in card
    assert "| sms-spam | 1.5 |" in card
    assert "12 examples from templates" in cells_of(card, "| own-links (generated)")[3]
    assert "equal decisions 100.0 %" in card
    assert "{{" not in card
    assert not {"nan", "None"} & set(card.replace("(", " ").replace("|", " ").split())


def test_it_says_what_network_it_is_and_of_what_it_was_made(run: Path, tiny_model_dir: Path) -> None:
    card = render(run, tiny_model_dir)
    assert "An encoder of 5 layers (from some/encoder)" in card
    assert "The run started" not in card
    info = json.loads((run / "run.json").read_text("utf-8"))
    info["start"] = {"version": "0.4.1", "sha256": "0123456789abcdef"}
    (run / "run.json").write_text(json.dumps(info), "utf-8")
    told = "started from the released weights of 0.4.1 (sha256 0123456789ab…)"
    for start, made in (("released", ""), ({"name": "first"}, ", made by the recipe `first`")):
        info["recipe"]["start"] = start
        (run / "run.json").write_text(json.dumps(info), "utf-8")
        assert told + made in render(run, tiny_model_dir)
    assert "counted from 0" not in render(run, tiny_model_dir)
    info["recipe"]["distil"] = {"layers": [0, 2, 5]}
    (run / "run.json").write_text(json.dumps(info), "utf-8")
    assert "layers 0, 2, 5\n" in render(run, tiny_model_dir)


def test_every_table_is_whole(run: Path, tiny_model_dir: Path) -> None:
    tables = tables_of(render(run, tiny_model_dir))
    assert len(tables) >= 7
    for head, rows in tables.items():
        assert len(rows) >= 3, head
        assert {len(row) for row in rows} == {len(rows[0])}, head
        assert all(cell.strip() == "---" for cell in rows[1]), head


def test_the_short_table_pools_and_names_what_is_near_a_comment_section(
    run: Path, tiny_model_dir: Path
) -> None:
    card = render(run, tiny_model_dir)
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    short = card[card.index("## Measured") :]
    cells = cells_of(short, "| `hate` |")
    pooled = metrics["int8"]["hate"]["all"]
    assert cells[1:4] == ["120", "40", interval(pooled, "auc")]
    assert cells[5] == "–"  # F1: the label has no threshold
    assert cells[6] == figure(pooled["precision_at_80"])
    assert cells[-1].startswith(f"c3 {metrics['int8']['hate']['corpus c3']['auc']:.3f} (")
    assert ", isca " in cells[-1]
    assert (
        short.index("### Every label and corpus")
        > short.index("### Named groups")
        > short.index("| `hate` |")
    )


def test_rows_that_were_left_out_and_peers_that_were_not_measured_are_named(
    run: Path, tiny_model_dir: Path, rows: TestRows
) -> None:
    card = render(run, tiny_model_dir)
    assert "at most 50 rows of each corpus: drawn at random from isca (900); all rows of the others" in card
    assert "Detoxify was not measured: no file." in card
    metrics_of(rows, run / "metrics.json", capped={}, unmeasured={}, limit=None)
    card = render(run, tiny_model_dir)
    assert "On test splits, all rows." in card
    assert "not measured:" not in card


def test_detoxify_has_columns_where_it_was_measured(run: Path, tiny_model_dir: Path, rows: TestRows) -> None:
    assert "AUC Detoxify" not in render(run, tiny_model_dir)
    content = json.loads((run / "metrics.json").read_text("utf-8"))
    content["detoxify"] = {"hate": content["tfidf"]["hate"]}
    (run / "metrics.json").write_text(json.dumps(content), "utf-8")
    card = render(run, tiny_model_dir)
    assert cells_of(card, "| hate | all |")[-1] == interval(content["tfidf"]["hate"]["all"], "auc")
    assert cells_of(card, "| spam | all |")[-1] == "–"
    assert all({len(row) for row in rows} == {len(rows[0])} for rows in tables_of(card).values())


def test_slices_and_groups_stand_in_the_card(run: Path, tiny_model_dir: Path) -> None:
    card = render(run, tiny_model_dir)
    assert cells_of(card, "| hate | comments news |")[2:4] == ["40", "13"]
    women = cells_of(card, "| women |")
    assert women[1:3] == ["90", "30"]
    assert women[4].endswith(")")
    assert cells_of(card, "| `hate`, over groups |")[1].endswith(")")
    assert "### Length" not in card  # not measured here


def test_figures_stand_in_the_card_where_they_lie_beside_it(
    run: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    assert "](reliability.svg)" not in render(run, tiny_model_dir)
    model = tmp_path / "released"
    model.mkdir()
    for file in tiny_model_dir.iterdir():
        (model / file.name).symlink_to(file)
    (model / "reliability.svg").write_text("<svg/>", "utf-8")
    card = render(run, model)
    assert "](reliability.svg)" in card
    assert "](precision-recall.svg)" not in card


def test_a_card_that_cannot_be_rendered_leaves_the_old_one(
    run: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    model = tmp_path / "copy"
    shutil.copytree(tiny_model_dir, model)
    write_card(run, model)
    card = (model / "README.md").read_text("utf-8")
    assert card.startswith("# belowline 0.0.1-tiny")
    (run / "parity.json").unlink()
    with pytest.raises(OSError, match=r"parity\.json"):
        write_card(run, model)
    assert (model / "README.md").read_text("utf-8") == card
    assert not list(model.glob("*.part"))


def test_the_table_of_targets_comes_from_its_file(run: Path, tiny_model_dir: Path) -> None:
    assert "### Targets" not in render(run, tiny_model_dir)
    row: Mapping[str, Any] = {
        "measure": "Drop on disguises",
        "target": "at most 0.03",
        "value": 0.021,
        "low": 0.01,
        "high": 0.04,
        "n": 500,
        "fp32": None,
        "reached": True,
        "note": "all labels",
    }
    unknown = row | {"measure": "Not done", "value": None, "low": None, "high": None, "reached": None}
    missed = row | {"measure": "Missed", "low": None, "high": None, "reached": False}
    (run / "figures.json").write_text(json.dumps({"rows": [row, unknown, missed]}), "utf-8")
    card = render(run, tiny_model_dir)
    expected = ["at most 0.03", "0.021 (0.010-0.040)", "500", "–", "yes", "all labels"]
    assert cells_of(card, "| Drop on disguises |")[1:] == expected
    assert cells_of(card, "| Not done |")[2:6] == ["–", "500", "–", "–"]
    assert cells_of(card, "| Missed |")[2:6] == ["0.021", "500", "–", "no"]


@pytest.mark.parametrize(("value", "shown"), [(0.12345, "0.123"), (1, "1.000"), (NAN, "–"), (None, "–")])
def test_figures(value: float | None, shown: str) -> None:
    assert figure(value) == shown


def test_intervals() -> None:
    assert interval({"f1": 0.5, "f1_low": 0.4, "f1_high": 0.61}, "f1") == "0.500 (0.400-0.610)"
    assert interval({"f1": None, "f1_low": None, "f1_high": None}, "f1") == interval(None, "f1") == "–"
