"""Distillation: a smaller network that begins with some layers of a larger one, and learns from its probabilities and
states.

After Hinton and others (2015), "Distilling the knowledge in a neural network", and Sanh and others (2019),
"DistilBERT".
"""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from belowline.training.fit.batches import Batch
from belowline.training.fit.losses import cosine_loss, masked_loss
from belowline.training.fit.network import CommentModel, keep_layers
from belowline.training.fit.trainer import Trainer, frozen
from belowline.training.recipes.recipe import Distil


def smaller(model: CommentModel, layers: Sequence[int]) -> CommentModel:
    """Return a network with these layers of ``model`` (from 0) and its heads; raises ValueError for unknown ones."""
    encoder = copy.deepcopy(model.encoder)
    keep_layers(encoder, layers)
    student = CommentModel(encoder, model.labels)
    own = student.state_dict()
    fitting = {name: value for name, value in model.state_dict().items() if not name.startswith("encoder.")}
    # The embedding's head may read fewer layers; it is settled at the end.
    student.load_state_dict(
        {name: v for name, v in fitting.items() if own[name].shape == v.shape}, strict=False
    )
    student.dropout.p = 0.0  # probabilities, unlike verdicts, are not learned by heart
    return student


class Distiller(Trainer):
    """A trainer whose losses compare a student with its teacher."""

    def __init__(self, distil: Distil, teacher: CommentModel, *rest: Any, **named: Any) -> None:
        super().__init__(*rest, **named)
        self.distil, self.teacher = distil, frozen(teacher, self.accelerator.device)

    def _loss_weights(self) -> dict[str, float]:
        return super()._loss_weights() | {"states": self.distil.states}

    def _losses(self, batch: Batch, *, hold: bool) -> dict[str, Tensor]:
        ids, mask = batch.input_ids, batch.attention_mask
        with torch.autocast(ids.device.type, dtype=torch.bfloat16, enabled=self.bf16):
            outputs = self.network(ids, mask)
            with torch.no_grad():
                goal = self.teacher(ids, mask)
        words = torch.sigmoid(goal.evidence).masked_fill((mask == 0)[..., None], torch.nan)
        losses = {
            "labels": masked_loss(outputs.logits, batch.labels, batch.weights, self._mean_count),
            "probabilities": masked_loss(outputs.logits, torch.sigmoid(goal.logits), share=self._mean_count),
            "evidence": masked_loss(outputs.evidence, words, share=self._mean_count),
            "states": cosine_loss(outputs.states, goal.states, mask, self._mean_count),
        }
        if hold:
            losses["hold"] = cosine_loss(
                outputs.embedding, goal.embedding, torch.ones_like(mask[:, 0]), self._mean_count
            )
        return losses
