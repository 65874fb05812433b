"""Starting weights of a training: those of another run, or of a model directory, restored from its ONNX file."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from rich.console import Console

from belowline.model import ModelError
from belowline.model.labels import DEFINITIONS
from belowline.training.errors import RecipeError, RunError
from belowline.training.export.onnx_export import export_fp32, quantise
from belowline.training.fit.fit import fit
from belowline.training.fit.network import CommentModel, load_base
from belowline.training.fit.onnx_import import read_weights
from belowline.training.fit.start import adopt, interpolate, origin
from belowline.training.fit.weights import load_model
from belowline.training.recipes.recipe import load_recipe
from tests.support.tiny_model import build_tiny_model
from tests.support.tiny_training import write_base, write_corpora, write_recipe

pytestmark = pytest.mark.slow

LABELS = tuple(DEFINITIONS)
QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base"))


def trained(base: Path, seed: int = 1) -> CommentModel:
    """Return a model in which every weight differs from its initial value, as after a training."""
    model = CommentModel(load_base(str(base))[0], LABELS)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture(scope="module")
def released(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[CommentModel, Path]:
    """A model and its release directory, with ``model.onnx`` in int8 and ``fp32.onnx``."""
    model, folder = trained(base), build_tiny_model(tmp_path_factory.mktemp("released"), version="0.0.9")
    export_fp32(model, folder / "fp32.onnx")
    quantise(folder / "fp32.onnx", folder / "model.onnx")
    return model, folder


def test_fp32_gives_back_every_weight(released: tuple[CommentModel, Path]) -> None:
    model, folder = released
    found = read_weights(folder / "fp32.onnx")
    for name, value in model.state_dict().items():
        assert torch.equal(found[name], value), name


def test_int8_gives_back_every_weight_as_it_was_rounded(released: tuple[CommentModel, Path]) -> None:
    model, folder = released
    found = read_weights(folder / "model.onnx")
    for name, value in model.state_dict().items():
        assert found[name].shape == value.shape, name
        step = value.abs().max() / 127
        assert float((found[name] - value).abs().max()) <= 1.01 * step, name


def test_a_model_goes_on_as_the_released_one(base: Path, released: tuple[CommentModel, Path]) -> None:
    model, folder = released
    other = CommentModel(load_base(str(base))[0], LABELS).eval()
    adopt(other, folder, QUIET)
    ids = torch.tensor([[2, 10, 11, 12, 3]])
    with torch.inference_mode():
        there, here = (one(ids, torch.ones_like(ids)).logits for one in (model, other))
    assert torch.allclose(
        there, here, atol=0.2
    )  # for logits up to 7, with weights far larger than trained ones


def test_drawing_back_ends_between_the_start_and_what_training_made(base: Path) -> None:
    start, model = trained(base, seed=1), trained(base, seed=2)
    first, last = start.state_dict(), {name: value.clone() for name, value in model.state_dict().items()}
    known = {name: value for name, value in first.items() if name != "length_weight"}
    interpolate(model, known, 0.25)
    reads_length = model.reads_length.bool()
    assert reads_length.sum() == 1
    for name, value in model.state_dict().items():
        share = 0.25 if name in known else 0.0
        between = (1 - share) * last[name] + share * first[name]
        if name.startswith("label_head."):
            assert torch.equal(value[reads_length], last[name][reads_length]), "learned with the length"
            value, between = value[~reads_length], between[~reads_length]
        assert torch.allclose(value, between, atol=1e-6), name


def test_a_training_is_drawn_back_before_its_embedding_is_settled(base: Path, tmp_path: Path) -> None:
    corpora = write_corpora(tmp_path / "corpora")
    write_recipe(tmp_path / "first.toml", base)
    recipe = load_recipe(write_recipe(tmp_path / "second.toml", base, name="second", start="first"))
    whole = recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"keep_start": 1.0})})
    fit(whole, corpora, tmp_path / "run", QUIET)
    first, second = (load_model(tmp_path / "run" / part)[0] for part in ("start/model", "model"))
    pairs = zip(first.encoder.parameters(), second.encoder.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in pairs), (
        "keeping all of the start undoes the training"
    )


def test_heads_of_other_labels_are_as_new(base: Path, released: tuple[CommentModel, Path]) -> None:
    _, folder = released
    other = CommentModel(load_base(str(base))[0], tuple(reversed(LABELS)))
    head = other.label_head.weight.clone()
    adopt(other, folder, QUIET)
    assert torch.equal(other.label_head.weight, head)
    assert torch.equal(
        other.encoder.get_input_embeddings().weight,
        read_weights(folder / "model.onnx")["encoder.embeddings.word_embeddings.weight"],
    )


def test_another_encoder_is_refused(tmp_path: Path, released: tuple[CommentModel, Path]) -> None:
    from transformers import BertConfig, BertModel

    small = BertConfig(vocab_size=9, hidden_size=16, num_hidden_layers=3, num_attention_heads=2)
    with pytest.raises(RunError, match="another encoder"):
        adopt(CommentModel(BertModel(small, add_pooling_layer=False), LABELS), released[1], QUIET)


def test_a_folder_without_weights_is_named(base: Path, tmp_path: Path) -> None:
    model = trained(base)
    with pytest.raises(RunError, match=r"no model\.onnx"):
        adopt(model, tmp_path, QUIET)
    build_tiny_model(tmp_path)
    with pytest.raises(RunError, match="belowline-train"):
        adopt(model, tmp_path, QUIET)
    (tmp_path / "model.onnx").write_bytes(b"not ONNX at all")
    with pytest.raises(RunError, match="ONNX"):
        adopt(model, tmp_path, QUIET)


def test_a_damaged_config_is_said(base: Path, tmp_path: Path, released: tuple[CommentModel, Path]) -> None:
    shutil.copytree(released[1], tmp_path / "copy")
    (tmp_path / "copy" / "config.json").write_text("{", "utf-8")
    with pytest.raises(ModelError, match=r"config\.json: corrupt, not JSON"):
        origin(tmp_path / "copy")
    with pytest.raises(ModelError, match=r"config\.json: corrupt, not JSON"):
        adopt(trained(base), tmp_path / "copy", QUIET)


def test_a_recipe_trains_first_what_it_starts_from(base: Path, tmp_path: Path) -> None:
    corpora = write_corpora(tmp_path / "corpora")
    write_recipe(tmp_path / "first.toml", base)
    recipe = load_recipe(write_recipe(tmp_path / "second.toml", base, name="second", start="first"))
    short = recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"learning_rate": 1e-9})})
    fit(short, corpora, tmp_path / "run", QUIET)
    first, second = (load_model(tmp_path / "run" / part)[0] for part in ("start/model", "model"))
    pairs = zip(first.encoder.parameters(), second.encoder.parameters(), strict=True)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)
    untouched = load_base(str(base))[0].get_input_embeddings().weight
    assert not torch.allclose(second.encoder.get_input_embeddings().weight, untouched, atol=1e-5)


def test_what_a_run_began_from_is_noted_and_kept_to(
    base: Path, tmp_path: Path, released: tuple[CommentModel, Path]
) -> None:
    corpora = write_corpora(tmp_path / "corpora")
    recipe = load_recipe(write_recipe(tmp_path / "miniature.toml", base))
    fit(recipe, corpora, tmp_path / "run", QUIET, released[1])
    noted = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["start"]
    assert noted == origin(released[1])
    assert (noted["version"], len(noted["sha256"])) == ("0.0.9", 64)
    model = tmp_path / "run" / "model"
    assert origin(model)["version"] == "run"
    model.rename(tmp_path / "other")
    with pytest.raises(RunError, match="other weights"):
        fit(recipe, corpora, tmp_path / "run", QUIET, tmp_path / "other")


def test_recipes_that_start_from_each_other_are_refused(base: Path, tmp_path: Path) -> None:
    write_recipe(tmp_path / "one.toml", base, start="two")
    write_recipe(tmp_path / "two.toml", base, start="one")
    with pytest.raises(RecipeError, match=r"one\.toml: start:"):
        load_recipe(tmp_path / "one.toml")
    write_recipe(tmp_path / "three.toml", base, start="four")
    with pytest.raises(RecipeError, match=r"four\.toml"):
        load_recipe(tmp_path / "three.toml")
