"""The probabilities of a trained network of any architecture, which a student learns: each text is read once."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from belowline.data.corpora.fetch import checksum_of
from belowline.model import text_hash
from belowline.model.labels import HARMFUL
from belowline.training.errors import RunError
from belowline.training.fit.batches import Encoder
from belowline.training.fit.weights import WEIGHTS, load_model, read_state
from belowline.training.recipes.recipe import Recipe

_CHUNK = 1024
"""Texts between two writes to disk."""

Halves = npt.NDArray[np.float16]


class Answer(NamedTuple):
    """Probabilities of the first window of a text, NaN for labels that the teacher lacks."""

    labels: Halves  # [labels]
    tokens: Halves  # [T, harmful labels], special tokens included


def teacher_folder(name: str, run: Path) -> Path:
    """Return the folder with the weights of the run ``name``: one beside ``run``, or a directory; raises RunError."""
    for folder in (run.parent / name / "model", Path(name) / "model"):
        if (folder / WEIGHTS).is_file():
            return folder
    raise RunError(f"teacher {name}: no trained run in {run.parent}; train it, or name a run directory")


def answers(
    teacher: Path, texts: Iterable[str], run: Path, recipe: Recipe, console: Console, *, bf16: bool = False
) -> Callable[[Sequence[str]], list[Answer]]:
    """Return the function from some of ``texts`` to the answers of ``teacher``.

    They are kept in a file beside ``run`` that belongs to the teacher's weights and to the length of the window, so
    an interrupted call resumes, and another student of the same teacher reads only other texts. ``bf16`` computes
    products of matrices in that format.
    """
    by_key = {text_hash(text): text for text in texts}
    file = run.parent / f"teacher-{checksum_of(teacher / WEIGHTS)[:16]}-{recipe.max_tokens}.sqlite"
    console.print(f"{len(by_key):,} texts for the teacher {teacher}; answers are kept in {file}")
    reader = _Reader(teacher, recipe, bf16)
    with closing(sqlite3.connect(file)) as database:
        database.execute(
            "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, labels BLOB, tokens BLOB)"
        )
        known = {key for (key,) in database.execute("SELECT key FROM answers")}
        missing = [key for key in by_key if key not in known]
        for start in track(range(0, len(missing), _CHUNK), description="teacher", console=console):
            keys = missing[start : start + _CHUNK]
            fresh = zip(keys, reader.read([by_key[key] for key in keys]), strict=True)
            with database:
                rows = ((key, one.labels.tobytes(), one.tokens.tobytes()) for key, one in fresh)
                # Another training may have asked the same teacher meanwhile.
                database.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", rows)
    return _Kept(file, read_state(teacher)[0], recipe.labels).answers


class _Kept:
    """Answers in the database ``file``, whose columns are those of the labels ``theirs``, as those of ``ours``."""

    def __init__(self, file: Path, theirs: Sequence[str], ours: Sequence[str]) -> None:
        # A thread prepares the batches.
        self.database = sqlite3.connect(file, check_same_thread=False)
        self.labels = _columns(theirs, ours)
        self.harmful = _columns(
            *([label for label in labels if label in HARMFUL] for labels in (theirs, ours))
        )
        self.width = max(1, sum(label in HARMFUL for label in theirs))

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """Return the answers for texts that were read."""
        query = "SELECT labels, tokens FROM answers WHERE key = ?"
        rows = (self.database.execute(query, (text_hash(text),)).fetchone() for text in texts)
        found = ([np.frombuffer(part, np.float16) for part in row] for row in rows)
        return [
            Answer(_chosen(labels, self.labels), _chosen(tokens.reshape(-1, self.width), self.harmful))
            for labels, tokens in found
        ]


def _columns(theirs: Sequence[str], ours: Sequence[str]) -> list[int]:
    """Return the place of each of ``ours`` in ``theirs``, and the place after the last one for those not in it."""
    return [theirs.index(label) if label in theirs else len(theirs) for label in ours]


def _chosen(values: Halves, columns: Sequence[int]) -> Halves:
    unknown = np.full((*values.shape[:-1], 1), np.nan, dtype=np.float16)
    return np.concatenate((values, unknown), axis=-1)[..., columns]


class _Reader:
    """A trained network, loaded when the first text is read."""

    def __init__(self, folder: Path, recipe: Recipe, bf16: bool) -> None:
        self.folder, self.recipe, self.bf16 = folder, recipe, bf16
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def read(self, texts: Sequence[str]) -> list[Answer]:
        """Return the answers to the first window of each text."""
        if not hasattr(self, "model"):
            model, tokenizer = load_model(self.folder)
            self.model = model.to(self.device)
            self.encoder = Encoder(tokenizer, self.recipe.model_copy(update={"labels": model.labels}))
        unknown = [None] * len(self.model.labels)
        rows = [{"text": text, "labels": unknown, "spans": [], "spans_known": False} for text in texts]
        found: dict[int, Answer] = {}
        autocast = torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16)
        with torch.inference_mode(), autocast:
            for numbers, batch in self.encoder.in_batches(rows, self.device):
                outputs = self.model(batch.input_ids, batch.attention_mask)
                lengths = batch.attention_mask.sum(1).tolist()
                parts = zip(numbers, lengths, _halves(outputs.logits), _halves(outputs.evidence), strict=True)
                found |= {at: Answer(labels, tokens[:length]) for at, length, labels, tokens in parts}
        return [found[at] for at in range(len(rows))]


def _halves(logits: Tensor) -> Halves:
    return torch.sigmoid(logits.float()).half().cpu().numpy()
