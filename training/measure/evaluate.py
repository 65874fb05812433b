"""``belowline-train evaluate``: a model and its peers on the test rows of its run, and the model card."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from belowline.model import Scorer, Thresholds
from belowline.training.files import write_json
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.bias import draws_of_groups, groups_that_count, summary
from belowline.training.measure.card import figure, write_card
from belowline.training.measure.contenders import Contender, detoxify, model, tfidf
from belowline.training.measure.intervals import RESAMPLES, Bools, Counts, Floats, measurement, resampled
from belowline.training.measure.metrics import Draws, Metrics
from belowline.training.measure.parts import (
    ALL,
    domains,
    draws_of_parts,
    keywords,
    lengths,
    measurable,
    named_groups,
    obfuscated_copies,
    scored_by_all,
)
from belowline.training.measure.plots import draw
from belowline.training.measure.rows import MEASURED_ONLY, TestRows, corpus_examples, rows_of, split_examples

Measured = dict[str, dict[str, Metrics]]
"""Label to part of the rows to metrics."""

_BIAS_LABEL = "hate"
_KEYWORD_CORPUS = "isca"
_OBFUSCATED = 2000
"""Test rows of which an obfuscated copy is scored, at most."""


def evaluate(
    run: Path,
    directory: Path,
    corpora: Path,
    limit: int,
    console: Console,
    *,
    card: bool,
    checkpoint: Path | None = None,
) -> None:
    """Measure the model in ``directory``, the run's fp32 twin, the TF-IDF baseline and a Detoxify checkpoint, if any.

    Writes ``run / "metrics.json"``. At most ``limit`` rows of each corpus are used. With ``card``, the model card and
    its charts are written into ``directory``.

    Raises:
        RunError: A run without data.
        ModelError: A model directory that cannot be loaded.
        ContenderError: A checkpoint that cannot be loaded.
    """
    scorer = Scorer.load(directory)
    labels = scorer.labels
    examples = split_examples(RunDirectory(run).data()["test"], labels)
    examples += corpus_examples(corpora, MEASURED_ONLY)
    rows = rows_of(examples, labels, limit)
    contenders = [model("int8", directory, scorer, console)]
    if (run / "fp32").is_dir():
        contenders.append(model("fp32", run / "fp32", Scorer.load(run / "fp32"), console))
    if checkpoint is not None:
        contenders.append(detoxify("detoxify", str(checkpoint), console=console))
    contenders.append(tfidf("tfidf", run, labels))
    console.print(f"{len(rows.texts)} test rows of {len(set(rows.sources))} corpora")
    scores = {contender.name: dict(contender.predict(rows.texts)) for contender in contenders}
    corpus_parts = {ALL: np.ones(len(rows.texts), dtype=bool)}
    corpus_parts |= {str(source): rows.sources == source for source in np.unique(rows.sources)}
    tables = {
        contender.name: measured(rows, scores[contender.name], contender.thresholds, corpus_parts)
        for contender in contenders
    }
    show(tables, console)
    unmeasured = {} if checkpoint else {"detoxify": "no checkpoint given (--detoxify)"}
    for name, why in unmeasured.items():
        console.print(f"{name}: not measured: {why}")
    sizes = Counter(example.source for example in examples)
    facts = {
        "limit": limit,
        "capped": {source: count for source, count in sizes.items() if count > limit},
        "unmeasured": unmeasured,
        # Without the fp32 twin, which would repeat the int8 model.
        "slices": _slices(rows, scorer, [c for c in contenders if c.name != "fp32"], scores),
    }
    write_json(run / "metrics.json", {**tables, **facts})
    if card:
        shown = {name: values for name, values in scores.items() if name != "fp32"}
        draw(rows, shown, {label: both.hold for label, both in scorer.thresholds.items()}, directory)
        write_card(run, directory)


def measured(
    rows: TestRows,
    probabilities: Mapping[str, Floats],
    thresholds: Mapping[str, Thresholds],
    parts: Mapping[str, Bools],
) -> Measured:
    """Return label to part to metrics, for masks [n] of parts; a part with one class of a label is left out."""
    masks = measurable(rows, scored_by_all([probabilities], rows), parts)
    counts = resampled(rows.clusters, RESAMPLES)
    result: Measured = {label: {} for label in rows.labels if label in probabilities}
    for (label, part), draws in draws_of_parts(rows, probabilities, thresholds, masks, counts):
        mask = masks[label, part]
        result[label][part] = _metrics(draws, rows.target(label)[mask] >= 0.5)
    return result


def _metrics(draws: Draws, truth: Bools) -> Metrics:
    values = {name: measurement(values, len(truth)) for name, values in draws.items()}
    return Metrics(len(truth), int(truth.sum()), values)


def _slices(
    rows: TestRows,
    scorer: Scorer,
    contenders: Sequence[Contender],
    scores: Mapping[str, Mapping[str, Floats]],
) -> dict[str, dict[str, Any]]:
    """Return kind of slice → model → label → slice → metrics."""
    divisions = {
        _KEYWORD_CORPUS: keywords(rows, _KEYWORD_CORPUS),
        "length": lengths(rows, scorer),
        "domain": domains(rows),
    }
    slices: dict[str, dict[str, Any]] = {
        kind: {one.name: measured(rows, scores[one.name], one.thresholds, parts) for one in contenders}
        for kind, parts in divisions.items()
    }
    chosen, copies = obfuscated_copies(rows, _OBFUSCATED)
    clean = rows.select(chosen)
    everything = np.ones(len(chosen), dtype=bool)
    slices["disguised"] = {}
    for contender in contenders:
        own = {label: values[chosen] for label, values in scores[contender.name].items()}
        before = measured(clean, own, contender.thresholds, {"clean": everything})
        of_copies = contender.predict(copies)
        after = measured(
            replace(clean, texts=copies), of_copies, contender.thresholds, {"disguised": everything}
        )
        slices["disguised"][contender.name] = {label: before[label] | after[label] for label in after}
    counts = resampled(rows.clusters, RESAMPLES)
    slices["groups"] = {one.name: bias(rows, one, scores[one.name], counts) for one in contenders}
    return slices


def bias(
    rows: TestRows, contender: Contender, probabilities: Mapping[str, Floats], counts: Counts
) -> dict[str, dict[str, Any]]:
    """Return label → bias over named groups, for the label that mistakes a named group for harm most easily."""
    known = scored_by_all([probabilities], rows).get(_BIAS_LABEL)
    if known is None or not known.any():
        return {}
    truth = rows.target(_BIAS_LABEL)[known] >= 0.5
    texts = [text for text, is_known in zip(rows.texts, known, strict=True) if is_known]
    named = {name: mask for name, mask in named_groups(texts).items() if mask.any()}
    probability, hold = probabilities[_BIAS_LABEL][known], contender.thresholds[_BIAS_LABEL].hold
    draws = draws_of_groups(truth, probability, hold, named, rows.weights[known], counts[:, known])
    counted = list(groups_that_count(truth, named))
    groups = {name: _metrics(draws[name], truth[mask]) for name, mask in named.items()}
    summed = _metrics(summary(draws, counted), truth)
    return {_BIAS_LABEL: {"summary": summed, "groups": groups, "counted": counted}}


def show(tables: Mapping[str, Measured], console: Console) -> None:
    """Print tables of several models side by side: AUC with interval, average precision, F1 at the hold threshold."""
    for label, parts in next(iter(tables.values())).items():
        table = Table("corpus", "n", "positive", title=label, title_justify="left")
        for name in tables:
            for heading in (f"{name}\nAUC (95 %)", "AP", "F1"):
                table.add_column(heading, justify="right")
        for part, first in parts.items():
            cells: list[str] = []
            for by_label in tables.values():
                metrics = by_label.get(label, {}).get(part)
                if metrics is None:
                    cells += ["-"] * 3
                    continue
                auc = metrics["auc"]
                cells.append(f"{auc.value:.3f} ({auc.low:.3f}-{auc.high:.3f})")
                cells += [figure(metrics[metric].value) for metric in ("average_precision", "f1")]
            table.add_row(part, str(first.examples), str(first.positives), *cells)
        console.print(table)
