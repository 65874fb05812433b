"""The second look: the comments that a larger model reads again, fitted on a run's validation split."""

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset
from rich.console import Console
from rich.table import Table
from sklearn.metrics import roc_auc_score

from belowline.data.corpora import CORPORA, read_corpus
from belowline.model import HARMFUL, ModelError, Scorer, Thresholds
from belowline.model.directory import SecondLook
from belowline.model.labels import log_odds
from belowline.training.files import check_replaceable, replace_folder, write_json
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.calibrate import operating_points, thresholds_at, two_sided
from belowline.training.measure.intervals import Bools, Floats
from belowline.training.measure.parts import FEWEST_OF_A_CLASS
from belowline.training.measure.rows import (
    TestRows,
    limited,
    predictions,
    split_examples,
    validation_comments,
)
from belowline.training.recipes.recipe import Recipe

Bands = dict[str, tuple[float, float]]
"""Label to the lowest and the highest probability of its band."""
AucPair = tuple[str, Bools, Bools]
"""A label, the rows [n] of a corpus that know it, and which of these are positive."""
GAIN_KEPT = 0.9
"""Share of the second model's gain that the pair keeps."""
_WIDEST = 21.0
"""Half-width in log-odds of bands that hold every probability."""
_HALVINGS = 12
_TRIMMED = (0.0, 0.25, 0.5, 0.75)
"""Shares of a half-width that are tried for one side of one label."""
_STARTS = (1.0, 1.25, 1.5, 2.0)
"""Multiples of the common half-width from which labels are trimmed."""
_FEWEST_ROWS = 100
"""With fewer rows a label keeps the thresholds of the first model."""
_NATURAL = ("civil-sample", "natural rate")
_COMMENTS = "c3"
_COMMENTS_READ = 1500


@dataclass(frozen=True, slots=True)
class Figures:
    """Results of a fit. The AUCs are means over harmful labels and corpora, the shares those of comments read twice."""

    auc_first: float
    auc_second: float
    auc_both: float
    shares: Mapping[str, float]


def second_look(
    first: Path, second: Path, run: Path, out: Path, corpora: Path, console: Console
) -> SecondLook:
    """Write ``out``, the first model with a fitted ``second_look`` in its configuration, and return that.

    Both models read the comments on which ``export`` fits thresholds. Bands surround the first model's hold
    thresholds; they are the narrowest with which the pair keeps 90 % of the second model's gain in mean AUC. The
    thresholds of the pair are chosen as ``export`` does for one model. Figures are printed and written to
    ``second-look.json`` in the run. ``corpora`` is the folder with c3, on which a share is measured.

    Raises ModelError if the second model is no better or has other labels, RunError, CorpusError.
    """
    check_replaceable(out, "config.json")
    recipe, data = RunDirectory(run).recipe, RunDirectory(run).data()
    scorers = Scorer.load(first), Scorer.load(second)
    if set(scorers[0].labels) != set(scorers[1].labels):
        raise ModelError(f"{second}: has other labels than {first}; choose another second model")
    rows = validation_comments(data["validation"], recipe)
    names = ("first model", "second model")
    one, other = (
        predictions(scorer, rows.texts, console, name) for scorer, name in zip(scorers, names, strict=True)
    )
    bands = fit_bands(rows, one, other, scorers[0].thresholds)
    if bands is None:
        raise ModelError(
            f"{second}: no better than {first} on validation, so no comment needs it; choose another second model"
        )
    both = combined(one, other, read_again(one, bands))
    thresholds = pair_thresholds(rows, both, recipe, scorers[0].thresholds)
    fitted = SecondLook(version=scorers[1].version, bands=bands, thresholds=thresholds)
    pairs = auc_pairs(rows)
    shares = {"validation": _share(one, bands)}
    for name, texts in _natural(data["test"], recipe, corpora).items():
        shares[name] = _share(predictions(scorers[0], texts, console, name), bands)
    aucs = [mean_auc(pairs, model) for model in (one, other, both)]
    figures = Figures(aucs[0], aucs[1], aucs[2], shares)
    _show(figures, fitted, console)
    write_json(run / "second-look.json", asdict(figures))
    _write(first, out, fitted)
    return fitted


def fit_bands(
    rows: TestRows,
    one: Mapping[str, Floats],
    other: Mapping[str, Floats],
    thresholds: Mapping[str, Thresholds],
) -> Bands | None:
    """Return the narrowest bands that keep 90 % of the second model's gain; None if it gains nothing.

    One half-width in log-odds around each threshold is common to all labels and found by bisection. From this width
    and some wider ones, each side of each label is trimmed as far as the gain stays; the smallest share of rows wins.
    """
    centres = {
        label: log_odds(own.hold)
        for label, own in thresholds.items()
        if label in HARMFUL and own.hold is not None
    }
    pairs = auc_pairs(rows)
    before, after = mean_auc(pairs, one), mean_auc(pairs, other)
    if not (after > before and centres):
        return None
    goal = before + GAIN_KEPT * (after - before)

    def kept(widths: Mapping[str, tuple[float, float]]) -> bool:
        return mean_auc(pairs, combined(one, other, read_again(one, _bands(centres, widths)))) >= goal

    low, high = 0.0, _WIDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if kept(dict.fromkeys(centres, (middle, middle))) else (middle, high)
    trimmed = [_bands(centres, _trimmed(centres, factor * high, one, kept)) for factor in _STARTS]
    return min(trimmed, key=lambda bands: _share(one, bands))


