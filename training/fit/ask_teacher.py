"""The probabilities of a trained network of any architecture, which a student learns: each text is read once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from belowline.data.corpora.fetch import checksum_of
from belowline.model import text_hash
from belowline.training.errors import RunError
from belowline.training.fit.batches import Encoder
from belowline.training.fit.weights import WEIGHTS, load_model
from belowline.training.recipes.recipe import Recipe
from belowline.training.score_cache import Floats, cached_scores

_CHUNK = 1024
"""Texts between two writes to disk."""


def teacher_folder(name: str, run: Path) -> Path:
    """Return the folder with the weights of the run ``name``: one beside ``run``, or a directory; raises RunError."""
    for folder in (run.parent / name / "model", Path(name) / "model"):
        if (folder / WEIGHTS).is_file():
            return folder
    raise RunError(f"teacher {name}: no trained run in {run.parent}; train it, or name a run directory")


def answers(
    teacher: Path, texts: Iterable[str], run: Path, recipe: Recipe, console: Console
) -> Callable[[Sequence[str]], Floats]:
    """Return the function from ``texts`` to probabilities [n, labels] of ``teacher``, NaN for labels that it lacks.

    They are cached in a file beside ``run`` that belongs to the teacher's weights and to the length of the window, so
    an interrupted call resumes, and another student of the same teacher reads only other texts.
    """
    distinct = list(dict.fromkeys(texts))
    checksum = checksum_of(teacher / WEIGHTS)
    file = run.parent / f"teacher-{checksum[:16]}-{recipe.max_tokens}.sqlite"
    console.print(f"{len(distinct):,} texts for the teacher {teacher}; answers are kept in {file}")
    reader = _Reader(teacher, recipe)
    scores = cached_scores(reader.read, distinct, file, _CHUNK, console, "teacher")
    unknown = np.full(len(distinct), np.nan)
    table = np.stack([scores.get(label, unknown) for label in recipe.labels], axis=1)
    places = {text_hash(text): place for place, text in enumerate(distinct)}
    return lambda asked: table[[places[text_hash(text)] for text in asked]]


class _Reader:
    """A trained network, loaded when the first text is read."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder, self.recipe = folder, recipe
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def read(self, texts: Sequence[str]) -> Mapping[str, Floats]:
        """Return label to probabilities [n] of the first window of each text."""
        if not hasattr(self, "model"):
            model, tokenizer = load_model(self.folder)
            self.model = model.to(self.device)
            self.encoder = Encoder(tokenizer, self.recipe.model_copy(update={"labels": model.labels}))
        unknown = [None] * len(self.model.labels)
        rows = [{"text": text, "labels": unknown, "spans": [], "spans_known": False} for text in texts]
        logits = np.zeros((len(rows), len(unknown)))
        with torch.inference_mode():
            for numbers, batch in self.encoder.in_batches(rows, self.device):
                found = self.model(batch.input_ids, batch.attention_mask).logits
                logits[numbers] = found.double().cpu().numpy()
        return dict(zip(self.model.labels, (1 / (1 + np.exp(-logits))).T, strict=True))
