"""Training of the label heads alone, on states of the encoder that are computed once.

With a fixed encoder a label's head is a logistic regression, which is convex: L-BFGS finds the same minimum
every time. The strength of the pull towards the heads of the start is chosen on validation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import DatasetDict
from rich.console import Console
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from belowline.training.fit.batches import Encoder, rows_of
from belowline.training.fit.losses import fill_missing_targets, masked_loss
from belowline.training.fit.network import CommentModel, read_length
from belowline.training.fit.training_log import TrainingLog
from belowline.training.fit.validation import early_stopping_score, validation_metrics, validation_rows
from belowline.training.recipes.recipe import Recipe

_PULLS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
"""Of the squared distance of a head's weights from those of the start, strongest first."""
_STEPS = 200


@dataclass(frozen=True, slots=True)
class _Texts:
    """n texts as input of the label head. Unknown targets are held to the probabilities ``held`` where known."""

    read: Tensor  # [n, 2 * hidden]
    length: Tensor  # [n, 1]
    targets: Tensor  # [n, labels]
    weights: Tensor  # [n], of mean 1
    held: Tensor  # [n, labels]


def fit_heads(
    model: CommentModel,
    tokenizer: PreTrainedTokenizerBase,
    data: DatasetDict,
    recipe: Recipe,
    run: Path,
    console: Console,
    start: Mapping[str, Tensor],
) -> None:
    """Fit ``model.label_head`` to the training split; ``start`` has the weights that the model begins with."""
    encoder, watched = Encoder(tokenizer, recipe), validation_rows(data["validation"], recipe)
    rows = rows_of(data["train"], range(len(data["train"])))
    has_heads = "label_head.weight" in start
    train = _texts(model, encoder, rows, console, held=has_heads)
    seen = _texts(model, encoder, watched, console, held=False)
    if not has_heads:
        nn.init.zeros_(model.label_head.weight)
        nn.init.zeros_(model.label_head.bias)
    first = {name: value.clone() for name, value in model.label_head.state_dict().items()}
    journal, best = TrainingLog(run, 0), (float("inf"), first)
    for step, pull in enumerate(_PULLS):
        loss = _fitted(model, train, first, pull, recipe.fit.hold_start)
        with torch.no_grad():
            logits = model.label_logits(seen.read, seen.length)
        measured = validation_metrics(logits.double().cpu().numpy(), watched, model.labels)
        score = early_stopping_score(measured, recipe.fit.metric)
        console.print(f"pull {pull:g}: loss {loss:.4f}, on validation {score:.4f}")
        journal.losses(step, pull, {"labels": loss})
        journal.validation(step, measured)
        if score < best[0]:
            best = score, {name: value.clone() for name, value in model.label_head.state_dict().items()}
    journal.close()
    model.label_head.load_state_dict(best[1])


def _fitted(
    model: CommentModel, texts: _Texts, first: Mapping[str, Tensor], pull: float, hold_start: float
) -> float:
    """Set the head to the minimum under ``pull`` and return the loss on known targets there."""
    head = model.label_head
    head.load_state_dict(first)
    optimizer = torch.optim.LBFGS(
        head.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe", tolerance_grad=1e-5
    )

    def loss_on(targets: Tensor) -> Tensor:
        return masked_loss(model.label_logits(texts.read, texts.length), targets, texts.weights)

    def closure() -> Tensor:
        optimizer.zero_grad()
        away = torch.stack([((value - first[name]) ** 2).sum() for name, value in head.named_parameters()])
        loss = loss_on(texts.targets) + pull * away.sum()
        if hold_start:
            loss = loss + hold_start * loss_on(texts.held)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return loss_on(texts.targets).item()


def _texts(
    model: CommentModel, encoder: Encoder, rows: list[dict[str, Any]], console: Console, *, held: bool
) -> _Texts:
    device = next(model.parameters()).device
    read, length = (states.to(device) for states in head_inputs(model, encoder, rows, console))
    targets = torch.tensor(np.array([row["labels"] for row in rows], dtype=np.float32), device=device)
    counted = [row.get("weight", 1.0) * row["passes"] for row in rows]
    weights = torch.tensor(counted, dtype=torch.float32, device=device)
    with torch.no_grad():
        start = model.label_logits(read, length)
    unknown = fill_missing_targets(targets, start) if held else torch.full_like(targets, torch.nan)
    return _Texts(read, length, targets, weights / weights.mean().clamp(min=1e-9), unknown)


def head_inputs(
    model: CommentModel, encoder: Encoder, rows: Sequence[dict[str, Any]], console: Console
) -> tuple[Tensor, Tensor]:
    """Return input of the label head [n, 2 * hidden] and length [n, 1] of each row, on the CPU."""
    device = next(model.parameters()).device
    inputs: list[tuple[Tensor, Tensor]] = []
    order: list[int] = []
    model.eval()
    console.print(f"reading {len(rows):,} texts")
    with torch.no_grad():
        for numbers, batch in encoder.in_batches(rows, device):
            order += numbers
            states = model.label_states(batch.input_ids, batch.attention_mask)
            inputs.append((states.float().cpu(), read_length(batch.attention_mask).cpu()))
    read, length = (torch.cat(parts) for parts in zip(*inputs, strict=True))
    back = torch.tensor(order).argsort()
    return read[back], length[back]
