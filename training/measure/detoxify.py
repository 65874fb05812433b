"""Detoxify's published models and checkpoints, measured on the same rows as ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from detoxify import Detoxify
from detoxify.detoxify import MODEL_URLS, get_model_and_tokenizer
from rich.console import Console
from rich.progress import track

from belowline.training.errors import ContenderError
from belowline.training.measure.intervals import Floats

PUBLISHED = ("original", "unbiased", "multilingual")
"""Releases that Detoxify's package downloads by name."""
OURS: Mapping[str, str] = {
    "toxic": "toxicity",
    "toxicity": "toxicity",
    "obscene": "profanity",
    "threat": "threat",
    "insult": "personal_attack",
    "identity_hate": "hate",
    "identity_attack": "hate",
}
"""Detoxify's classes, in the names of all its releases, to our labels. Severe toxicity has no counterpart."""
BATCH = 32


class DetoxifyModel:
    """A Detoxify model; ``file`` is its checkpoint on this machine, None if its place is unknown."""

    def __init__(
        self, classes: Sequence[str], model: Any, tokenizer: Any, console: Console, file: Path | None
    ) -> None:
        self._classes, self._model, self._tokenizer = classes, model.eval(), tokenizer
        self._console, self.file = console, file

    @classmethod
    def published(cls, release: str, console: Console) -> Self:
        """Load a release, which Detoxify's package downloads unless torch caches it; raises ContenderError."""
        try:
            loaded = Detoxify(release)
        except Exception as error:  # the package passes on what the network, torch and transformers raise
            raise ContenderError(
                f"detoxify:{release}: its package cannot get it ({type(error).__name__}); without a network name a "
                "checkpoint, detoxify:PATH.ckpt, beside config.json and tokenizer files of its encoder"
            ) from error
        file = Path(torch.hub.get_dir()) / "checkpoints" / MODEL_URLS[release].rpartition("/")[2]
        place = file if file.is_file() else None
        return cls(loaded.class_names, loaded.model, loaded.tokenizer, console, place)

    @classmethod
    def from_checkpoint(cls, checkpoint: Path, console: Console) -> Self:
        """Load a checkpoint in Detoxify's format; configuration and tokenizer of its encoder are beside it.

        The file is unpickled, which runs code in it: name only a file that you trust. Raises ContenderError.
        """
        for file in (checkpoint, checkpoint.parent / "config.json"):
            if not file.is_file():
                raise ContenderError(
                    f"{file}: not found; name a .ckpt file beside config.json and tokenizer files of its encoder"
                )
        try:
            return cls(*_load(checkpoint), console, checkpoint)
        except Exception as error:  # unpickling and loading raise nearly anything
            raise ContenderError(
                f"{checkpoint}: not a Detoxify checkpoint that fits the configuration beside it "
                f"({type(error).__name__}); take a release of Detoxify and the files of the encoder that it names"
            ) from error

    @torch.no_grad()
    def predict(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Return our label to probabilities [n]. Texts longer than the encoder takes are cut, as Detoxify does."""
        # Similar lengths need little padding.
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        values = np.empty((len(texts), len(self._classes)))
        for start in track(range(0, len(order), BATCH), description="Detoxify", console=self._console):
            rows = order[start : start + BATCH]
            batch = [texts[row] for row in rows]
            encoded = self._tokenizer(batch, return_tensors="pt", truncation=True, padding=True)
            logits = self._model(**encoded)[0][:, : len(self._classes)]
            values[rows] = torch.sigmoid(logits).numpy()
        return {OURS[name]: values[:, i] for i, name in enumerate(self._classes) if name in OURS}


def _load(checkpoint: Path) -> tuple[list[str], Any, Any]:
    # Detoxify's own class asks the Hugging Face Hub for the configuration even if it is given a folder, so only its
    # loader is used.
    content = torch.load(checkpoint, map_location="cpu", weights_only=False)
    encoder = content["config"]["arch"]["args"] | {"model_type": str(checkpoint.parent)}
    model, tokenizer = get_model_and_tokenizer(**encoder, state_dict=content["state_dict"])
    missing = [name for name, _ in model.named_parameters() if name not in content["state_dict"]]
    if missing:
        raise KeyError(missing[0])  # it would keep a random value
    return content["config"]["dataset"]["args"]["classes"], model, tokenizer
