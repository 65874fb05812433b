"""A comparison as terminal output and as one self-contained page."""

import tempfile
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from rich.console import Console
from rich.table import Table

from belowline.training.compare.comparison import GROUPS, LOWER_IS_BETTER, Comparison, Difference, Pair
from belowline.training.compare.decision_changes import Flip
from belowline.training.compare.gates import GateReport
from belowline.training.files import without_surrogates, write_text
from belowline.training.measure.card import figure
from belowline.training.measure.intervals import Floats
from belowline.training.measure.parts import ALL
from belowline.training.measure.plots import PRECISION_RECALL, RELIABILITY, draw
from belowline.training.measure.rows import TestRows

POOLED = ("auc", "average_precision", "f1", "calibration_error")
"""Metrics of the terminal's table over all rows; the page and the JSON have all."""
NAMES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "f1": "F1 at hold",
    "precision_at_hold": "precision at hold",
    "recall_at_hold": "recall at hold",
    "precision_at_reject": "precision at reject",
    "recall_at_reject": "recall at reject",
    "precision_at_50": "precision at recall 0.50",
    "precision_at_80": "precision at recall 0.80",
    "precision_at_95": "precision at recall 0.95",
    "calibration_error": "calibration error",
    "bias_gap": "bias gap",
    "false_positive_gap": "false-positive gap",
}
"""Printed names of the metrics."""
_STYLES = {"better": "[green]+[/]", "worse": "[red]-[/]", "no difference": "="}
_SHOWN = 12
"""Slices per verdict on the terminal, and changed decisions per kind on the page."""


def show_comparison(comparison: Comparison, reports: Sequence[GateReport], console: Console) -> None:
    """Print each pair: metrics over all rows, slices that differ, changed decisions; then speed, size and gates."""
    for pair in comparison.pairs:
        console.print(_pooled(comparison, pair))
        for label, why in (("only A knows", pair.only_a), ("only B knows", pair.only_b)):
            if why:
                console.print(f"not compared, {label}: {', '.join(why)}")
        counts = pair.verdicts()
        console.print(
            f"{len(pair.figures)} metrics of labels and slices with at least {comparison.facts['fewest']} rows: "
            f"B is better in {counts['better']} (+), worse in {counts['worse']} (-), "
            f"not different in {counts['no difference']} (=). "
            "At most 5 % of the verdicts better and worse are expected to be chance (Benjamini and Hochberg)."
        )
        console.print(_slices(pair))
        title = f"changed decisions, of {pair.flips.decided} rows"
        table = Table("A > B", "B right", "B wrong", "unknown", title=title, title_justify="left")
        for change, judged in pair.flips.counts.items():
            table.add_row(change, *(str(judged[name]) for name in ("right", "wrong", "unknown")))
        console.print(table)
    columns = ("contender", "comments/s", "p50 ms", "p99 ms", "p50 relative to A (rounds)", "MB")
    table = Table(*columns, "size relative to A", title="speed and size", title_justify="left")
    for name, cells in speed_rows(comparison):
        table.add_row(name, *cells)
    console.print(table)
    for report in reports:
        console.print(_gates(report))


def _pooled(comparison: Comparison, pair: Pair) -> Table:
    title = f"A {comparison.contenders[0].name} | B {pair.name}"
    table = Table("label", "n", "positive", title=title, title_justify="left")
    for name in (*POOLED, "bias_gap"):
        table.add_column(f"{NAMES[name]}\nA > B (B-A, 95 %)", justify="right")
    by_key = {(d.label, d.part, d.metric): d for d in pair.figures}
    for label in pair.labels:
        found = [by_key.get((label, ALL, name)) for name in POOLED]
        example = next((difference for difference in found if difference is not None), None)
        if example is not None:
            cells = map(_cell, (*found, by_key.get((label, GROUPS, "bias_gap"))))
            table.add_row(label, str(example.examples), str(example.positives), *cells)
    return table


