"""Where a training begins if not from the base alone: the weights of another run, or of a released model directory."""

import hashlib
import json
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor

from belowline.training.network import CommentModel
from belowline.training.onnx_import import read_weights
from belowline.training.run import RunError

_TRAINED, _RELEASED = "weights.pt", "model.onnx"
_HEADS_OF_LABELS = ("label_head", "evidence_head", "length_weight")


def origin(folder: Path) -> dict[str, str]:
    """What tells the weights in ``folder`` from any others: the version of a released model, or "run", and the checksum of the file.

    Raises RunError for a folder without weights.
    """
    file = _file(folder)
    version = "run"
    if file.name == _RELEASED:
        version = str(json.loads((folder / "config.json").read_text("utf-8"))["version"])
    with file.open("rb") as content:
        return {"version": version, "sha256": hashlib.file_digest(content, "sha256").hexdigest()}


def adopt(model: CommentModel, folder: Path, console: Console) -> None:
    """Give ``model`` the weights in ``folder``: a run's ``model``, or a model directory with ``model.onnx``.

    What has no counterpart there, because labels or network were others then, is named and stays as it is. Raises RunError for a folder
    without weights, or with those of another encoder.
    """
    labels, weights = _weights(folder)
    own = model.state_dict()
    fitting = {
        name: value
        for name, value in weights.items()
        if name in own
        and own[name].shape == value.shape
        and (labels == model.labels or not name.startswith(_HEADS_OF_LABELS))
    }
    other = sorted(own.keys() - fitting.keys())
    if any(name.startswith("encoder.") for name in other):
        raise RunError(f"{folder}: the weights of another encoder; start from a model with the recipe's base")
    model.load_state_dict(fitting, strict=False)
    console.print(f"starting from {folder}{'; as new: ' + ', '.join(other) if other else ''}")


def _file(folder: Path) -> Path:
    """The file with the weights."""
    if (folder / _TRAINED).is_file():
        return folder / _TRAINED
    missing = [name for name in (_RELEASED, "config.json") if not (folder / name).is_file()]
    if missing:
        raise RunError(f"{folder}: no {missing[0]}; name a model directory or a run's model to start from")
    return folder / _RELEASED


def _weights(folder: Path) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """Labels and weights."""
    file = _file(folder)
    if file.name == _TRAINED:
        saved = torch.load(file, map_location="cpu", weights_only=True)
        return tuple(saved["labels"]), saved["state"]
    return tuple(json.loads((folder / "config.json").read_text("utf-8"))["labels"]), read_weights(file)
