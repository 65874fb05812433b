"""Validation during a training: a few hundred rows of every corpus, label by label."""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from datasets import Dataset
from sklearn.metrics import roc_auc_score

from belowline.training.dataset.mix import is_decision
from belowline.training.fit.batches import Encoder, rows_of
from belowline.training.fit.network import CommentModel
from belowline.training.recipes.recipe import Recipe

Floats = npt.NDArray[np.float64]
Validation = dict[str, dict[str, dict[str, float]]]
"""Label to corpus (of decisions with their slice) to ``loss`` and, where both sides are known, ``auc``."""


def validation_rows(validation: Dataset, recipe: Recipe) -> list[dict[str, Any]]:
    """Draw at most ``evaluate_rows`` rows of each corpus by the recipe's seed."""
    groups: dict[str, list[int]] = defaultdict(list)
    for at, (source, kind) in enumerate(zip(validation["source"], validation["slice"], strict=True)):
        groups[_group(source, kind)].append(at)
    rng, most = random.Random(recipe.seed), recipe.fit.evaluate_rows  # reproducible, not secret
    drawn = [at for rows in groups.values() for at in (rows if len(rows) <= most else rng.sample(rows, most))]
    return rows_of(validation, drawn) if drawn else []


def _group(source: str, kind: str) -> str:
    """Return the corpus; decisions on picked comments and on random draws are separate groups."""
    return f"{source} {kind}" if is_decision(source) else source


def validate(
    model: CommentModel, encoder: Encoder, rows: Sequence[dict[str, Any]], accelerator: Accelerator
) -> Validation:
    """Measure ``model`` on ``rows``, each process its share; all processes return the same."""
    own = range(accelerator.process_index, len(rows), accelerator.num_processes)
    logits_of_rows: list[tuple[int, list[float]]] = []
    model.eval()
    with torch.no_grad():
        for numbers, batch in encoder.in_batches([rows[at] for at in own], accelerator.device):
            logits = model(batch.input_ids, batch.attention_mask).logits.float().cpu().tolist()
            logits_of_rows += zip((own[at] for at in numbers), logits, strict=True)
    model.train()
    gathered = dict(gather_object(logits_of_rows))
    return validation_metrics(np.array([gathered[at] for at in range(len(rows))]), rows, model.labels)


def validation_metrics(
    logits: Floats, rows: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> Validation:
    """Return loss and AUC of ``logits`` [n, labels] on ``rows``, weighted, by label and corpus."""
    groups = np.array([_group(row["source"], row["slice"]) for row in rows], dtype=np.str_)
    weights = np.array([row.get("weight", 1.0) for row in rows], dtype=np.float64)
    targets = np.array([row["labels"] for row in rows], dtype=np.float64).reshape(len(rows), len(labels))
    result: Validation = {label: {} for label in labels}
    for label, own, target in zip(labels, logits.T, targets.T, strict=True):
        known = ~np.isnan(target)
        for group in np.unique(groups[known]).tolist():
            mask = known & (groups == group)
            result[label][group] = _metrics(own[mask], target[mask], weights[mask])
    return result


def _metrics(logits: Floats, target: Floats, weights: Floats) -> dict[str, float]:
    loss = np.logaddexp(0, logits) - target * logits
    metrics = {"loss": float(np.average(loss, weights=weights))}
    truth = target >= 0.5
    if truth.any() and not truth.all():
        metrics["auc"] = float(roc_auc_score(truth, logits, sample_weight=weights))
    return metrics


def means(validation: Validation, metric: str) -> dict[str, float]:
    """Return the metric of each label that has it, as the mean over corpora of any size."""
    each = {
        label: [figures[metric] for figures in groups.values() if metric in figures]
        for label, groups in validation.items()
    }
    return {label: float(np.mean(values)) for label, values in each.items() if values}


def early_stopping_score(validation: Validation, metric: str) -> float:
    """Return the mean over labels, less is better: the loss, or 1 - AUC. Infinite if nothing was measured."""
    values = list(means(validation, metric).values())
    if not values:
        return float("inf")
    return 1 - float(np.mean(values)) if metric == "auc" else float(np.mean(values))
