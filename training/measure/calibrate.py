"""Calibration of probabilities, and thresholds for a precision, both from validation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from belowline.model import HARMFUL, Thresholds
from belowline.model.directory import Calibration
from belowline.training.measure.intervals import Floats, wilson
from belowline.training.measure.rows import TestRows
from belowline.training.recipes.recipe import Recipe

REJECT_PRECISION = 0.97
_FEWEST_HELD = 30
"""A precision of fewer held examples is too uncertain to act on."""


def platt(logits: Floats, target: Floats, weights: Floats) -> Calibration:
    """Return scale and shift that minimise the weighted log loss of ``target`` (shares in 0..1) given ``logits``; all
    [n] (Platt, 1999).

    Without examples: scale 1, shift 0.
    """
    if not len(target):
        return Calibration(scale=1.0, shift=0.0)

    def loss(parameters: Floats) -> float:
        z = np.exp(parameters[0]) * logits + parameters[1]
        return float(np.average(np.logaddexp(0, z) - target * z, weights=weights))

    fitted = minimize(loss, np.zeros(2), method="BFGS").x
    return Calibration(scale=round(float(np.exp(fitted[0])), 6), shift=round(float(fitted[1]), 6))


def two_sided(target: Floats, sources: npt.NDArray[np.str_]) -> npt.NDArray[np.bool_]:
    """Return the examples [n] of sources with both classes; a source with harm only says nothing about precision."""
    both = np.zeros(len(target), dtype=bool)
    for source in np.unique(sources):
        mask = (sources == source) & ~np.isnan(target)
        if (target[mask] >= 0.5).any() and (target[mask] < 0.5).any():
            both |= mask
    return both


def equal_weights(sources: npt.NDArray[np.str_]) -> Floats:
    """Return weights [n] that give every source (corpus) the same total."""
    names, inverse, counts = np.unique(sources, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (counts[inverse] * len(names)), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and its effect on validation: precision with 95 % Wilson interval, recall, examples held."""

    threshold: float
    precision: float
    low: float
    high: float
    recall: float
    held: int


def threshold_for(
    precision: float, probability: Floats, target: Floats, floor: float = 0.0
) -> OperatingPoint | None:
    """Return the lowest threshold from ``floor`` on with precision of at least ``precision``, None if there is none."""
    return _chosen(
        probability, target, floor, lambda hits, held: np.flatnonzero(hits / held >= precision)[-1:]
    )


def best_threshold(
    probability: Floats, target: Floats, floor: float = 0.0, beta: float = 0.5
) -> OperatingPoint | None:
    """Return the threshold from ``floor`` on with the best F-beta, for a label without the stated precision."""

    def best(hits: Floats, held: Floats) -> npt.NDArray[np.intp]:
        positives = float((target >= 0.5).sum())
        return np.atleast_1d(np.argmax(hits / (held + beta**2 * positives)))

    return _chosen(probability, target, floor, best)


def hold_threshold(
    precision: float, recall: float, probability: Floats, target: Floats, floor: float = 0.0
) -> OperatingPoint | None:
    """Return the lowest threshold from ``floor`` on with ``precision``, or, if its recall is below ``recall``, the one
    with the best F-half.

    The result says its precision and recall.
    """
    precise = threshold_for(precision, probability, target)
    if precise and precise.recall >= recall:
        return threshold_for(precision, probability, target, floor)
    return best_threshold(probability, target, floor)


def threshold_of_share(share: float, probability: Floats, sources: npt.NDArray[np.str_]) -> float:
    """Return the lowest threshold, in steps of 0.0001, that at most ``share`` of the comments [n] reach.

    Every source has the same weight. Without comments: 0.
    """
    weights = equal_weights(sources)
    order = np.argsort(-probability)
    too_many = order[np.cumsum(weights[order]) > share + 1e-9]
    return float(np.floor(probability[too_many[0]] * 1e4) / 1e4 + 1e-4) if len(too_many) else 0.0


def operating_points(
    label: str, recipe: Recipe, probability: Floats, rows: TestRows
) -> tuple[OperatingPoint | None, OperatingPoint | None]:
    """Return where ``label`` holds and where it rejects comments; a label that is not harmful does neither.

    Args:
        probability: The calibrated probability of the label for each row, [n].
        rows: Validation rows. Those of sources with both classes give the precision, the harmless ones of
            ``recipe.ordinary`` the lowest possible threshold.
    """
    if label not in HARMFUL:
        return None, None
    target = rows.target(label)
    known, ordinary = two_sided(target, rows.sources), rows.harmless(recipe.ordinary)
    floor = threshold_of_share(recipe.hold_harmless, probability[ordinary], rows.sources[ordinary])
    values = probability[known], target[known]
    hold = hold_threshold(recipe.hold_precision, recipe.hold_recall, *values, floor)
    return hold, threshold_for(REJECT_PRECISION, *values, floor)


def thresholds_at(hold: OperatingPoint | None, reject: OperatingPoint | None) -> Thresholds:
    """Return the thresholds of two operating points."""
    return Thresholds(hold=hold.threshold if hold else None, reject=reject.threshold if reject else None)


def _chosen(
    probability: Floats,
    target: Floats,
    floor: float,
    choose: Callable[[Floats, Floats], npt.NDArray[np.intp]],
) -> OperatingPoint | None:
    """Return the operating point that ``choose`` picks from hits [k] and held [k] of the thresholds from ``floor`` on,
    strictest first.
    """
    order = np.argsort(-probability)
    ranked, truth = probability[order], target[order] >= 0.5
    hits, held = np.cumsum(truth, dtype=np.float64), np.arange(1, len(truth) + 1, dtype=np.float64)
    # Thresholds have four decimals: one is possible only where it does not also hold the next example below.
    thresholds = np.floor(ranked * 1e4) / 1e4
    last = np.append(ranked[1:] < thresholds[:-1], True)[: len(ranked)]
    possible = np.flatnonzero(last & (held >= _FEWEST_HELD) & (thresholds >= floor))
    chosen = choose(hits[possible], held[possible]) if len(possible) and truth.any() else possible[:0]
    if not len(chosen):
        return None
    at = possible[chosen[0]]
    low, high = wilson(int(hits[at]), int(held[at]))
    return OperatingPoint(
        float(thresholds[at]),
        float(hits[at] / held[at]),
        low,
        high,
        float(hits[at] / hits[-1]),
        int(held[at]),
    )
