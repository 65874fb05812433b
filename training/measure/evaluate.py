"""``belowline-train evaluate``: a model and its peers on the test rows of its run, and the model card."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from belowline.model import Scorer, Thresholds
from belowline.training.files import write_json
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.card import figure, write_card
from belowline.training.measure.contenders import detoxify, model, tfidf
from belowline.training.measure.draws import draws_of_model
from belowline.training.measure.intervals import RESAMPLES, Bools, Floats, measurement, resampled
from belowline.training.measure.metrics import Metrics
from belowline.training.measure.parts import (
    ALL,
    CORPUS,
    measurable,
    parts_of,
    scored_by_all,
    sizes_of,
)
from belowline.training.measure.plots import draw
from belowline.training.measure.rows import MEASURED_ONLY, TestRows, corpus_examples, rows_of, split_examples

Measured = dict[str, dict[str, Metrics]]
"""Label to part of the rows to metrics."""


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
    parts = parts_of(rows, scorer)
    tables = {
        contender.name: measured(rows, scores[contender.name], contender.thresholds, parts)
        for contender in contenders
    }
    show(tables, console)
    unmeasured = {} if checkpoint else {"detoxify": "no checkpoint given (--detoxify)"}
    for name, why in unmeasured.items():
        console.print(f"{name}: not measured: {why}")
    sizes = Counter(example.source for example in examples)
    capped = {source: count for source, count in sizes.items() if count > limit}
    write_json(run / "metrics.json", {**tables, "limit": limit, "capped": capped, "unmeasured": unmeasured})
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
    sizes, counts = sizes_of(rows, masks), resampled(rows.clusters, RESAMPLES)
    result: Measured = {label: {} for label in rows.labels if label in probabilities}
    for (label, part), draws in draws_of_model(rows, probabilities, thresholds, masks, counts).items():
        examples, positives = sizes[label, part]
        values = {name: measurement(values, examples) for name, values in draws.items()}
        result[label][part] = Metrics(examples, positives, values)
    return result


def show(tables: Mapping[str, Measured], console: Console) -> None:
    """Print AUC, average precision and F1 at the hold threshold by label and corpus, models side by side."""
    for label, parts in next(iter(tables.values())).items():
        table = Table("corpus", "n", "positive", title=label, title_justify="left")
        for name in tables:
            for heading in (f"{name}\nAUC (95 %)", "AP", "F1"):
                table.add_column(heading, justify="right")
        for part, first in parts.items():
            if part != ALL and not part.startswith(CORPUS):
                continue
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
