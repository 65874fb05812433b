"""The start of a training: weights of another run, or of a released model directory."""

from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor
from transformers import PreTrainedModel

from belowline.data.corpora.fetch import checksum_of
from belowline.model.directory import ModelConfig, read_config
from belowline.training.errors import RunError
from belowline.training.files import write_text
from belowline.training.fit.network import LABEL_HEADS, CommentModel, keep_layers, layer_stack
from belowline.training.fit.onnx_import import read_weights
from belowline.training.fit.weights import WEIGHTS, read_state

_RELEASED = "model.onnx"
_CONFIG = "start-config.json"


def origin(folder: Path) -> dict[str, str]:
    """Return the identity of the weights in ``folder``: version of a released model, or "run", and checksum.

    Raises RunError for a folder without weights, ModelError for a damaged ``config.json``.
    """
    file = _file(folder)
    version = read_config(folder).version if file.name == _RELEASED else "run"
    return {"version": version, "sha256": checksum_of(file)}


def copy_start_config(run: Path, folder: Path) -> None:
    """Copy the configuration of a released model into ``run``: a site alone can hardly measure all of it anew."""
    if _file(folder).name == _RELEASED:
        write_text(run / _CONFIG, read_config(folder).model_dump_json(indent=1) + "\n")


def start_config(run: Path) -> ModelConfig | None:
    """Return the configuration of the released model that ``run`` started from; None if there is none."""
    file = run / _CONFIG
    return ModelConfig.model_validate_json(file.read_text("utf-8")) if file.is_file() else None


def match_depth(encoder: PreTrainedModel, folder: Path) -> None:
    """Reduce ``encoder`` to the number of layers in ``folder``, so that a distilled model stays small."""
    try:
        name, stack = layer_stack(encoder)
    except ValueError:  # nothing can have been distilled from it
        return
    prefix = f"encoder.{name}."
    layers = (weight.removeprefix(prefix) for weight in _weights(folder)[1] if weight.startswith(prefix))
    numbers = {layer.partition(".")[0] for layer in layers}
    if 0 < len(numbers) < len(stack):
        keep_layers(encoder, range(len(numbers)))


def adopt(model: CommentModel, folder: Path, console: Console) -> dict[str, Tensor]:
    """Load the weights in ``folder`` (a run's ``model`` or a model directory) into ``model``, and return those that
    fit.

    Weights without a counterpart, because labels or network differ, are printed and stay new. Raises RunError
    for a folder without weights or with those of another encoder, ModelError for a damaged ``config.json``.
    """
    labels, weights = _weights(folder)
    state = model.state_dict()
    fitting = {
        name: value
        for name, value in weights.items()
        if name in state
        and state[name].shape == value.shape
        and (labels == model.labels or not name.startswith(LABEL_HEADS))
    }
    new = sorted(state.keys() - fitting.keys())
    if any(name.startswith("encoder.") for name in new):
        raise RunError(f"{folder}: weights of another encoder; start from a model with the recipe's base")
    model.load_state_dict(fitting, strict=False)
    console.print(f"starting from {folder}{'; new: ' + ', '.join(new) if new else ''}")
    return fitting


def interpolate(model: CommentModel, start: dict[str, Tensor], share: float) -> None:
    """Set every weight to ``share`` of its value in ``start`` plus the rest of its trained value (Wortsman et al.
    2022).

    Heads of labels that read the length stay, because they were trained together with the weight of the length.
    """
    reads_length = model.reads_length.bool()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name in start:
                learned = weight.clone()
                weight.lerp_(start[name].to(weight.device, weight.dtype), share)
                if name.startswith("label_head."):
                    weight[reads_length] = learned[reads_length]


def _file(folder: Path) -> Path:
    """Return the file with the weights; raises RunError without one."""
    if (folder / WEIGHTS).is_file():
        return folder / WEIGHTS
    missing = [name for name in (_RELEASED, "config.json") if not (folder / name).is_file()]
    if missing:
        raise RunError(f"{folder}: no {missing[0]}; name a model directory or a run's model to start from")
    return folder / _RELEASED


def _weights(folder: Path) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """Return labels and weights."""
    file = _file(folder)
    if file.name == WEIGHTS:
        return read_state(folder)
    weights = read_weights(file)
    return read_config(folder).labels, weights
