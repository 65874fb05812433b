"""A run directory: what one training writes, and what export and evaluation read.

It holds ``run.json`` (whole recipe, versions, fingerprint, decisions), ``data_checks.json`` (problems of the data), ``data/`` (the
dataset), ``start-config.json`` (of the released model that it started from), ``checkpoint/`` and ``checkpoint.old/`` (the last two),
``plans.pt`` (the batches), ``log.jsonl`` and
``tensorboard/`` (losses, validation) and, when done, ``model/`` (weights, tokenizer).
"""

import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

import torch
from datasets import DatasetDict, load_from_disk
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from belowline.training.errors import RunError
from belowline.training.files import write_text
from belowline.training.fit.network import CommentModel, without_pooler
from belowline.training.recipes.recipe import Recipe

WEIGHTS = "weights.pt"


def belongs(run: Path, recipe: Recipe) -> bool:
    """Whether ``run`` was begun by ``recipe``; raises RunError when it was by another one."""
    file = run / "run.json"
    if not file.exists():
        return False
    try:
        begun = Recipe.model_validate(json.loads(file.read_text("utf-8"))["recipe"])
    except ValueError:  # of a version whose recipes had other fields
        begun = None
    # What a candidate must reach afterwards says nothing of how it was trained.
    if begun is None or begun.model_copy(update={"gates": recipe.gates}) != recipe:
        raise RunError(
            f"{run}: begun with another recipe; give the recipe another name or remove the directory"
        )
    return True


def claim(run: Path, recipe: Recipe) -> None:
    """Make ``run`` the directory of ``recipe``, or raise RunError when it is another recipe's."""
    run.mkdir(parents=True, exist_ok=True)
    if not belongs(run, recipe):
        content = {"recipe": recipe.model_dump(mode="json"), "versions": _versions()}
        write_json(run / "run.json", content | {"machine": platform.machine()})


def note(run: Path, facts: dict[str, object]) -> None:
    """Add ``facts`` to what ``run.json`` says."""
    info = json.loads((run / "run.json").read_text("utf-8"))
    if info | facts != info:
        write_json(run / "run.json", info | facts)


def begin_from(run: Path, origin: dict[str, str]) -> None:
    """Note which weights the run of ``run`` starts from; raises RunError when it was begun from others."""
    info = json.loads((run / "run.json").read_text("utf-8"))
    if info.get("start", origin) != origin:
        raise RunError(f"{run}: begun from other weights; start from the same or remove the directory")
    note(run, {"start": origin})


def _versions() -> dict[str, str]:
    names = ("belowline", "torch", "transformers", "datasets", "tokenizers", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def run_data(run: Path) -> DatasetDict:
    """The dataset of a run; raises RunError when there is none."""
    folder = run / "data"
    if not folder.is_dir():
        raise RunError(f"{run}: no dataset; run `belowline-train fit` first")
    data = load_from_disk(str(folder))
    if not isinstance(data, DatasetDict):
        raise RunError(f"{folder}: not a dataset of this program; remove it")
    return data


def write_json(path: Path, content: object) -> None:
    """``content`` as JSON; the file appears whole or not at all."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def save_model(model: CommentModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Weights, encoder configuration and tokenizer, so that ``load_model`` needs no network; appears whole or not at all."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    model.encoder.config.save_pretrained(part)
    tokenizer.save_pretrained(part)
    torch.save({"labels": list(model.labels), "state": model.state_dict()}, part / WEIGHTS)
    part.rename(folder)


def read_state(folder: Path) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """Labels and weights that ``save_model`` wrote."""
    saved = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
    return tuple(saved["labels"]), saved["state"]


def load_model(folder: Path) -> tuple[CommentModel, PreTrainedTokenizerBase]:
    """What ``save_model`` wrote, in evaluation mode on the CPU; raises RunError when it is not there."""
    if not (folder / WEIGHTS).is_file():
        raise RunError(f"{folder}: no trained model; run `belowline-train fit` first")
    labels, weights = read_state(folder)
    encoder = AutoModel.from_config(AutoConfig.from_pretrained(folder))  # type: ignore[no-untyped-call]
    model = CommentModel(without_pooler(encoder), labels)
    model.load_state_dict(weights)
    return model.eval(), AutoTokenizer.from_pretrained(folder)
