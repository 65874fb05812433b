"""Losses."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def identity(count: Tensor) -> Tensor:
    """Return ``count``: the number of targets where one process has them all."""
    return count


def masked_loss(
    logits: Tensor,
    target: Tensor,
    weights: Tensor | None = None,
    share: Callable[[Tensor], Tensor] = identity,
) -> Tensor:
    """Return the mean binary cross-entropy over known targets (not NaN); zero if none is known.

    Args:
        logits: [B, ...].
        target: [B, ...], NaN for unknown.
        weights: [B], of mean 1 over the data.
        share: Function from the number of known targets to the divisor, which differs where several processes
            share a batch.
    """
    mask = ~torch.isnan(target)
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits.float(), torch.nan_to_num(target), reduction="none"
    )
    if weights is not None:
        loss = loss * weights.reshape(-1, *[1] * (loss.dim() - 1))
    return (loss * mask).sum() / share(mask.sum()).clamp(min=1)


def cosine_loss(
    mine: Tensor, goal: Tensor, counts: Tensor, share: Callable[[Tensor], Tensor] = identity
) -> Tensor:
    """Return 1 - cosine, mean over positions where ``counts`` [...] is 1; ``mine`` and ``goal`` are [..., hidden]."""
    distances = (1 - nn.functional.cosine_similarity(mine.float(), goal.float(), dim=-1)) * counts
    return distances.sum() / share(counts.sum())


def fill_missing_targets(target: Tensor, start: Tensor) -> Tensor:
    """Return the probabilities of ``start`` (logits) as targets where ``target`` is unknown, NaN where it is known."""
    return torch.where(torch.isnan(target), torch.sigmoid(start.float()), torch.nan)
