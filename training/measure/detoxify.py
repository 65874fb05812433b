"""Detoxify beside our models: its published checkpoints on the same test rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from detoxify.detoxify import get_model_and_tokenizer
from rich.console import Console
from rich.progress import track

from belowline.training.errors import ContenderError

OURS: Mapping[str, str] = {
    "toxic": "toxicity",
    "toxicity": "toxicity",
    "obscene": "profanity",
    "threat": "threat",
    "insult": "personal_attack",
    "identity_hate": "hate",
    "identity_attack": "hate",
}
"""Detoxify's classes, as its checkpoints of different age name them, to our labels. Severe toxicity has no counterpart."""
_BATCH = 32


class DetoxifyPeer:
    """A checkpoint in Detoxify's own format, with the configuration and tokenizer of its encoder from the same folder.

    The package's own class asks the Hugging Face Hub for these even where it is given a folder, so only its loader is used. The file is
    unpickled, which runs what it says: use one that you trust. Raises ContenderError for a file that is missing or is no such checkpoint.
    """

    def __init__(self, checkpoint: Path, console: Console) -> None:
        self._console = console
        for file in (checkpoint, checkpoint.parent / "config.json"):
            if not file.is_file():
                raise ContenderError(
                    f"{file}: not there; --detoxify takes a Detoxify .ckpt file beside config.json and tokenizer files of its encoder"
                )
        with _explained(checkpoint):
            self._classes, self._model, self._tokenizer = _load(checkpoint)

    @torch.no_grad()
    def predict(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
        """Our label to probabilities [n]. Longer texts than the encoder takes are cut, as Detoxify does."""
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # little padding
        values = np.empty((len(texts), len(self._classes)))
        for start in track(range(0, len(order), _BATCH), description="Detoxify", console=self._console):
            rows = order[start : start + _BATCH]
            encoded = self._tokenizer(
                [texts[row] for row in rows], return_tensors="pt", truncation=True, padding=True
            )
            logits = self._model(**encoded)[0][:, : len(self._classes)]
            values[rows] = torch.sigmoid(logits).numpy()
        return {OURS[name]: values[:, i] for i, name in enumerate(self._classes) if name in OURS}


def _load(checkpoint: Path) -> tuple[list[str], Any, Any]:
    """Classes, model and tokenizer."""
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)  # as the package does
    encoder = content["config"]["arch"]["args"] | {"model_type": str(checkpoint.parent)}
    model, tokenizer = get_model_and_tokenizer(**encoder, state_dict=content["state_dict"])
    missing = [name for name, _ in model.named_parameters() if name not in content["state_dict"]]
    if missing:
        raise KeyError(missing[0])  # it would keep a random value
    return content["config"]["dataset"]["args"]["classes"], model.eval(), tokenizer


@contextmanager
def _explained(checkpoint: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # unpickling and loading raise nearly anything
        raise ContenderError(
            f"{checkpoint}: not a Detoxify checkpoint that fits the configuration beside it ({type(error).__name__}); "
            "take one of Detoxify's releases and the files of the encoder that it names"
        ) from error
