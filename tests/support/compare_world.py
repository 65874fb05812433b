"""A small run for comparisons: miniature real corpora, mixed and split as for training, without any training."""

import json
from pathlib import Path

from belowline.training.dataset.mix import build
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.recipes.recipe import load_recipe
from tests.support.tiny_training import write_corpora, write_recipe


def write_run(folder: Path) -> Path:
    """Write a run directory with its dataset below ``folder``; its recipe is beside it."""
    recipe = load_recipe(write_recipe(folder / "miniature.toml", folder / "base"))
    run = folder / "run"
    RunDirectory(run).claim(recipe)
    build(recipe, write_corpora(folder / "corpora")).save_to_disk(str(run / "data"))
    return run


def spoil(directory: Path, shift: float) -> Path:
    """Shift every calibration of the model in ``directory`` by ``shift``; return the directory."""
    file = directory / "config.json"
    config = json.loads(file.read_text("utf-8"))
    for calibration in config["calibration"].values():
        calibration["shift"] += shift
    file.write_text(json.dumps(config), "utf-8")
    return directory
