"""Metrics of one label, each with a bootstrap interval, as scikit-learn defines them unless stated otherwise."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from belowline.training.measure.bootstrap import Bools, Floats, percentiles, resamples

RECALLS = (50, 80, 95)
"""Recalls, in per cent, at which precision is given."""
BINS = 15
"""Bins of equal width for calibration."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of one label on one set of examples.

    Every metric ``x`` has ``x_low`` and ``x_high``, the 2.5th and 97.5th percentile over 200 resamples of the
    examples. NaN is not
    measured: the AUC of one class, a precision without positives, F1 without a threshold.

    Attributes:
        examples: Examples with a known label.
        positives: Of these, those at or above 0.5.
        auc: Area under the ROC curve.
        average_precision: Area under the precision-recall curve.
        f1: F1 at the hold threshold.
        precision_at_50: Precision at the highest threshold with recall of at least 50 %; likewise for 80 and 95.
        calibration_error: Expected calibration error over 15 bins of equal width.
    """

    examples: int
    positives: int
    auc: float
    auc_low: float
    auc_high: float
    average_precision: float
    average_precision_low: float
    average_precision_high: float
    f1: float
    f1_low: float
    f1_high: float
    precision_at_50: float
    precision_at_50_low: float
    precision_at_50_high: float
    precision_at_80: float
    precision_at_80_low: float
    precision_at_80_high: float
    precision_at_95: float
    precision_at_95_low: float
    precision_at_95_high: float
    calibration_error: float
    calibration_error_low: float
    calibration_error_high: float


def measure(target: Floats, probability: Floats, threshold: float | None, seed: int = 0) -> Metrics:
    """Return the metrics of ``probability`` [n] against ``target`` [n] (shares in 0..1, positive from 0.5), n at
    least 1.
    """
    ranked = rank(target, probability, threshold)
    metrics = metrics_of(np.ones((1, len(target))), ranked)
    draws = [metrics_of(counts, ranked) for counts in resamples(len(target), seed)]
    values: dict[str, Any] = {}
    for name, value in metrics.items():
        values[name] = float(value[0])
        values[f"{name}_low"], values[f"{name}_high"] = percentiles(
            np.concatenate([draw[name] for draw in draws])
        )
    return Metrics(len(target), int(ranked.truth.sum()), **values)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Examples sorted by falling probability, with everything that no resample changes."""

    order: npt.NDArray[np.intp]  # [n]
    truth: Bools  # [n]
    ends: npt.NDArray[
        np.intp
    ]  # [k], the last of each run of equal probabilities: a threshold cannot part them
    held: int | None  # how many of the k runs are at or above the threshold; None without one
    gaps: Floats  # [n, bins], probability less target in the column of the example's bin


def rank(target: Floats, probability: Floats, threshold: float | None) -> Ranked:
    """Sort examples [n] by falling probability."""
    order = np.argsort(-probability, kind="stable")
    sorted_ = probability[order]
    ends = np.flatnonzero(np.append(np.diff(sorted_) != 0, True))
    held = None if threshold is None else int((sorted_[ends] >= threshold).sum())
    gaps = np.zeros((len(target), BINS))
    gaps[np.arange(len(target)), bins(sorted_)] = sorted_ - target[order]
    return Ranked(order, target[order] >= 0.5, ends, held, gaps)


def metrics_of(counts: Floats, ranked: Ranked) -> dict[str, Floats]:
    """Return each metric [k] of the examples taken ``counts`` [k, n] times."""
    hits, held = _cumulated(counts, ranked.truth, ranked.ends)
    positives, total = hits[:, -1:], held[:, -1:]
    precision = np.divide(hits, held, out=np.zeros_like(hits), where=held > 0)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: not measured
        average = (np.diff(hits, prepend=0) * precision).sum(1) / positives[:, 0]
        metrics = {"auc": _area(hits, held), "average_precision": average, "f1": _f1(hits, held, ranked.held)}
    for recall in RECALLS:
        first = (hits >= recall / 100 * positives - 1e-9).argmax(1)
        at = precision[np.arange(len(hits)), first]
        metrics[f"precision_at_{recall}"] = np.where(positives[:, 0] > 0, at, np.nan)
    return metrics | {"calibration_error": np.abs(counts @ ranked.gaps).sum(1) / total[:, 0]}


def _cumulated(counts: Floats, truth: Bools, ends: npt.NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return positives and examples [k, runs] at or above each possible threshold."""
    return np.cumsum(counts * truth, axis=1)[:, ends], np.cumsum(counts, axis=1)[:, ends]


def _area(hits: Floats, held: Floats) -> Floats:
    """Return the area [k] under the ROC curve by trapezia; NaN without both classes."""
    false = held - hits
    steps = np.diff(false, prepend=0)
    middle = hits - np.diff(hits, prepend=0) / 2
    return np.asarray((steps * middle).sum(1) / (hits[:, -1] * false[:, -1]))


def _f1(hits: Floats, held: Floats, runs: int | None) -> Floats:
    """Return F1 [k] where the highest ``runs`` runs are held."""
    if runs is None:
        return np.full(len(hits), np.nan)
    if runs == 0:
        return np.zeros(len(hits))
    both = held[:, runs - 1] + hits[:, -1]
    return np.divide(2 * hits[:, runs - 1], both, out=np.zeros(len(hits)), where=both > 0)


def resampled_auc(truth: Bools, probability: Floats, counts: Floats) -> Floats:
    """Return the AUC [k] of examples [n] taken ``counts`` [k, n] times; NaN without both classes."""
    if not len(truth):
        return np.full(len(counts), np.nan)
    ranked = rank(truth.astype(np.float64), probability, None)
    with np.errstate(invalid="ignore"):
        return _area(*_cumulated(counts[:, ranked.order], ranked.truth, ranked.ends))


def bins(probability: Floats) -> npt.NDArray[np.intp]:
    """Return the calibration bin [n], 0 to 14, of probabilities [n]."""
    return np.minimum((probability * BINS).astype(np.intp), BINS - 1)


def calibration_error(target: Floats, probability: Floats) -> float:
    """Return the expected calibration error over 15 bins of equal width, weighted by their sizes."""
    return float(np.abs(np.bincount(bins(probability), probability - target, BINS)).sum() / len(target))


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Return the Wilson score interval of a share; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * ((share * (1 - share) + z * z / (4 * trials)) / trials) ** 0.5
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
