"""Shared fixtures of training tests: miniature corpora, a base, and one trained network."""

from pathlib import Path

import pytest
from rich.console import Console

from belowline.training.recipes.recipe import Recipe, load_recipe
from tests.support.recipes import changed
from tests.support.selection import NEEDS_TORCH
from tests.support.tiny_training import write_base, write_corpora, write_decisions, write_recipe


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with corpora, a base, a recipe and decisions; each test names its own runs."""
    pytest.importorskip("torch", reason=NEEDS_TORCH)
    root = tmp_path_factory.mktemp("workshop")
    write_corpora(root / "corpora")
    write_recipe(root / "recipe.toml", write_base(root / "base"))
    write_decisions(root / "decisions.jsonl", 90)
    return root


@pytest.fixture(scope="session")
def plain(workshop: Path) -> Recipe:
    """The recipe in a fixed number format: the automatic choice depends on the load, and tests compare runs."""
    fixed = {"checks": {"wrong_labels": False}, "fit": {"precision": "fp32"}}
    return changed(load_recipe(workshop / "recipe.toml"), **fixed)


@pytest.fixture(scope="session")
def trained_run(workshop: Path, plain: Recipe) -> Path:
    """The directory of a finished run of ``plain``."""
    from belowline.training.fit.fit import fit  # here, because tests of recipes and messages need no torch

    fit(plain, workshop / "corpora", workshop / "trained", Console(quiet=True))
    return workshop / "trained"
