"""Figures of single labels on test splits: AUC, F1, accuracy, calibration, and the loss of int8 against fp32."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from sklearn.metrics import roc_auc_score

from belowline.model import Scorer
from belowline.training.measure.calibrate import equal_weights, two_sided
from belowline.training.measure.intervals import NAN, Bools, Floats
from belowline.training.measure.metrics import BINS, bins, measure
from belowline.training.measure.rows import MEASURED_ONLY, TestRows, predictions
from tests.release.bootstrap import Measurement, bootstrapped, missing

_SIMULATIONS = 100
_FEW, _HALF = 0.2, 0.5


@dataclass(frozen=True, slots=True)
class OnSplit:
    """A statistic (AUC, F1 or accuracy) of a label on the test rows of a corpus.

    With ``slice``, only rows whose slice begins with it. ``undisputed`` excludes rows where more than a fifth but fewer
    than half of the annotators gave the label.
    """

    label: str
    corpus: str
    statistic: str
    slice: str = ""
    undisputed: bool = False


@dataclass(frozen=True, slots=True)
class Readings:
    """Test rows and the models' probabilities.

    ``int8`` and ``fp32`` map a label to probabilities [n]. Those of fp32 are NaN in rows that it did not read, and in
    all rows if the run has no fp32 twin. ``holds`` are the hold thresholds of the int8 model.
    """

    test: TestRows
    int8: Mapping[str, Floats]
    fp32: Mapping[str, Floats]
    holds: Mapping[str, float | None]

    def target(self, label: str) -> Floats:
        """Return the targets of ``label`` [n], NaN where unknown."""
        return self.test.target(label)

    def rows(self, split: OnSplit) -> Bools:
        """Return a mask [n] of the rows of the split with a known label."""
        inside = np.char.startswith(self.test.slices.astype(str), split.slice)
        target = self.target(split.label)
        disputed = (target > _FEW) & (target < _HALF)
        return np.asarray(
            (self.test.sources == split.corpus) & inside & ~np.isnan(target) & ~(disputed & split.undisputed)
        )


def read(
    scorer: Scorer, twin: Scorer | None, test: TestRows, twin_reads: Collection[str], console: Console
) -> Readings:
    """Score every test row with ``scorer``, and those of the corpora ``twin_reads`` with ``twin`` too."""
    int8 = predictions(scorer, test.texts, console, "int8")
    fp32 = {label: np.full(len(test.texts), NAN) for label in scorer.labels}
    rows = np.flatnonzero(np.isin(test.sources, list(twin_reads)))
    if twin is not None and len(rows):
        for label, given in predictions(twin, [test.texts[row] for row in rows], console, "fp32").items():
            fp32[label][rows] = given
    return Readings(test, int8, fp32, {label: both.hold for label, both in scorer.thresholds.items()})


def split_figure(readings: Readings, split: OnSplit) -> Measurement:
    """Return the figure of a split; F1 and accuracy at the hold threshold."""
    rows = readings.rows(split)
    truth = readings.target(split.label)[rows] >= 0.5
    if not truth.any() or truth.all():
        return missing(f"the test rows of {split.corpus} do not hold both sides of {split.label}")
    given = readings.int8[split.label][rows]
    if split.statistic == "AUC":
        return _auc(truth, given, readings.fp32[split.label][rows])
    hold = readings.holds.get(split.label)
    if hold is None:
        return missing(f"the model has no hold threshold for {split.label}")
    if split.statistic == "F1":
        found = measure(truth.astype(np.float64), given, hold)
        f1 = found["f1"]
        return Measurement(f1.value, f1.low, f1.high, len(truth), note=f"at the hold threshold {hold}")
    note = f"at the hold threshold {hold}; at 0.5: {np.mean(truth == (given >= 0.5)):.3f}"
    return bootstrapped(np.mean, truth == (given >= hold), note=note)


def _auc(truth: Bools, given: Floats, fp32: Floats) -> Measurement:
    found = measure(truth.astype(np.float64), given, None)
    twin = NAN if np.isnan(fp32).any() else auc(truth, fp32)
    area = found["auc"]
    return Measurement(area.value, area.low, area.high, len(truth), twin, f"{found.positives} positive")


def auc(truth: Bools, probability: Floats) -> float:
    """Return the area under the ROC curve; NaN where a class is missing."""
    return float(roc_auc_score(truth, probability)) if truth.any() and not truth.all() else NAN


def int8_loss(readings: Readings, splits: Collection[OnSplit]) -> Measurement:
    """Return the largest AUC loss of int8 against fp32 on any of ``splits``."""
    columns: dict[OnSplit, tuple[Bools, Floats, Floats]] = {}
    for split in splits:
        rows = readings.rows(split)
        truth, fp32 = readings.target(split.label)[rows] >= 0.5, readings.fp32[split.label][rows]
        if truth.any() and not truth.all() and not np.isnan(fp32).any():
            columns[split] = truth, fp32, readings.int8[split.label][rows]
    if not columns:
        return missing("no rows that the run's fp32 twin has read; run `belowline-train export`")
    losses = {split: auc_lost(*column) for split, column in columns.items()}
    worst = max(losses, key=losses.__getitem__)
    note = f"{worst.label} on {worst.corpus}, the largest of {len(losses)}"
    return bootstrapped(auc_lost, *columns[worst], note=note)


def auc_lost(truth: Bools, before: Floats, after: Floats) -> float:
    """Return the AUC of the probabilities ``before`` minus that of ``after``; all [n]."""
    return auc(truth, before) - auc(truth, after)


# --- calibration ---


def calibration_figure(readings: Readings) -> Measurement:
    """Return the largest expected calibration error of a label, on the mixture that calibration was fitted on.

    The mixture is the test rows of the corpora that know both sides of the label, with equal weight for every corpus.
    Generated examples and corpora for measuring only are excluded. A finite sample of a perfectly calibrated model has
    an error too; the note gives its simulated value in brackets.
    """
    columns = {label: found for label in readings.test.labels if (found := _mixture(readings, label))}
    if not columns:
        return missing("no test rows know both sides of a label")
    errors = {label: weighted_calibration_error(*column) for label, column in columns.items()}
    worst = max(errors, key=errors.__getitem__)
    each = ", ".join(
        f"{label} {error:.3f} ({_by_chance(*columns[label]):.3f})" for label, error in errors.items()
    )
    note = f"largest: {worst}; test rows of corpora that know both sides, each corpus alike; (error by chance alone): {each}"
    return bootstrapped(weighted_calibration_error, *columns[worst], note=note)


def _mixture(readings: Readings, label: str) -> tuple[Floats, Floats, Floats] | None:
    """Return targets, probabilities and weights, each [n]; None without rows."""
    sources = readings.test.sources.astype(str)
    fitted = ~np.char.startswith(sources, "generated-") & ~np.isin(sources, MEASURED_ONLY)
    rows = two_sided(readings.target(label), sources) & fitted
    if not rows.any():
        return None
    weights = equal_weights(sources[rows])
    return readings.target(label)[rows], readings.int8[label][rows], weights


def weighted_calibration_error(target: Floats, probability: Floats, weights: Floats) -> float:
    """Return the expected calibration error of examples [n] with ``weights`` [n]."""
    gaps = np.bincount(bins(probability), weights * (probability - target), BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def _by_chance(target: Floats, probability: Floats, weights: Floats) -> float:
    """Return the mean error over 100 draws in which the probabilities are the truth."""
    rng = np.random.default_rng(0)
    draws = (rng.random(len(target)) < probability for _ in range(_SIMULATIONS))
    errors = [weighted_calibration_error(drawn.astype(np.float64), probability, weights) for drawn in draws]
    return float(np.mean(errors))