def _cell(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    values = f"{difference.a:.3f} > {difference.b:.3f} {_STYLES[difference.verdict]}"
    return f"{values}\n({difference.low:+.3f} to {difference.high:+.3f})"


def _slices(pair: Pair) -> Table:
    """Return the slices with a verdict on AUC, average precision, F1, calibration or bias, largest losses first."""
    chosen = [
        difference
        for difference in pair.figures
        if difference.verdict != "no difference"
        and difference.part != ALL
        and difference.metric in (*POOLED, "bias_gap")
    ]
    chosen.sort(key=lambda difference: -difference.loss[0])
    shown = chosen if len(chosen) <= 2 * _SHOWN else chosen[:_SHOWN] + chosen[-_SHOWN:]
    title = f"slices that differ, {len(shown)} of {len(chosen)} (the largest losses and gains)"
    columns = ("label", "slice", "metric", "n", "A", "B", "B-A (95 %)", "")
    table = Table(*columns, title=title, title_justify="left")
    for d in shown:
        gap = f"{d.difference:+.3f} ({d.low:+.3f} to {d.high:+.3f})"
        values = (d.label, d.part, NAMES[d.metric], str(d.examples), f"{d.a:.3f}", f"{d.b:.3f}")
        table.add_row(*values, gap, f"{_STYLES[d.verdict]} {d.verdict}")
    return table


def speed_rows(comparison: Comparison) -> Iterator[tuple[str, list[str]]]:
    """Yield name and table cells of each contender; a dash for what was not measured."""
    for contender in comparison.contenders:
        speed, ratio = comparison.speed.get(contender.name), comparison.size_ratio(contender)
        cells = ["-"] * 4
        if speed is not None:
            rounds = f"{speed.ratio:.2f} ({speed.ratio_low:.2f}-{speed.ratio_high:.2f})"
            cells = [f"{speed.per_second:.0f}", f"{speed.p50_ms:.1f}", f"{speed.p99_ms:.1f}", rounds]
        cells.append(f"{contender.size / 1e6:.1f}" if contender.size else "-")
        cells.append("-" if ratio is None else f"{ratio:.2f}")
        yield contender.name, cells


def _gates(report: GateReport) -> Table:
    outcome = "[green]every gate passed[/]" if report.passed else "[red]refused[/]"
    title = f"gates for {report.name} ({report.version}): {outcome}"
    table = Table("gate", "limit", "measured (95 %)", "outcome", "why", title=title, title_justify="left")
    for result in report.results:
        colour = "green" if result.passed else "red"
        ends = "" if np.isnan(result.low) else f" ({result.low:.3f} to {result.high:.3f})"
        measured = f"{figure(result.value)}{ends}"
        values = (result.name, f"{result.limit:g}", measured, f"[{colour}]{result.outcome}[/]", result.why)
        table.add_row(*values)
    return table


def write_report(
    comparison: Comparison,
    reports: Sequence[GateReport],
    rows: TestRows,
    scores: Mapping[str, Mapping[str, Floats]],
    path: Path,
) -> None:
    """Write the page. It holds the texts of changed decisions, blurred until they are opened, and no other texts."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = figure
    template = resources.files("belowline.training").joinpath("templates", "compare.html").read_text("utf-8")
    page = environment.from_string(template).render(
        comparison=comparison,
        reports=reports,
        first=comparison.contenders[0],
        all=ALL,
        names=NAMES,
        lower=LOWER_IS_BETTER,
        speeds=list(speed_rows(comparison)),
        pictures=_pictures(comparison, rows, scores),
        texts=rows.texts,
        flips={pair.name: _flips(pair) for pair in comparison.pairs},
        span=_span,
    )
    write_text(path, without_surrogates(page))


def _flips(pair: Pair) -> dict[str, list[Flip]]:
    """Return some changed decisions of each kind, those where B is wrong first."""
    return {
        f"{change}: B {judged if judged != 'unknown' else 'not known to be right'}": [
            flip for flip in pair.flips.examples if f"{flip.a} > {flip.b}" == change and flip.b_is == judged
        ][:_SHOWN]
        for change, counts in pair.flips.counts.items()
        for judged in ("wrong", "right", "unknown")
        if counts[judged]
    }


def _span(difference: Difference) -> list[float]:
    """Return start, middle and end of an interval on a scale from 0 to 100; 50 is no difference, the ends are 0.2."""
    ends = (difference.low, difference.difference, difference.high)
    return [round(float(np.clip(50 + 250 * value, 0, 100)), 1) for value in ends]


def _pictures(
    comparison: Comparison, rows: TestRows, scores: Mapping[str, Mapping[str, Floats]]
) -> dict[str, Any]:
    """Return reliability and precision-recall charts as data URLs; labels with unscored rows are left out."""
    complete = {
        name: {label: values for label, values in probabilities.items() if not np.isnan(values).any()}
        for name, probabilities in scores.items()
    }
    thresholds = {label: both.hold for label, both in comparison.contenders[0].thresholds.items()}
    with tempfile.TemporaryDirectory() as folder:
        draw(rows, complete, thresholds, Path(folder))
        files = {
            "Reliability": Path(folder, RELIABILITY),
            "Precision and recall": Path(folder, PRECISION_RECALL),
        }
        return {
            title: "data:image/svg+xml;base64," + b64encode(file.read_bytes()).decode()
            for title, file in files.items()
            if file.is_file()
        }
