"""Figures of merit for one label, by the definitions of scikit-learn unless said otherwise."""

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

Floats = npt.NDArray[np.float64]
_RESAMPLES = 200
_BINS = 15


@dataclass(frozen=True, slots=True)
class Metrics:
    """One label on one set of examples.

    Attributes:
        examples: How many have a known label.
        positives: How many of them are at or above 0.5.
        auc: Area under the ROC curve; NaN where only one class is present.
        auc_low: 2.5th percentile of the AUC over 200 bootstrap resamples.
        auc_high: 97.5th percentile.
        average_precision: Area under the precision-recall curve.
        f1: At the hold threshold; NaN where the label has none.
        calibration_error: Expected calibration error over 15 bins of equal width.
    """

    examples: int
    positives: int
    auc: float
    auc_low: float
    auc_high: float
    average_precision: float
    f1: float
    calibration_error: float

    def as_dict(self) -> dict[str, float | None]:
        """Plain numbers for JSON, which knows no NaN: None for what could not be measured."""
        return {name: None if np.isnan(value) else value for name, value in asdict(self).items()}


def measure(target: Floats, probability: Floats, threshold: float | None, seed: int = 0) -> Metrics:
    """The metrics of ``probability`` [n] against ``target`` [n] (shares in 0..1, positive from 0.5)."""
    truth = target >= 0.5
    both = truth.any() and not truth.all()
    low, high = _interval(truth, probability, seed) if both else (float("nan"),) * 2
    return Metrics(
        len(target),
        int(truth.sum()),
        float(roc_auc_score(truth, probability)) if both else float("nan"),
        low,
        high,
        float(average_precision_score(truth, probability)) if truth.any() else float("nan"),
        float("nan")
        if threshold is None
        else float(f1_score(truth, probability >= threshold, zero_division=0)),
        calibration_error(target, probability),
    )


def _interval(truth: npt.NDArray[np.bool_], probability: Floats, seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(_RESAMPLES):
        chosen = rng.integers(0, len(truth), len(truth))
        if truth[chosen].any() and not truth[chosen].all():
            values.append(roc_auc_score(truth[chosen], probability[chosen]))
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def calibration_error(target: Floats, probability: Floats) -> float:
    """Expected calibration error: mean over 15 equal bins of |mean probability - mean target|, weighted by their sizes."""
    bins = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    sizes = np.bincount(bins, minlength=_BINS)
    gaps = np.abs(np.bincount(bins, probability, _BINS) - np.bincount(bins, target, _BINS))
    return float(gaps[sizes > 0].sum() / len(target))


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson score interval of a share; (0, 1) without trials."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * ((share * (1 - share) + z * z / (4 * trials)) / trials) ** 0.5
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
