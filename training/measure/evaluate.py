"""``belowline-train evaluate``: a model and its peers on the test rows of its run, and the model card."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from datasets import Dataset
from rich.console import Console

from belowline.model import Scorer
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.baseline import Baseline
from belowline.training.measure.bias import Bias, measure_bias
from belowline.training.measure.card import write_card
from belowline.training.measure.plots import draw
from belowline.training.measure.slices import domains, keywords, lengths, named_groups, obfuscated_copies
from belowline.training.measure.test_set import (
    Floats,
    Predict,
    TestSet,
    divided,
    joined,
    limited,
    measuring_corpora,
    metrics_by_corpus,
    predictions,
    rows_of_split,
    select,
    show,
    write,
)

Thresholds = Mapping[str, float | None]

_BIAS_LABEL = "hate"
_KEYWORD_CORPUS = "isca"
_DISGUISED = 2000
"""Test rows of which a disguised copy is scored, at most."""


def evaluate(
    run: Path,
    model: Path,
    corpora: Path,
    limit: int,
    console: Console,
    *,
    card: bool,
    detoxify: Path | None = None,
) -> None:
    """Measure ``model``, the run's fp32 twin, the baseline and a Detoxify checkpoint, if any; write ``run /
    "metrics.json"``.

    At most ``limit`` rows of each corpus are used. With ``card``, the model card and its charts are written into
    ``model``.

    Raises:
        RunError: A run without data.
        ModelError: A model directory that cannot be loaded.
        ContenderError: A checkpoint that cannot be loaded.
    """
    scorer = Scorer.load(model)
    data = RunDirectory(run).data()
    models = _models(scorer, run, data["train"], detoxify, console)
    rows = joined(
        [
            rows_of_split(data["test"], scorer.labels, None),
            *measuring_corpora(corpora, scorer.labels, None),
        ]
    )
    test = limited(rows, limit)
    console.print(f"{len(test.texts)} test rows of {len(set(test.sources))} corpora")
    scores = {name: predict(test.texts) for name, predict in models.items()}
    thresholds = {name: _thresholds(name, scorer) for name in models}
    tables = {name: metrics_by_corpus(test, values, thresholds[name]) for name, values in scores.items()}
    show(tables, console)
    unmeasured = {} if detoxify else {"detoxify": "no checkpoint given (--detoxify)"}
    for name, why in unmeasured.items():
        console.print(f"{name}: not measured: {why}")
    facts = {
        "limit": limit,
        "capped": _capped(rows, limit),
        "unmeasured": unmeasured,
        "slices": _slices(test, scorer, models, scores, thresholds),
    }
    write(tables, facts, run / "metrics.json")
    if card:
        draw(test, {name: scores[name] for name in _shown(models)}, thresholds["int8"], model)
        write_card(run, model)


def _capped(rows: TestSet, limit: int) -> dict[str, int]:
    """Return corpora of which only a draw is measured, with their number of rows."""
    return {source: count for source, count in Counter(rows.sources.tolist()).items() if count > limit}


def _models(
    scorer: Scorer, run: Path, train: Dataset, detoxify: Path | None, console: Console
) -> dict[str, Predict]:
    """Return the models to measure, ``model`` itself first."""
    models: dict[str, Predict] = {"int8": lambda texts: predictions(scorer, texts, console, "int8")}
    if (run / "fp32").is_dir():
        twin = Scorer.load(run / "fp32")
        models["fp32"] = lambda texts: predictions(twin, texts, console, "fp32")
    if detoxify is not None:
        from belowline.training.measure.detoxify import DetoxifyModel

        models["detoxify"] = DetoxifyModel.from_checkpoint(detoxify, console).predict
    console.print("TF-IDF baseline")
    models["tfidf"] = Baseline(train, scorer.labels).predict
    return models


def _thresholds(name: str, scorer: Scorer) -> Thresholds:
    """Return hold thresholds; one half for other models, which have none."""
    if name in ("int8", "fp32"):
        return {label: both.hold for label, both in scorer.thresholds.items()}
    return dict.fromkeys(scorer.labels, 0.5)


def _shown(models: Iterable[str]) -> list[str]:
    """Return the models in slices and charts, without the fp32 twin, which would repeat the int8 model."""
    return [name for name in models if name != "fp32"]


def _slices(
    test: TestSet,
    scorer: Scorer,
    models: Mapping[str, Predict],
    scores: Mapping[str, Mapping[str, Floats]],
    thresholds: Mapping[str, Thresholds],
) -> dict[str, dict[str, object]]:
    """Return kind of slice → model → label → slice → metrics."""
    divisions = {
        _KEYWORD_CORPUS: keywords(test, _KEYWORD_CORPUS),
        "length": lengths(test, scorer),
        "domain": domains(test),
    }
    slices: dict[str, dict[str, object]] = {
        kind: {name: divided(test, scores[name], thresholds[name], parts) for name in _shown(models)}
        for kind, parts in divisions.items()
    }
    slices["disguised"] = _disguised(test, models, scores, thresholds)
    slices["groups"] = {name: _bias(test, scores[name], thresholds[name]) for name in _shown(models)}
    return slices


def _disguised(
    test: TestSet,
    models: Mapping[str, Predict],
    scores: Mapping[str, Mapping[str, Floats]],
    thresholds: Mapping[str, Thresholds],
) -> dict[str, object]:
    """Return model → label → ``clean`` and ``disguised``: the same rows unchanged and obfuscated."""
    rows, copies = obfuscated_copies(test, _DISGUISED)
    clean = select(test, rows)
    both = joined([clean, replace(clean, texts=copies)])
    parts = {
        "clean": np.arange(len(both.texts)) < len(rows),
        "disguised": np.arange(len(both.texts)) >= len(rows),
    }
    measured: dict[str, object] = {}
    for name in _shown(models):
        of_copies = models[name](copies)
        values = {label: np.concatenate((scores[name][label][rows], of_copies[label])) for label in of_copies}
        measured[name] = divided(both, values, thresholds[name], parts)
    return measured


def _bias(test: TestSet, scores: Mapping[str, Floats], thresholds: Thresholds) -> dict[str, Bias]:
    """Return label → bias over named groups, for the label that mistakes a named group for harm most easily."""
    if _BIAS_LABEL not in scores or _BIAS_LABEL not in test.labels:
        return {}
    target = test.targets[:, test.labels.index(_BIAS_LABEL)]
    rows = np.flatnonzero(~np.isnan(target))
    if not len(rows):
        return {}
    groups = named_groups([test.texts[row] for row in rows])
    return {
        _BIAS_LABEL: measure_bias(
            target[rows], scores[_BIAS_LABEL][rows], thresholds.get(_BIAS_LABEL), groups
        )
    }
