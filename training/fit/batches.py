"""Batches of similar padded size, in an order that depends on seed and epoch only, so that a run resumes exactly."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from belowline.model.labels import HARMFUL
from belowline.model.normalise import Normalised, normalise
from belowline.training.dataset.augment import disguised, swap_group
from belowline.training.recipes.recipe import Recipe

_PER_BATCH = 32
"""Texts of a batch that is only read."""
_STEP = 8
"""Lengths are padded to a multiple of this: few shapes keep allocators and kernel caches small over hours."""


@dataclass(frozen=True, slots=True)
class Batch:
    """B texts of T tokens. Unknown targets are NaN."""

    input_ids: Tensor  # [B, T]
    attention_mask: Tensor  # [B, T]
    labels: Tensor  # [B, labels]
    evidence: Tensor  # [B, T, harmful labels]
    weights: Tensor  # [B]
    taught: Tensor  # [B, labels], probabilities of another teacher
    taught_evidence: Tensor  # [B, T, harmful labels], the same for tokens

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on ``device``."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass(frozen=True, slots=True)
class Draw:
    """One use of an example in an epoch: its index in the dataset and the seed of its augmentation."""

    index: int
    seed: int


def draws_of_epoch(passes: Sequence[float], recipe: Recipe, number: int) -> list[Draw]:
    """Draw the examples of epoch ``number``, shuffled: example i ``passes[i]`` times, a fractional part by chance.

    A student of another teacher gets the same draws in every epoch, because that teacher reads each text of them.
    """
    taught = recipe.distil is not None and recipe.distil.teacher
    rng = random.Random(recipe.seed * 1000003 + (0 if taught else number))  # reproducible, not secret
    # The whole part always, the rest by chance.
    times = [int(number) + (rng.random() < number - int(number)) for number in passes]
    indices = [index for index, count in enumerate(times) for _ in range(count)]
    rng.shuffle(indices)
    return [Draw(index, rng.getrandbits(48)) for index in indices]


def plan(lengths: Sequence[int], recipe: Recipe, number: int) -> list[list[int]]:
    """Return the batches of epoch ``number`` as positions in its draw: similar lengths together, batches shuffled."""
    batches: list[list[int]] = []
    # Sorted within a large window: nearly no padding, and still a mixture of corpora in every batch.
    for start in range(0, len(lengths), 8192):
        window = range(start, min(start + 8192, len(lengths)))
        batches += _cut(sorted(window, key=lambda at: padded(lengths[at], recipe)), lengths, recipe)
    random.Random(recipe.seed * 1000003 + number).shuffle(batches)
    return batches


def padded(length: int, recipe: Recipe) -> int:
    """Return the tokens that a text of ``length`` tokens takes in a batch."""
    return min(-(-length // _STEP) * _STEP, recipe.max_tokens)


def _cut(window: Sequence[int], lengths: Sequence[int], recipe: Recipe) -> Iterator[list[int]]:
    batch: list[int] = []
    for index in window:
        width = padded(lengths[index], recipe)
        if batch and (
            width != padded(lengths[batch[-1]], recipe)
            or (len(batch) + 1) * width > recipe.fit.tokens_per_batch
        ):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


class Encoder:
    """Encoder of dataset rows as batches: augmentation, normalisation, tokens, aligned targets.

    Attributes:
        teacher: Function from texts to another teacher's probabilities: of each text [labels] and of its tokens
            [T, harmful labels], NaN for labels that it lacks.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        self.tokenizer = tokenizer
        self.recipe = recipe
        self.teacher: Callable[[Sequence[str]], Sequence[tuple[np.ndarray, np.ndarray]]] | None = None
        self.harmful = tuple(label for label in recipe.labels if label in HARMFUL)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text after normalisation, special ones included, at most a window's length."""
        if not texts:
            return []
        plain = [normalise(text).text for text in texts]
        encoded = self.tokenizer(plain, truncation=True, max_length=self.recipe.max_tokens)
        return [len(ids) for ids in encoded["input_ids"]]

    def lengths_of_draws(self, data: Dataset, plain: Sequence[int], items: Sequence[Draw]) -> list[int]:
        """Return the tokens of each of ``items`` after augmentation; ``plain`` are those of the unchanged examples.

        An obfuscated text has up to twice the tokens. Batched by its plain length it would pad all its neighbours.
        """
        columns = data.select_columns(["text", "labels", "source"])
        lengths: list[int] = []
        for start in range(0, len(items), 4096):
            chunk = items[start : start + 4096]
            rows = rows_of(columns, [item.index for item in chunk])
            seeded = zip(rows, chunk, strict=True)
            texts = [self.augmented_text(row, item.seed) for row, item in seeded]
            changed = [at for at, row in enumerate(rows) if texts[at] != row["text"]]
            chunk_lengths = [plain[item.index] for item in chunk]
            for at, length in zip(changed, self.lengths([texts[at] for at in changed]), strict=True):
                chunk_lengths[at] = length
            lengths += chunk_lengths
        return lengths

    def batch(self, rows: Sequence[dict[str, Any]], seeds: Sequence[int] | None = None) -> Batch:
        """Return one batch; ``seeds``, one per row, switches augmentation on."""
        if seeds is not None:
            seeded = zip(rows, seeds, strict=True)
            rows = [self._augmented(row, random.Random(seed)) for row, seed in seeded]
        texts = [normalise(row["text"]) for row in rows]
        encoded = self.tokenizer(
            [text.text for text in texts],
            truncation=True,
            max_length=self.recipe.max_tokens,
            padding=True,
            pad_to_multiple_of=_STEP,
            return_offsets_mapping=True,
            return_tensors="np",
        )
        labels = np.array([row["labels"] for row in rows], dtype=np.float32)
        evidence = self._evidence(rows, texts, encoded["offset_mapping"])
        return Batch(
            torch.from_numpy(encoded["input_ids"]),
            torch.from_numpy(encoded["attention_mask"]),
            torch.from_numpy(labels),
            torch.from_numpy(evidence),
            torch.tensor([row.get("weight", 1.0) for row in rows], dtype=torch.float32),
            *map(torch.from_numpy, self._taught(rows, encoded["offset_mapping"])),
        )

    def augmented_text(self, row: dict[str, Any], seed: int) -> str:
        """Return the text of a row as ``batch`` reads it with this seed."""
        return str(self._augmented(row, random.Random(seed))["text"])

    def taught_text(self, row: dict[str, Any], seed: int) -> str:
        """Return the text that the teacher reads for the row with this seed: for a disguised copy the plain text."""
        augmented = self._augmented(row, random.Random(seed))
        return str(augmented.get("plain", augmented["text"]))

    def _taught(self, rows: Sequence[dict[str, Any]], offsets: Any) -> tuple[np.ndarray, np.ndarray]:
        labels = np.full((len(rows), len(self.recipe.labels)), np.nan, dtype=np.float32)
        evidence = np.full((*offsets.shape[:2], max(1, len(self.harmful))), np.nan, dtype=np.float32)
        texts = [row.get("plain", row["text"]) for row in rows]
        for i, (of_text, of_tokens) in enumerate(self.teacher(texts) if self.teacher else ()):
            labels[i] = of_text
            words = np.flatnonzero(offsets[i, :, 0] < offsets[i, :, 1])
            # A teacher with another vocabulary cuts the text into other tokens, and a disguised text has others.
            if "plain" not in rows[i] and len(words) and words[-1] == len(of_tokens) - 2:
                evidence[i, words] = of_tokens[words]
        return labels, evidence

    def in_batches(
        self, rows: Sequence[dict[str, Any]], device: torch.device
    ) -> Iterator[tuple[list[int], Batch]]:
        """Yield numbers of ``rows`` and their batch on ``device``, without augmentation, similar lengths together."""
        order = sorted(range(len(rows)), key=lambda at: len(rows[at]["text"]))
        for start in range(0, len(order), _PER_BATCH):
            numbers = order[start : start + _PER_BATCH]
            yield numbers, self.batch([rows[at] for at in numbers]).to(device)

    def _augmented(self, row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        options, text, labels = self.recipe.augment, row["text"], list(row["labels"])
        if row["source"] in options.swap_in and rng.random() < options.swap:
            text, names_jews = swap_group(text, rng)
            self._set_antisemitism(labels, names_jews)
        plain = text
        if rng.random() < options.disguise:
            text = disguised(text, rng)
        if text == row["text"]:
            return row
        changed = {**row, "text": text, "labels": labels, "spans": [], "spans_known": False}
        return changed if text == plain else {**changed, "plain": plain}

    def _set_antisemitism(self, labels: list[float | None], names_jews: bool | None) -> None:
        """Set antisemitism after a swap: hate of a group is antisemitism if and only if Jews are the group."""
        names = self.recipe.labels
        if names_jews is None or "hate" not in names or "antisemitism" not in names:
            return
        hate = labels[names.index("hate")]
        labels[names.index("antisemitism")] = hate if names_jews else None if hate is None else 0.0

    def _evidence(
        self, rows: Sequence[dict[str, Any]], texts: Sequence[Normalised], offsets: Any
    ) -> np.ndarray:
        shape = (*offsets.shape[:2], max(1, len(self.harmful)))
        target = np.full(shape, np.nan, dtype=np.float32)
        for i, row in enumerate(rows):
            asked = self._known_for_all_tokens(row)
            if not asked.any():
                continue
            target[i, offsets[i, :, 0] < offsets[i, :, 1]] = np.where(asked, 0.0, np.nan)
            for t, (start, end) in enumerate(offsets[i] if row["spans"] else ()):
                if start < end:
                    token = texts[i].original_span(int(start), int(end))
                    target[i, t] = np.where(asked, self._strengths(row["spans"], token), np.nan)
        return target

    def _known_for_all_tokens(self, row: dict[str, Any]) -> npt.NDArray[np.bool_]:
        """Return the harmful labels [harmful] for which the strength of every token is known.

        These are the labels that annotators marked, and those that the whole text does not have.
        """
        known = dict(zip(self.recipe.labels, row["labels"], strict=True))
        marked = {span["label"] for span in row["spans"]} if row["spans_known"] else set()
        if marked - {"spam"}:
            marked.add("toxicity")
        return np.array([label in marked or known[label] == 0.0 for label in self.harmful])

    def _strengths(self, spans: Sequence[dict[str, Any]], token: tuple[int, int]) -> list[float]:
        """Return the share of annotators [harmful] who marked the token; ``toxicity`` counts all marks but spam."""
        strengths = dict.fromkeys(self.harmful, 0.0)
        for span in spans:
            if span["start"] < token[1] and token[0] < span["end"]:
                also = "toxicity" if span["label"] != "spam" else "spam"
                for label in {span["label"], also} & strengths.keys():
                    strengths[label] = min(1.0, strengths[label] + span["strength"])
        return list(strengths.values())


def rows_of(dataset: Dataset, indices: Sequence[int]) -> list[dict[str, Any]]:
    """Return the rows ``indices`` of ``dataset``, in that order."""
    columns = dataset[list(indices)]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
