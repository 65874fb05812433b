"""Distillation: a smaller network learns the outputs of its start, and exports and trains like any other.

Wrong recipes give one line.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import Tensor

from belowline.model import ScoreInput, Scorer
from belowline.training.errors import RecipeError, RunError
from belowline.training.export.export import Parity, export
from belowline.training.fit import ask_teacher
from belowline.training.fit.ask_teacher import answers, teacher_folder
from belowline.training.fit.distil import smaller
from belowline.training.fit.fit import fit
from belowline.training.fit.network import CommentModel, keep_layers
from belowline.training.fit.weights import load_model
from belowline.training.recipes.recipe import Recipe, load_recipe
from tests.conftest import ROOT
from tests.support.recipes import changed
from tests.support.tiny_training import FINE, RUDE, SPAM, sentences, write_mpnet, write_recipe

QUIET = Console(quiet=True)
TEXTS = sentences((FINE, SPAM, RUDE), 60)


def recipe_of(workshop: Path, layers: str = "[1]", **changes: object) -> Recipe:
    """Write the miniature recipe, distilled from the weights that the test names."""
    name = changes.pop("name", "small")
    file = write_recipe(
        workshop / f"{name}.toml", workshop / "base", name=name, **{"start": "released"} | changes
    )
    file.write_text(f"{file.read_text('utf-8')}[distil]\nlayers = {layers}\n", "utf-8")
    return load_recipe(file)


@pytest.fixture(scope="module")
def small(workshop: Path, trained_run: Path) -> Path:
    fit(recipe_of(workshop), workshop / "corpora", workshop / "small", QUIET, start=trained_run / "model")
    return workshop / "small"


def probabilities(model: CommentModel, tokenizer: object) -> Tensor:
    """Return probabilities of shape [texts, labels]."""
    assert callable(tokenizer)
    with torch.inference_mode():
        rows = [tokenizer(text, return_tensors="pt") for text in TEXTS]
        return torch.cat([model(row["input_ids"], row["attention_mask"]).logits for row in rows]).sigmoid()


@pytest.mark.slow
def test_it_comes_near_to_what_it_learned_from(trained_run: Path, small: Path) -> None:
    teacher, tokenizer = load_model(trained_run / "model")
    goal = probabilities(teacher, tokenizer)
    learned = load_model(small / "model")[0]
    cut = smaller(teacher, [1]).eval()
    gaps = [float((probabilities(one, tokenizer) - goal).abs().mean()) for one in (cut, learned)]
    assert len(list(learned.encoder.encoder.layer)) == 1
    assert gaps[1] < 0.3 * gaps[0], gaps


@pytest.mark.slow
def test_it_is_exported_and_scores(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parity, "check", lambda _: None)  # int8 of 32 hidden units is too inaccurate
    scorer = Scorer.load(export(small, small / "released", QUIET))
    scores = scorer.score([ScoreInput(text) for text in sentences((SPAM, FINE), 40)])
    spam = [one.probabilities["spam"] for one in scores]
    assert min(spam[::2]) > max(spam[1::2])


@pytest.mark.slow
def test_a_site_trains_it_on_as_it_is(workshop: Path, small: Path) -> None:
    recipe = load_recipe(
        write_recipe(workshop / "site.toml", workshop / "base", name="site", start="released")
    )
    fit(recipe, workshop / "corpora", workshop / "site", QUIET, start=small / "model")
    begun, ended = (load_model(folder / "model")[0] for folder in (small, workshop / "site"))
    assert begun.encoder.config.num_hidden_layers == ended.encoder.config.num_hidden_layers == 1
    assert ended.embedding_layers == (1,)


def test_layers_are_kept_in_their_order() -> None:
    from transformers import BertConfig, BertModel

    config = BertConfig(vocab_size=9, hidden_size=16, num_hidden_layers=4, num_attention_heads=2)
    encoder = BertModel(config, add_pooling_layer=False)
    wanted = [encoder.encoder.layer[number] for number in (0, 3)]
    with pytest.raises(ValueError, match=r"layers \[0, 4\]"):
        keep_layers(encoder, [0, 4])
    keep_layers(encoder, [0, 3])
    assert list(encoder.encoder.layer) == wanted
    assert encoder.config.num_hidden_layers == 2


@pytest.mark.slow
def test_a_layer_that_the_start_has_not_is_named(workshop: Path, trained_run: Path) -> None:
    recipe = recipe_of(workshop, "[0, 2]", name="beyond")
    with pytest.raises(RunError, match=r"layers \[0, 2\]"):
        fit(recipe, workshop / "corpora", workshop / "beyond", QUIET, start=trained_run / "model")


@pytest.mark.slow
def test_a_start_with_other_labels_teaches_nothing(workshop: Path, trained_run: Path) -> None:
    recipe = recipe_of(workshop, name="others", labels=["spam", "toxicity"])
    with pytest.raises(RunError, match="other labels"):
        fit(recipe, workshop / "corpora", workshop / "others", QUIET, start=trained_run / "model")


def test_a_recipe_needs_somebody_to_learn_from(workshop: Path) -> None:
    file = write_recipe(workshop / "alone.toml", workshop / "base", name="alone")
    file.write_text(f"{file.read_text('utf-8')}[distil]\nlayers = [0]\n", "utf-8")
    with pytest.raises(RecipeError, match=r"alone\.toml: recipe: .*distil"):
        load_recipe(file)
    file.write_text(
        file.read_text("utf-8")
        .replace("[fit]", "[fit]\nhold_start = 0.5")
        .replace("seed", 'start = "released"\nseed'),
        "utf-8",
    )
    with pytest.raises(RecipeError, match="only_heads"):
        load_recipe(file)


@pytest.fixture(scope="module")
def other_teacher(workshop: Path) -> Path:
    """A run beside the others whose network has another architecture and tokenizer."""
    file = write_recipe(workshop / "mpnet.toml", write_mpnet(workshop / "mpnet-base"), name="mpnet")
    fit(load_recipe(file), workshop / "corpora", workshop / "mpnet", QUIET)
    return workshop / "mpnet"


def taught(workshop: Path, name: str) -> Recipe:
    recipe = recipe_of(workshop, "[0, 1]", name=name)
    return changed(recipe, distil={"teacher": "mpnet"}, fit={"precision": "fp32"})


@pytest.mark.slow
def test_a_student_learns_from_another_architecture_what_its_start_does_not_say(
    workshop: Path, trained_run: Path, other_teacher: Path
) -> None:
    goal = probabilities(*load_model(other_teacher / "model"))
    run = workshop / "taught"
    fit(taught(workshop, "taught"), workshop / "corpora", run, QUIET, start=trained_run / "model")
    start, tokenizer = load_model(trained_run / "model")
    gaps = [
        float((probabilities(one, tokenizer) - goal).abs().mean())
        for one in (start, load_model(run / "model")[0])
    ]
    assert gaps[1] < 0.7 * gaps[0], gaps


@pytest.mark.slow
def test_a_student_with_all_layers_keeps_a_share_of_its_start(
    workshop: Path, trained_run: Path, other_teacher: Path
) -> None:
    recipe, corpora = changed(taught(workshop, "kept"), fit={"keep_start": 1.0}), workshop / "corpora"
    fit(recipe, corpora, workshop / "kept", QUIET, start=trained_run / "model")
    start, kept = (
        dict(load_model(run / "model")[0].named_parameters()) for run in (trained_run, workshop / "kept")
    )
    assert all(
        torch.allclose(kept[name], value) for name, value in start.items() if name.startswith("encoder.")
    )
    fewer = changed(recipe, distil={"layers": [1]})
    with pytest.raises(RunError, match="lacks layers of the start"):
        fit(fewer, corpora, workshop / "fewer", QUIET, start=trained_run / "model")


@pytest.mark.slow
def test_each_text_is_read_once_by_the_teacher(
    workshop: Path, other_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, recipe = teacher_folder("mpnet", workshop / "any"), taught(workshop, "once")
    assert folder == other_teacher / "model"
    asked = answers(folder, [*TEXTS[:40], TEXTS[0]], tmp_path / "run", recipe, QUIET)
    model, tokenizer = load_model(folder)
    goal = probabilities(model, tokenizer)[[39, 38]]
    assert np.stack([one.labels for one in asked(TEXTS[39:37:-1])]) == pytest.approx(goal.numpy(), abs=1e-3)
    with torch.inference_mode():
        words = model(**tokenizer(TEXTS[39], return_tensors="pt")).evidence[0].sigmoid()
    assert asked(TEXTS[39:40])[0].tokens == pytest.approx(words.numpy(), abs=1e-3)
    monkeypatch.setattr(ask_teacher, "load_model", None)  # a second call that reads anything fails
    again = answers(folder, TEXTS[:40], tmp_path / "other", recipe, QUIET)
    assert [one.tokens.tolist() for one in again(TEXTS[:40])] == [
        one.tokens.tolist() for one in asked(TEXTS[:40])
    ]
    fewer = recipe.model_copy(update={"labels": ("on_topic", "spam")})
    [one], [whole] = answers(folder, TEXTS[:1], tmp_path / "run", fewer, QUIET)(TEXTS[:1]), asked(TEXTS[:1])
    assert one.labels.tolist() == whole.labels[[7, 0]].tolist()
    assert one.tokens.tolist() == whole.tokens[:, :1].tolist()


def test_two_trainings_may_ask_a_teacher_at_once(
    workshop: Path, other_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, recipe, texts = other_teacher / "model", taught(workshop, "twice"), TEXTS[:3]
    read = ask_teacher._Reader.read

    def read_after_the_other(self: Any, some: Sequence[str]) -> list[Any]:
        monkeypatch.setattr(ask_teacher._Reader, "read", read)
        answers(folder, texts, tmp_path / "other", recipe, QUIET)
        return read(self, some)

    monkeypatch.setattr(ask_teacher._Reader, "read", read_after_the_other)
    assert len(answers(folder, texts, tmp_path / "run", recipe, QUIET)(texts)) == 3


def test_a_teacher_that_is_not_there_is_named(workshop: Path) -> None:
    with pytest.raises(RunError, match="teacher nobody: no trained run"):
        teacher_folder("nobody", workshop / "any")


def test_the_recipe_that_comes_with_the_package_is_one() -> None:
    recipe = load_recipe(ROOT / "training/recipes/small.toml")
    assert recipe.distil
    assert recipe.distil.layers == (0, 2, 5)
