"""Training with each video left out in turn, on miniature corpora and a random encoder."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from rich.console import Console

from belowline.training.errors import RunError
from belowline.training.recipes.recipe import Recipe, load_recipe
from tests.release import leave_one_out as module
from tests.release.leave_one_out import (
    Predictions,
    leave_one_out,
    read_predictions,
    video_figures,
    videos_recipe,
    without,
)
from tests.support.tiny_training import write_base, write_corpora, write_recipe

QUIET = Console(quiet=True)
VIDEOS = ["Youtube01-Psy", "Youtube02-KatyPerry", "Youtube03-LMFAO", "Youtube04-Eminem"]


def rows(*given: tuple[str, str, str]) -> Dataset:
    return Dataset.from_list(
        [{"source": source, "slice": part, "text": text} for source, part, text in given]
    )


@pytest.fixture
def data() -> DatasetDict:
    return DatasetDict(
        {
            "train": rows(
                ("youtube-spam", "A", "song of a"),
                ("youtube-spam", "B", "song of b"),
                ("sms-spam", "", "song of a, by telephone"),
            ),
            "validation": rows(("youtube-spam", "C", "song of c"), ("sms-spam", "", "kept for validation")),
            "test": rows(("youtube-spam", "D", "song of d"), ("sms-spam", "", "kept for test")),
        }
    )


def test_a_video_is_left_out(data: DatasetDict) -> None:
    left = without(data, "A")
    assert left["test"]["text"] == ["song of a"]
    assert sorted(left["train"]["text"]) == [
        "song of a, by telephone",
        "song of b",
        "song of c",
        "song of d",
    ]


def test_a_video_of_any_split_is_tested_on(data: DatasetDict) -> None:
    assert without(data, "C")["test"]["text"] == ["song of c"]


def test_the_recipe_of_the_project_knows_spam_only() -> None:
    recipe = videos_recipe()
    assert recipe.labels == ("spam",)
    assert {"youtube-spam", "sms-spam", "janitr"} < set(recipe.mix)
    assert set(recipe.generated) == {"link-spam", "own-links"}


# --- the whole pipeline ---


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpora(tmp_path_factory.mktemp("videos") / "corpora")


@pytest.fixture(scope="module")
def recipe(corpora: Path) -> Recipe:
    written = write_recipe(corpora.parent / "r.toml", write_base(corpora.parent / "base"), labels=["spam"])
    recipe = load_recipe(written)
    short = recipe.fit.model_copy(update={"passes": 2.0, "checkpoint_minutes": 60.0})
    return recipe.model_copy(update={"limit": 160, "fit": short})


@pytest.fixture(scope="module")
def found(recipe: Recipe, corpora: Path) -> Predictions:
    return leave_one_out(recipe, corpora, corpora.parent / "videos", QUIET)


@pytest.mark.slow
def test_every_video_is_predicted_once(found: Predictions) -> None:
    assert list(found) == VIDEOS
    for target, probability in found.values():
        assert len(target) == len(probability) > 20
        assert set(target) == {0.0, 1.0}
        assert ((probability > 0) & (probability < 1)).all()


@pytest.mark.slow
def test_spam_is_learned_from_the_other_videos(found: Predictions) -> None:
    accuracy, auc = video_figures(found)
    assert auc.value > 0.95
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert accuracy.n == auc.n == sum(len(target) for target, _ in found.values())


@pytest.mark.slow
def test_what_was_found_is_kept_and_not_trained_again(
    found: Predictions, recipe: Recipe, corpora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = corpora.parent / "videos"
    kept = read_predictions(folder)
    assert list(kept) == VIDEOS
    for video in VIDEOS:
        assert kept[video][0].tolist() == found[video][0].tolist()
        assert kept[video][1] == pytest.approx(found[video][1], abs=1e-6)
    monkeypatch.setattr(module, "build", lambda *_: pytest.fail("mixed again"))
    again = leave_one_out(recipe, corpora, folder, QUIET)
    assert again[VIDEOS[2]][1].tolist() == found[VIDEOS[2]][1].tolist()
    assert not list(folder.rglob("*.part"))


@pytest.mark.slow
def test_another_recipe_is_refused(found: Predictions, recipe: Recipe, corpora: Path) -> None:
    other = recipe.model_copy(update={"seed": 99})
    with pytest.raises(RunError, match="begun with another recipe"):
        leave_one_out(other, corpora, corpora.parent / "videos", QUIET)


# --- the figures ---


def test_every_video_counts_alike() -> None:
    right, wrong = np.array([0.0, 1.0]), np.array([1.0, 0.0])
    found = {"small": (right, right), "large": (np.tile(right, 40), np.tile(wrong, 40))}
    accuracy, auc = video_figures(found)
    assert (accuracy.value, auc.value) == (0.5, 0.5)
    assert (accuracy.n, accuracy.note) == (82, "mean of large 0.000, small 1.000")


def test_without_predictions_it_says_what_to_do(tmp_path: Path) -> None:
    for figure in video_figures(read_predictions(tmp_path)):
        assert math.isnan(figure.value)
        assert "--videos" in figure.note


@pytest.mark.slow
def test_predictions_are_numbers_only(found: Predictions, corpora: Path) -> None:
    content = json.loads((corpora.parent / "videos" / "predictions.json").read_text("utf-8"))
    assert set(content[VIDEOS[0]]) == {"spam", "probability"}
    assert all(isinstance(value, float) for value in content[VIDEOS[0]]["probability"])
