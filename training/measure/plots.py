"""Reliability and precision-recall charts, one small chart per label."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from belowline.training.files import replacing
from belowline.training.measure.intervals import Floats
from belowline.training.measure.metrics import BINS, bins
from belowline.training.measure.rows import TestRows

RELIABILITY = "reliability.svg"
PRECISION_RECALL = "precision-recall.svg"
_COLOURS = ("#0b5fa5", "#b3541e", "#3d7a3d", "#6b6b6b")
_RED = "#c02020"
_POINTS = 80
"""Points of a curve; more are not visible at this size."""
_FEWEST = 10
"""Examples that a bin needs to be drawn."""
_STYLE: Any = {  # typed by name of every setting
    "svg.hashsalt": "belowline",  # the same file for the same figures
    "svg.fonttype": "none",
    "font.sans-serif": ["DejaVu Sans"],  # otherwise every word carries the whole list of substitutes
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "lines.linewidth": 1.2,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}


def draw(
    rows: TestRows,
    scores: Mapping[str, Mapping[str, Floats]],
    thresholds: Mapping[str, float | None],
    folder: Path,
) -> None:
    """Write both charts into ``folder``, over all ``rows``, for labels with both classes.

    ``scores`` is model → label → probabilities [n]; ``thresholds`` (label to hold threshold) belong to the first
    model.
    """
    first = next(iter(scores.values()))
    targets = {label: rows.target(label) for label in rows.labels if label in first}
    labels = [label for label, target in targets.items() if (target >= 0.5).any() and (target < 0.5).any()]
    if not labels:
        return
    for name, across, up, curve in (
        (RELIABILITY, "probability given", "share of positives", _reliability),
        (PRECISION_RECALL, "recall", "precision", _precision_recall),
    ):
        with mpl.rc_context(_STYLE):
            figure, charts = _grid(labels, across, up)
            for label, axes in zip(labels, charts, strict=True):
                known = ~np.isnan(targets[label])
                for (model, probabilities), colour in zip(scores.items(), _COLOURS, strict=False):
                    if label in probabilities:
                        line = curve(targets[label][known], probabilities[label][known])
                        axes.plot(*line, color=colour, label=model)
                threshold = thresholds.get(label)
                if threshold is not None and curve is _reliability:
                    axes.axvline(threshold, color=_RED, linestyle="--", linewidth=0.8, label="hold threshold")
                elif threshold is not None:
                    point = _at(threshold, targets[label][known], first[label][known])
                    axes.plot(*point, "o", color=_RED, markersize=4, label="hold threshold", zorder=3)
            handles = dict(
                pair[::-1] for axes in charts for pair in zip(*axes.get_legend_handles_labels(), strict=True)
            )
            legend: Any = {"loc": "outside upper center", "ncols": len(handles), "frameon": False}
            figure.legend(list(handles.values()), list(handles), **legend)
            with replacing(folder / name) as part:
                figure.savefig(part, format="svg", metadata={"Date": None, "Creator": None})


def _grid(labels: list[str], across: str, up: str) -> tuple[Figure, list[Any]]:
    """Return a figure with a chart for each label, both axes from 0 to 1."""
    columns = min(4, len(labels))
    rows = -(-len(labels) // columns)
    figure = Figure(figsize=(2.1 * columns, 2.1 * rows + 0.4), layout="constrained", facecolor="white")
    charts = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in charts[len(labels) :]:
        axes.remove()
    for label, axes in zip(labels, charts, strict=False):
        axes.set(title=label, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set(xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    figure.supxlabel(across, fontsize=9)
    figure.supylabel(up, fontsize=9)
    return figure, list(charts[: len(labels)])


def _reliability(target: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """Return mean probability and share of positives of the bins with enough examples."""
    bin_of = bins(probability)
    sizes = np.bincount(bin_of, minlength=BINS)
    full = sizes >= _FEWEST
    means = [np.bincount(bin_of, values, BINS)[full] / sizes[full] for values in (probability, target)]
    return means[0], means[1]


def _precision_recall(target: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """Return recall and precision at the highest thresholds that reach each of 80 steps of recall."""
    precision, recall, _ = precision_recall_curve(target >= 0.5, probability)
    # Recall falls along the curve; its last point, precision 1 at recall 0, is a convention and no measurement.
    steps = np.linspace(1 / _POINTS, 1, _POINTS)
    at = np.unique(np.searchsorted(-recall[:-1], -steps + 1e-9, side="right") - 1)
    return recall[at], precision[at]


def _at(threshold: float, target: Floats, probability: Floats) -> tuple[float, float]:
    """Return recall and precision at a threshold."""
    truth, held = target >= 0.5, probability >= threshold
    return float((truth & held).sum() / truth.sum()), float((truth & held).sum() / max(1, held.sum()))
