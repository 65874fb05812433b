"""Reliability and precision-recall charts, one small chart per label."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve

from belowline.training.files import replacing
from belowline.training.measure.intervals import Bools, Floats, wilson
from belowline.training.measure.metrics import BINS, bins
from belowline.training.measure.rows import TestRows

RELIABILITY = "reliability.svg"
PRECISION_RECALL = "precision-recall.svg"
_COLOURS = ("#0b5fa5", "#b3541e", "#3d7a3d", "#6b6b6b")
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

Given = Mapping[str, Mapping[str, Floats]]


class _Line(NamedTuple):
    """A model in one chart, with its probabilities of the rows with a known label."""

    model: str
    colour: str
    probability: Floats


def draw(test: TestRows, scores: Given, thresholds: Mapping[str, float | None], folder: Path) -> None:
    """Write both charts into ``folder``, over all rows of ``test``, for labels with both classes.

    ``scores`` is model → label → probabilities [n]; ``thresholds`` (label to hold threshold) belong to the first
    model.
    """
    own = next(iter(scores.values()))
    labels = [
        label
        for label, target in zip(test.labels, test.targets.T, strict=True)
        if label in own and (target >= 0.5).any() and (target < 0.5).any()
    ]
    if not labels:
        return
    with mpl.rc_context(_STYLE):
        for name, axis_names, chart in (
            (RELIABILITY, ("probability given", "share of positives"), _reliability),
            (PRECISION_RECALL, ("recall", "precision"), _precision_recall),
        ):
            figure, charts = _grid(labels, *axis_names)
            for label, axes in zip(labels, charts, strict=True):
                target, lines = _known(test, scores, label)
                chart(axes, target, lines, thresholds.get(label))
            handles = {
                name: handle
                for axes in charts
                for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)
            }
            figure.legend(
                handles.values(),
                handles.keys(),
                loc="outside upper center",
                ncols=len(handles),
                frameon=False,
            )
            with replacing(folder / name) as part:
                figure.savefig(part, format="svg", metadata={"Date": None, "Creator": None})


def _known(test: TestRows, scores: Given, label: str) -> tuple[Floats, list[_Line]]:
    """Return the targets [k] of rows with a known label, and the models with this label, each in its colour."""
    target = test.target(label)
    rows = ~np.isnan(target)
    coloured = zip(scores.items(), _COLOURS, strict=False)
    return target[rows], [
        _Line(name, colour, probabilities[label][rows])
        for (name, probabilities), colour in coloured
        if label in probabilities
    ]


def _grid(labels: Sequence[str], across: str, up: str) -> tuple[Figure, list[Any]]:
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


def _reliability(axes: Any, target: Floats, lines: Sequence[_Line], threshold: float | None) -> None:
    """Plot the share of positives by bin of probability, with 95 % Wilson intervals for the first model."""
    axes.plot((0, 1), (0, 1), color="#999999", linestyle=":", linewidth=1, label="perfect")
    for number, (model, colour, probability) in enumerate(lines):
        sizes, mean, share = _binned(target, probability)
        if number == 0:
            ends = np.array([wilson(round(s * n), int(n)) for s, n in zip(share, sizes, strict=True)])
            gap = np.full(len(ends), np.nan)  # one line with gaps is a tenth of as many lines
            up = np.column_stack((ends, gap)).ravel()
            axes.plot(np.repeat(mean, 3), up, color=colour, linewidth=0.8)
        axes.plot(mean, share, color=colour, marker="o", markersize=2.5, label=model)
    if threshold is not None:
        axes.axvline(threshold, color="#c02020", linestyle="--", linewidth=0.8, label="hold threshold")


def _binned(target: Floats, probability: Floats) -> tuple[Floats, Floats, Floats]:
    """Return examples, mean probability and mean target of the bins that are drawn."""
    bin_of = bins(probability)
    sizes = np.bincount(bin_of, minlength=BINS)
    full = sizes >= _FEWEST
    means = [np.bincount(bin_of, values, BINS)[full] / sizes[full] for values in (probability, target)]
    return sizes[full].astype(np.float64), means[0], means[1]


def _precision_recall(axes: Any, target: Floats, lines: Sequence[_Line], threshold: float | None) -> None:
    """Plot precision over recall, with the first model's hold threshold; the dotted line is the share of positives."""
    truth = target >= 0.5
    axes.axhline(truth.mean(), color="#999999", linestyle=":", linewidth=1, label="share of positives")
    for number, (model, colour, probability) in enumerate(lines):
        axes.plot(*_curve(truth, probability), color=colour, label=model)
        if number == 0 and threshold is not None and (held := probability >= threshold).any():
            recall = truth[held].sum() / max(1, truth.sum())
            point = {"color": "#c02020", "marker": "o", "markersize": 4, "linestyle": "none"}
            axes.plot(recall, truth[held].mean(), **point, label="hold threshold", zorder=3)


def _curve(truth: Bools, probability: Floats) -> tuple[Floats, Floats]:
    """Return recall and precision at the highest thresholds that reach each of 80 steps of recall."""
    precision, recall, _ = precision_recall_curve(truth, probability)
    # Recall falls along the curve; its last point, precision 1 at recall 0, is a convention and no measurement.
    steps = np.linspace(1 / _POINTS, 1, _POINTS)
    at = np.unique(np.searchsorted(-recall[:-1], -steps + 1e-9, side="right") - 1)
    return recall[at], precision[at]
