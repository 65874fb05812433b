"""Batches of about equal padded size, in an order that depends on seed and pass only, so that a run can be resumed exactly."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from belowline.model.labels import HARMFUL
from belowline.model.normalise import Normalised, normalise
from belowline.training.augment import disguised, swap_group
from belowline.training.recipe import Recipe

_STEP = 8
"""Lengths are padded to a multiple of this: few shapes keep allocators and kernel caches small over hours."""


@dataclass(frozen=True, slots=True)
class Batch:
    """B texts of T tokens. Unknown targets are NaN."""

    input_ids: Tensor  # [B, T]
    attention_mask: Tensor  # [B, T]
    labels: Tensor  # [B, labels]
    evidence: Tensor  # [B, T, harmful labels]


def plan(lengths: Sequence[int], passes: Sequence[float], recipe: Recipe, number: int) -> list[list[int]]:
    """The batches, as example indices, of pass ``number``: similar lengths together, batches shuffled."""
    rng = random.Random(recipe.seed * 1000003 + number)  # reproducible, not secret
    shown = [index for index, times in enumerate(passes) for _ in range(_times(times, rng))]
    rng.shuffle(shown)
    batches: list[list[int]] = []
    # Sorted within a large window: nearly no padding, and still a mixture of corpora in every batch.
    for start in range(0, len(shown), 8192):
        window = sorted(shown[start : start + 8192], key=lambda index: padded(lengths[index], recipe))
        batches += _cut(window, lengths, recipe)
    rng.shuffle(batches)
    return batches


def _times(times: float, rng: random.Random) -> int:
    whole = int(times)
    return whole + (rng.random() < times - whole)


def padded(length: int, recipe: Recipe) -> int:
    """Tokens that a text of ``length`` tokens takes in a batch."""
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
    """Turns rows of the dataset into batches: augment, normalise, tokenise, align targets."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, recipe: Recipe) -> None:
        self.tokenizer = tokenizer
        self.recipe = recipe
        self.harmful = tuple(label for label in recipe.labels if label in HARMFUL)

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text after normalisation, special ones included, at most the window's length."""
        plain = [normalise(text).text for text in texts]
        encoded = self.tokenizer(plain, truncation=True, max_length=self.recipe.max_tokens)
        return [len(ids) for ids in encoded["input_ids"]]

    def batch(self, rows: Sequence[dict[str, Any]], seeds: Sequence[int] | None = None) -> Batch:
        """One batch; ``seeds`` (one a row) switches augmentation on."""
        rows = [
            row if seeds is None else self._augmented(row, random.Random(seeds[i]))
            for i, row in enumerate(rows)
        ]
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
        )

    def _augmented(self, row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
        options, text, labels = self.recipe.augment, row["text"], list(row["labels"])
        if row["source"] in options.swap_in and rng.random() < options.swap:
            text, names_jews = swap_group(text, rng)
            self._relabel(labels, names_jews)
        if rng.random() < options.disguise:
            text = disguised(text, rng)
        if text == row["text"]:
            return row
        return {**row, "text": text, "labels": labels, "spans_known": False}

    def _relabel(self, labels: list[float | None], names_jews: bool | None) -> None:
        """Hate of a group is antisemitism if and only if Jews are the group."""
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
            if not (row["spans_known"] and self.harmful):
                continue
            for t, (start, end) in enumerate(offsets[i]):
                if start < end:
                    target[i, t] = self._strengths(row["spans"], texts[i].original_span(int(start), int(end)))
        return target

    def _strengths(self, spans: Sequence[dict[str, Any]], token: tuple[int, int]) -> list[float]:
        strengths = dict.fromkeys(self.harmful, 0.0)
        for span in spans:
            if span["label"] in strengths and span["start"] < token[1] and token[0] < span["end"]:
                strengths[span["label"]] = max(strengths[span["label"]], span["strength"])
        return list(strengths.values())


def rows_of(dataset: Dataset, indices: Sequence[int]) -> list[dict[str, Any]]:
    """Rows ``indices`` of ``dataset``, in that order."""
    columns = dataset[list(indices)]
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
