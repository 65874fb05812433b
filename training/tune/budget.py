"""Hold thresholds that catch the most harm within what a team can review."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from belowline.training.measure.metrics import Bools, Floats


@dataclass(frozen=True, slots=True)
class Load:
    """What n comments cost to review and what is caught by it.

    Attributes:
        weights: How many comments each stands for [n].
        harmful: Whether any label of the policy is known to apply [n].
        held: What is held whatever the thresholds to be chosen [n].
        rejected: What is rejected without a person, and so costs nothing [n].
    """

    weights: Floats
    harmful: Bools
    held: Bools
    rejected: Bools


def most_within(
    most: float,
    load: Load,
    probabilities: Mapping[str, Floats],
    candidates: Mapping[str, Sequence[float]],
) -> dict[str, float | None]:
    """Label to threshold, None for a label that is not to hold: the share of comments held stays at most ``most``.

    Greedy: time and again that label's threshold is lowered, and so far, as catches the most harm for each further comment to review. A
    comment that is held already costs and gains nothing, so overlap between labels counts once. The optimum is not promised.
    """
    chosen: dict[str, float | None] = dict.fromkeys(candidates)
    held, total = load.held & ~load.rejected, float(load.weights.sum())
    while True:
        left = most * total - float(load.weights[held].sum())
        open_ = load.weights * ~(held | load.rejected)
        steps = [
            _best_step(label, load, open_, probabilities[label], own, left)
            for label, own in candidates.items()
            if len(own)
        ]
        worth, label, threshold = max(steps, default=(0.0, "", 0.0))
        if worth <= 0:
            return chosen
        chosen[label] = threshold
        held |= (probabilities[label] >= threshold) & ~load.rejected


def _best_step(
    label: str, load: Load, open_: Floats, probability: Floats, own: Sequence[float], left: float
) -> tuple[float, str, float]:
    """Harm caught for each comment more to review, at the threshold of ``own`` where that is most; nothing that costs more than is left."""
    order = np.argsort(-probability, kind="stable")
    cost = np.concatenate(([0.0], np.cumsum(open_[order])))
    gain = np.concatenate(([0.0], np.cumsum((open_ * load.harmful)[order])))
    ends = np.searchsorted(-probability[order], -np.asarray(own), side="right")
    affordable = (cost[ends] > 0) & (cost[ends] <= left + 1e-9)
    worth = np.divide(gain[ends], cost[ends], out=np.zeros(len(own)), where=affordable)
    best = int(worth.argmax())
    return float(worth[best]), label, float(own[best])
