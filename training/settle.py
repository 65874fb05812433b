"""The last step of a training: the embedding head by least squares, once the trunk stands still.

While the trunk moves, gradient descent only follows it; the best linear map from its states to the base's embeddings has a closed form.
"""

import random
from collections.abc import Iterator

import torch
from datasets import Dataset
from torch import nn
from transformers import PreTrainedModel

from belowline.training.batches import Batch, Encoder, rows_of
from belowline.training.network import CommentModel, mean_pool

_TEXTS = 15000
_PER_BATCH = 32
_RIDGE = 1e-2
"""Of the mean square of a state; with these texts the best of 1e-4 to 5e-2 on others (training/LOG.md)."""


def settle_embedding(model: CommentModel, base: PreTrainedModel, encoder: Encoder, data: Dataset) -> None:
    """Set ``model.embedding_head`` to the ridge regression of the base's unit embeddings on the trunk's mean states, over up to
    15,000 texts of ``data`` drawn by the recipe's seed."""
    device = next(model.parameters()).device
    width, hidden = model.embedding_head.in_features, model.embedding_head.out_features
    # Double precision: sums over thousands of texts.
    squares = torch.zeros(width + 1, width + 1, dtype=torch.float64)
    products = torch.zeros(width + 1, hidden, dtype=torch.float64)
    model.eval()
    with torch.no_grad():
        for batch in _batches(encoder, data):
            ids, mask = batch.input_ids.to(device), batch.attention_mask.to(device)
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


def _batches(encoder: Encoder, data: Dataset) -> Iterator[Batch]:
    """Texts as they are, similar lengths together."""
    rng = random.Random(encoder.recipe.seed)  # reproducible, not secret
    chosen = rng.sample(range(len(data)), min(_TEXTS, len(data)))
    rows = sorted(rows_of(data, chosen), key=lambda row: len(row["text"]))
    for start in range(0, len(rows), _PER_BATCH):
        yield encoder.batch(rows[start : start + _PER_BATCH])
