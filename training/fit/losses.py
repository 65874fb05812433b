"""What a training makes small."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def same(count: Tensor) -> Tensor:
    """How many targets count where one process has them all."""
    return count


def masked_loss(
    logits: Tensor, target: Tensor, weights: Tensor | None = None, share: Callable[[Tensor], Tensor] = same
) -> Tensor:
    """Mean binary cross-entropy over the targets that are known (not NaN); zero when none is.

    ``weights`` [B], of mean 1 over the data, count the texts; ``logits`` and ``target`` are [B, ...]. ``share`` makes of the number of
    known targets the one to divide by.
    """
    mask = ~torch.isnan(target)
    loss = nn.functional.binary_cross_entropy_with_logits(
        logits.float(), torch.nan_to_num(target), reduction="none"
    )
    if weights is not None:
        loss = loss * weights.reshape(-1, *[1] * (loss.dim() - 1))
    return (loss * mask).sum() / share(mask.sum()).clamp(min=1)


def apart(mine: Tensor, goal: Tensor, counts: Tensor, share: Callable[[Tensor], Tensor] = same) -> Tensor:
    """1 - cosine, mean over the places where ``counts`` [...] is 1; ``mine`` and ``goal`` are [..., hidden]. ``share`` as above."""
    found = (1 - nn.functional.cosine_similarity(mine.float(), goal.float(), dim=-1)) * counts
    return found.sum() / share(counts.sum())


def unsaid(target: Tensor, start: Tensor) -> Tensor:
    """Targets for what ``target`` does not know: the probabilities of ``start``, its logits; NaN where it is known."""
    return torch.where(torch.isnan(target), torch.sigmoid(start.float()), torch.nan)
