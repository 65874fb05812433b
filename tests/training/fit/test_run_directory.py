"""A run directory and its run.json."""

import json
from pathlib import Path

import pytest

from belowline.training.errors import RunError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.recipes.recipe import Gates, Recipe

RECIPE = Recipe(name="r", base="b", labels=("spam",), mix={"sms-spam": 1.0})


def test_a_claimed_directory_belongs_to_its_recipe_whatever_its_gates(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run")
    assert not run.belongs_to(RECIPE)
    run.claim(RECIPE)
    assert run.belongs_to(RECIPE.model_copy(update={"gates": Gates(min_examples=50)}))
    assert (run.recipe, run.labels) == (RECIPE, ("spam",))
    with pytest.raises(RunError, match="another recipe"):
        run.claim(RECIPE.model_copy(update={"seed": 7}))


def test_facts_are_added_and_the_others_stay(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.claim(RECIPE)
    before = run.info
    run.record(precision="fp32", examples={"train": 3})
    assert run.info == before | {"precision": "fp32", "examples": {"train": 3}}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_run_keeps_the_weights_that_it_was_begun_from(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.claim(RECIPE)
    run.record_start({"version": "run", "sha256": "a"})
    run.record_start({"version": "run", "sha256": "a"})
    with pytest.raises(RunError, match="other weights"):
        run.record_start({"version": "run", "sha256": "b"})


def test_a_recipe_of_an_older_version_is_another_recipe(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    run.claim(RECIPE)
    info = run.info
    info["recipe"]["gone"] = 1
    (tmp_path / "run.json").write_text(json.dumps(info), "utf-8")
    with pytest.raises(RunError, match="another recipe"):
        run.belongs_to(RECIPE)


@pytest.mark.parametrize("content", [None, "", "[", '{"recipe": 3}'])
def test_other_folders_are_no_runs(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "run.json").write_text(content, "utf-8")
    with pytest.raises(RunError, match="not a run directory"):
        _ = RunDirectory(tmp_path).labels
    with pytest.raises(RunError, match="no dataset"):
        RunDirectory(tmp_path).data()
