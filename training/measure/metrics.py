"""Metrics of one label in many resamples at once, as scikit-learn defines them unless stated otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from belowline.model import Thresholds
from belowline.training.measure.intervals import (
    RESAMPLES,
    Bools,
    Counts,
    Floats,
    Measurement,
    in_chunks,
    measurement,
    resampled,
)

RECALLS = (50, 80, 95)
"""Recalls, in per cent, at which precision is given."""
BINS = 15
"""Bins of equal width for calibration."""
Draws = dict[str, Floats]
"""Metric to its value [1 + resamples], that of the unresampled rows first.

- ``auc``: area under the ROC curve; ``average_precision``: area under the precision-recall curve.
- ``f1``, ``precision_at_hold`` and ``recall_at_hold``: at the hold threshold; likewise for ``reject``.
- ``precision_at_50``: precision at the highest threshold with recall of at least 50 %; likewise for 80 and 95.
- ``calibration_error``: expected calibration error over 15 bins of equal width.
"""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of one label on one set of examples.

    Attributes:
        values: Metric to its value with interval; NaN is not measured, such as the AUC of one class.
    """

    examples: int  # examples with a known label
    positives: int  # of these, those at or above 0.5
    values: Mapping[str, Measurement]

    def __getitem__(self, name: str) -> Measurement:
        return self.values[name]

    def as_dict(self) -> dict[str, float]:
        """Return ``x``, ``x_low`` and ``x_high`` of each metric."""
        ends = (
            (f"{name}{end}", number)
            for name, m in self.values.items()
            for end, number in (("", m.value), ("_low", m.low), ("_high", m.high))
        )
        return {"examples": self.examples, "positives": self.positives, **dict(ends)}


def measure(target: Floats, probability: Floats, hold: float | None, seed: int = 0) -> Metrics:
    """Return the metrics of ``probability`` [n] against ``target`` [n] (shares in 0..1, positive from 0.5), n at
    least 1, with intervals over resamples of single rows.
    """
    size = len(target)
    counts = resampled(np.arange(size), RESAMPLES, seed)
    draws = draws_of(target, probability, Thresholds(hold=hold), np.ones(size), counts)
    values = {name: measurement(values, size) for name, values in draws.items()}
    return Metrics(size, int((target >= 0.5).sum()), values)


def draws_of(
    target: Floats, probability: Floats, thresholds: Thresholds, weights: Floats, counts: Counts
) -> Draws:
    """Return every metric of examples [n] in the resamples ``counts`` [k, n]."""
    ranked, truth = _rank(target, probability, thresholds.hold), target >= 0.5
    chunks: list[Draws] = []
    for some in in_chunks(counts, weights):
        draws = _metrics(some[:, ranked.order], ranked)
        for name, threshold in (("hold", thresholds.hold), ("reject", thresholds.reject)):
            if threshold is not None:
                held = probability >= threshold
                draws[f"precision_at_{name}"] = share(some, truth, held)
                draws[f"recall_at_{name}"] = share(some, held, truth)
        chunks.append(draws)
    return {name: np.concatenate([draws[name] for draws in chunks]) for name in chunks[0]}


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Examples sorted by falling probability, with everything that no resample changes."""

    order: npt.NDArray[np.intp]  # [n]
    truth: Bools  # [n]
    ends: npt.NDArray[
        np.intp
    ]  # [k], the last of each run of equal probabilities: a threshold cannot part them
    held: int | None  # how many of the k runs are at or above the threshold; None without one
    gaps: Floats  # [n, bins], probability less target in the column of the example's bin


def _rank(target: Floats, probability: Floats, threshold: float | None) -> _Ranked:
    order = np.argsort(-probability, kind="stable")
    sorted_ = probability[order]
    ends = np.flatnonzero(np.append(np.diff(sorted_) != 0, True))
    held = None if threshold is None else int((sorted_[ends] >= threshold).sum())
    gaps = np.zeros((len(target), BINS))
    gaps[np.arange(len(target)), bins(sorted_)] = sorted_ - target[order]
    return _Ranked(order, target[order] >= 0.5, ends, held, gaps)


def _metrics(counts: Floats, ranked: _Ranked) -> Draws:
    """Return each metric [k] of the examples taken ``counts`` [k, n] times."""
    hits, held = _cumulated(counts, ranked.truth, ranked.ends)
    positives, total = hits[:, -1:], held[:, -1:]
    precision = np.divide(hits, held, out=np.zeros_like(hits), where=held > 0)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: not measured
        average = (np.diff(hits, prepend=0) * precision).sum(1) / positives[:, 0]
        metrics = {"auc": _area(hits, held), "average_precision": average, "f1": _f1(hits, held, ranked.held)}
        metrics["calibration_error"] = np.abs(counts @ ranked.gaps).sum(1) / total[:, 0]
    for recall in RECALLS:
        first = (hits >= recall / 100 * positives - 1e-9).argmax(1)
        at = precision[np.arange(len(hits)), first]
        metrics[f"precision_at_{recall}"] = np.where(positives[:, 0] > 0, at, np.nan)
    return metrics


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


def share(weighted: Floats, hits: Bools, of: Bools) -> Floats:
    """Return the share [k] of ``hits`` [n] among ``of`` [n] in each line of ``weighted`` [k, n]; NaN without any."""
    with np.errstate(invalid="ignore"):
        return np.asarray((weighted @ (hits & of)) / (weighted @ of.astype(np.float64)))


def auc(truth: Bools, probability: Floats, counts: Floats) -> Floats:
    """Return the AUC [k] of examples [n] taken ``counts`` [k, n] times; NaN without both classes."""
    if not len(truth):
        return np.full(len(counts), np.nan)
    ranked = _rank(truth.astype(np.float64), probability, None)
    with np.errstate(invalid="ignore"):
        return _area(*_cumulated(counts[:, ranked.order], ranked.truth, ranked.ends))


def bins(probability: Floats) -> npt.NDArray[np.intp]:
    """Return the calibration bin [n], 0 to 14, of probabilities [n]."""
    return np.minimum((probability * BINS).astype(np.intp), BINS - 1)