def _trimmed(
    centres: Mapping[str, float],
    width: float,
    one: Mapping[str, Floats],
    kept: Callable[[Mapping[str, tuple[float, float]]], bool],
) -> dict[str, tuple[float, float]]:
    """Return half-widths below and above each threshold, at most ``width``, each as small as the gain allows.

    The label with the most rows in its band comes first.
    """
    widths = dict.fromkeys(centres, (width, width))
    bands = _bands(centres, widths)
    for label in sorted(bands, key=lambda label: -_share(one, {label: bands[label]})):
        for side in (0, 1):
            for share in _TRIMMED:
                ends = list(widths[label])
                ends[side] *= share
                narrower = widths | {label: (ends[0], ends[1])}
                if kept(narrower):
                    widths = narrower
                    break
    return widths


def _bands(centres: Mapping[str, float], widths: Mapping[str, tuple[float, float]]) -> Bands:
    ends = {
        label: (centre - widths[label][0], centre + widths[label][1]) for label, centre in centres.items()
    }
    return {
        label: (_rounded(low, math.floor), _rounded(high, math.ceil)) for label, (low, high) in ends.items()
    }


def _rounded(logit: float, to: Callable[[float], int]) -> float:
    return to(1e6 / (1 + math.exp(-logit))) / 1e6


def read_again(one: Mapping[str, Floats], bands: Bands) -> Bools:
    """Return the rows [n] in which the first model's probability of a label lies in its band, ends included."""
    inside = [(low <= one[label]) & (one[label] <= high) for label, (low, high) in bands.items()]
    return np.asarray(np.any(inside, axis=0))


def combined(one: Mapping[str, Floats], other: Mapping[str, Floats], again: Bools) -> dict[str, Floats]:
    """Return label to the probabilities [n] of the pair: the second model's in the rows that it reads."""
    return {label: np.where(again, other[label], one[label]) for label in one}


def auc_pairs(rows: TestRows) -> list[AucPair]:
    """Return every pair of a harmful label and a corpus with ten rows of either class.

    ``on_topic`` decides nothing, so it is no reason to read a comment again.
    """
    pairs = []
    inside = {source: rows.sources == source for source in np.unique(rows.sources)}
    for label in (label for label in rows.labels if label in HARMFUL):
        target = rows.target(label)
        for source in inside.values():
            mask = source & ~np.isnan(target)
            truth = target[mask] >= 0.5
            if FEWEST_OF_A_CLASS <= truth.sum() <= len(truth) - FEWEST_OF_A_CLASS:
                pairs.append((label, mask, truth))
    return pairs


def mean_auc(pairs: Sequence[AucPair], probabilities: Mapping[str, Floats]) -> float:
    """Return the mean AUC over ``pairs``; NaN without any."""
    areas = [roc_auc_score(truth, probabilities[label][mask]) for label, mask, truth in pairs]
    return float(np.mean(areas)) if areas else math.nan


def pair_thresholds(
    rows: TestRows, both: Mapping[str, Floats], recipe: Recipe, before: Mapping[str, Thresholds]
) -> dict[str, Thresholds]:
    """Return the thresholds of the pair; a label that few rows know keeps ``before``."""
    thresholds = dict(before)
    for label in (label for label in rows.labels if label in HARMFUL):
        known = two_sided(rows.target(label), rows.sources)
        if known.sum() >= _FEWEST_ROWS:
            thresholds[label] = thresholds_at(*operating_points(label, recipe, both[label], rows))
    return thresholds


def _natural(test: Dataset, recipe: Recipe, corpora: Path) -> dict[str, list[str]]:
    """Return name to comments as they come: test rows of civil-sample at its natural rate, and c3 if it is there."""
    examples = split_examples(test, recipe.labels)
    texts = {" ".join(_NATURAL): [e.text for e in examples if (e.source, e.slice) == _NATURAL]}
    if (corpora / CORPORA[_COMMENTS].folder).is_dir():
        texts[_COMMENTS] = [e.text for e in limited(read_corpus(_COMMENTS, corpora), _COMMENTS_READ)]
    return {name: found for name, found in texts.items() if found}


def _share(one: Mapping[str, Floats], bands: Bands) -> float:
    return float(read_again(one, bands).mean())


def _show(figures: Figures, fitted: SecondLook, console: Console) -> None:
    console.print(
        f"mean AUC of harmful labels: first {figures.auc_first:.4f}, second {figures.auc_second:.4f}, "
        f"both {figures.auc_both:.4f}"
    )
    for name, share in figures.shares.items():
        console.print(f"read twice, {name}: {share:.1%}")
    table = Table("label", "read again", "hold", "reject")
    for label, (low, high) in fitted.bands.items():
        own = fitted.thresholds[label]
        table.add_row(
            label, f"{low:.4f} to {high:.4f}", *(str(value or "-") for value in (own.hold, own.reject))
        )
    console.print(table)


def _write(first: Path, out: Path, fitted: SecondLook) -> None:
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(first, part)
    file = part / "config.json"
    write_json(file, json.loads(file.read_text("utf-8")) | {"second_look": fitted.model_dump()})
    replace_folder(part, out)
