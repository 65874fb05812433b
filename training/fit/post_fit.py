"""Last step of a training, after the trunk is final: embedding head by least squares, and the weight of the length.

While the trunk changes, gradient descent only follows it; the best linear map from its states to the base's
embeddings has a closed form. The weight of the length is fitted on texts outside training, which the label
head does not know by heart.
"""

import random
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from scipy.optimize import minimize
from torch import Tensor, nn
from transformers import PreTrainedModel

from belowline.training.fit.batches import Encoder, rows_of
from belowline.training.fit.network import CommentModel, mean_pool, read_length

_TEXTS = 8000
_FEWEST = 100
_RIDGE = 1e-2
"""Of the mean square of a state; with 15,000 texts the best of 1e-4 to 5e-2 on others (training/LOG.md)."""


def fit_embedding_head(model: CommentModel, base: PreTrainedModel, encoder: Encoder, data: Dataset) -> None:
    """Set the embedding head to the ridge regression of the base's embeddings on mean states."""
    device = next(model.parameters()).device
    width, hidden = model.embedding_head.in_features, model.embedding_head.out_features
    # Double precision: sums over thousands of texts.
    squares = torch.zeros(width + 1, width + 1, dtype=torch.float64)
    products = torch.zeros(width + 1, hidden, dtype=torch.float64)
    rng = random.Random(encoder.recipe.seed)  # reproducible, not secret
    drawn = rows_of(data, rng.sample(range(len(data)), min(_TEXTS, len(data))))
    model.eval()
    with torch.no_grad():
        for _, batch in encoder.in_batches(drawn, device):
            ids, mask = batch.input_ids, batch.attention_mask
            layers = model.encoder(
                input_ids=ids, attention_mask=mask, output_hidden_states=True
            ).hidden_states
            states = model.means(layers, mask).float().cpu().double()
            own = mean_pool(base(input_ids=ids, attention_mask=mask).last_hidden_state, mask).float()
            goal = nn.functional.normalize(own, dim=1).cpu().double()
            inputs = torch.cat((states, torch.ones(len(states), 1, dtype=torch.float64)), dim=1)
            squares += inputs.T @ inputs
            products += inputs.T @ goal
        squares += torch.eye(width + 1) * squares.diagonal().mean() * _RIDGE
        solution = torch.linalg.solve(squares, products)
        model.embedding_head.weight.copy_(solution[:-1].T)
        model.embedding_head.bias.copy_(solution[-1])


def fit_length_weight(model: CommentModel, encoder: Encoder, data: Dataset) -> None:
    """Set ``model.length_weight`` by logistic regression on the label's logit and the length, over texts that know
    the label.

    A label that fewer than 100 texts know keeps its weight.
    """
    for label in model.reads_length.nonzero().flatten().tolist():
        rows = [row for row in rows_of(data, range(len(data))) if row["labels"][label] is not None]
        if len(rows) >= _FEWEST:
            logits, lengths, target = _read(model, encoder, rows, label)
            weight = model.length_weight[label].item()
            with torch.no_grad():
                model.length_weight[label] = _weight_of_length(logits - weight * lengths, lengths, target)


def _read(
    model: CommentModel, encoder: Encoder, rows: list[dict[str, Any]], label: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return logit of ``label``, length, and target of each row; all [n], double precision."""
    device = next(model.parameters()).device
    model.eval()
    read: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.no_grad():
        for _, batch in encoder.in_batches(rows, device):
            logits = model(batch.input_ids, batch.attention_mask).logits[:, label].float().cpu()
            read.append(
                (logits, read_length(batch.attention_mask).flatten().cpu(), batch.labels[:, label].cpu())
            )
    logits, lengths, target = (torch.cat(part).double() for part in zip(*read, strict=True))
    return logits, lengths, target


def _weight_of_length(logits: Tensor, lengths: Tensor, target: Tensor) -> float:
    """Return the logits per unit of length, fitted together with a scale and a shift."""
    own, length, truth = logits.numpy(), lengths.numpy(), target.numpy()

    def loss(parameters: np.ndarray[Any, np.dtype[np.float64]]) -> float:
        z = np.exp(parameters[0]) * (own + parameters[1] * length) + parameters[2]
        return float(np.mean(np.logaddexp(0, z) - truth * z))

    return float(minimize(loss, np.zeros(3), method="BFGS").x[1])
