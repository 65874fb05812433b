"""Detoxify's published models and checkpoints, measured on the same rows as ours."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from detoxify.detoxify import MODEL_URLS, get_model_and_tokenizer
from rich.console import Console
from rich.progress import track

from belowline.training.errors import ContenderError
from belowline.training.measure.intervals import Floats

PUBLISHED = ("original", "unbiased", "multilingual")
"""Releases that are downloaded by name unless torch caches them."""
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
    """A Detoxify model; ``file`` is its checkpoint on this machine."""

    def __init__(self, source: str, console: Console) -> None:
        """Load a published release by name, or a checkpoint beside configuration and tokenizer of its encoder.

        A checkpoint is unpickled, which runs code in it: name only a file that you trust. Raises ContenderError.
        """
        self._console, published = console, MODEL_URLS[source] if source in PUBLISHED else None
        self.file = Path(source)
        if published:
            self.file = Path(torch.hub.get_dir()) / "checkpoints" / published.rpartition("/")[2]
        try:
            # Detoxify's own class asks the Hugging Face Hub for the configuration even if it is given a folder, so only
            # its loader is used.
            if published:
                content = torch.hub.load_state_dict_from_url(published, map_location="cpu")
            else:
                content = torch.load(source, map_location="cpu", weights_only=False)
            folder = {} if published else {"model_type": str(self.file.parent)}
            arguments = content["config"]["arch"]["args"] | folder
            model, self._tokenizer = get_model_and_tokenizer(**arguments, state_dict=content["state_dict"])
            missing = [name for name, _ in model.named_parameters() if name not in content["state_dict"]]
            if missing:
                raise KeyError(missing[0])  # it would keep a random value
            self._classes: list[str] = content["config"]["dataset"]["args"]["classes"]
        except Exception as error:  # network, unpickling, torch and transformers raise nearly anything
            raise ContenderError(
                f"detoxify:{source}: cannot be loaded ({type(error).__name__}); name {', '.join(PUBLISHED)}, or a "
                "checkpoint, detoxify:PATH.ckpt, beside config.json and tokenizer files of its encoder"
            ) from error
        self._model = model.eval()

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
