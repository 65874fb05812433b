"""Trained weights on disk: ``weights.pt``, the encoder's configuration and the tokenizer."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from belowline.training.errors import RunError
from belowline.training.files import new_folder
from belowline.training.fit.network import CommentModel, without_pooler

WEIGHTS = "weights.pt"


def save_model(model: CommentModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Write weights, encoder configuration and tokenizer, so that ``load_model`` needs no network."""
    with new_folder(folder) as part:
        model.encoder.config.save_pretrained(part)
        tokenizer.save_pretrained(part)
        torch.save({"labels": list(model.labels), "state": model.state_dict()}, part / WEIGHTS)


def read_state(folder: Path) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """Read labels and weights that ``save_model`` wrote."""
    saved = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
    return tuple(saved["labels"]), saved["state"]


def load_model(folder: Path) -> tuple[CommentModel, PreTrainedTokenizerBase]:
    """Load model (evaluation mode, CPU) and tokenizer of ``save_model``; raises RunError if they are missing."""
    if not (folder / WEIGHTS).is_file():
        raise RunError(f"{folder}: no trained model; run `belowline-train fit` first")
    labels, weights = read_state(folder)
    encoder = AutoModel.from_config(AutoConfig.from_pretrained(folder))  # type: ignore[no-untyped-call]
    model = CommentModel(without_pooler(encoder), labels)
    model.load_state_dict(weights)
    return model.eval(), AutoTokenizer.from_pretrained(folder)
