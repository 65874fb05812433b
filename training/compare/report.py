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

from belowline.training.compare.comparison import Comparison, Pair
from belowline.training.compare.gates import GateReport
from belowline.training.compare.paired_bootstrap import LOWER_IS_BETTER, Difference
from belowline.training.compare.test_rows import ALL, GROUPS, Rows
from belowline.training.files import write_text
from belowline.training.measure.card import figure
from belowline.training.measure.plots import PRECISION_RECALL, RELIABILITY, draw
from belowline.training.measure.test_set import Floats

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
_COLOURS = {"better": "green", "worse": "red", "no difference": "default"}
_MARKS = {"better": "+", "worse": "-", "no difference": "="}
_SHOWN = 12
"""Slices per verdict on the terminal, and changed decisions per kind on the page."""


def show_comparison(comparison: Comparison, reports: Sequence[GateReport], console: Console) -> None:
    """Print each pair: metrics over all rows, slices that differ, changed decisions; then speed, size and gates."""
    for pair in comparison.pairs:
        console.print(_pooled(comparison, pair))
        for label, why in (("only A knows", pair.only_a), ("only B knows", pair.only_b)):
            if why:
                console.print(f"not compared, {label}: {', '.join(why)}")
        console.print(_verdicts(pair, int(comparison.facts["fewest"])))
        console.print(_slices(pair))
        console.print(_flips(pair))
    console.print(_speeds(comparison))
    for report in reports:
        console.print(_gates(report))


def _pooled(comparison: Comparison, pair: Pair) -> Table:
    first = comparison.contenders[0].name
    table = Table("label", "n", "positive", title=f"A {first} | B {pair.name}", title_justify="left")
    for name in (*POOLED, "bias_gap"):
        table.add_column(f"{NAMES[name]}\nA > B (B-A, 95 %)", justify="right")
    by_key = {
        (difference.label, difference.part, difference.metric): difference for difference in pair.figures
    }
    for label in pair.labels:
        differences = [by_key.get((label, ALL, name)) for name in POOLED]
        example = next((difference for difference in differences if difference is not None), None)
        if example is not None:
            cells = [
                _cell(difference) for difference in (*differences, by_key.get((label, GROUPS, "bias_gap")))
            ]
            table.add_row(label, str(example.examples), str(example.positives), *cells)
    return table


def _cell(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    verdict = f"[{_COLOURS[difference.verdict]}]{_MARKS[difference.verdict]}[/]"
    return f"{difference.a:.3f} > {difference.b:.3f} {verdict}\n({difference.low:+.3f} to {difference.high:+.3f})"


def _verdicts(pair: Pair, fewest: int) -> str:
    counts = pair.verdicts()
    return (
        f"{len(pair.figures)} metrics of labels and slices with at least {fewest} rows: B is better in {counts['better']} (+), "
        f"worse in {counts['worse']} (-), not different in {counts['no difference']} (=). "
        "At most 5 % of the verdicts better and worse are expected to be chance (Benjamini and Hochberg)."
    )


def differing(pair: Pair) -> list[Difference]:
    """Return the slices with a verdict on AUC, average precision, F1, calibration or bias, largest losses first."""
    chosen = [
        difference
        for difference in pair.figures
        if difference.verdict != "no difference"
        and difference.part != ALL
        and difference.metric in ("auc", "average_precision", "f1", "calibration_error", "bias_gap")
    ]
    return sorted(chosen, key=lambda difference: -difference.loss[0])


def _slices(pair: Pair) -> Table:
    differences = differing(pair)
    shown = differences if len(differences) <= 2 * _SHOWN else differences[:_SHOWN] + differences[-_SHOWN:]
    title = f"slices that differ, {len(shown)} of {len(differences)} (the largest losses and gains)"
    table = Table(
        "label", "slice", "metric", "n", "A", "B", "B-A (95 %)", "", title=title, title_justify="left"
    )
    for difference in shown:
        gap = f"{difference.difference:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
        verdict = f"[{_COLOURS[difference.verdict]}]{difference.verdict}[/]"
        values = (
            NAMES[difference.metric],
            str(difference.examples),
            f"{difference.a:.3f}",
            f"{difference.b:.3f}",
        )
        table.add_row(difference.label, difference.part, *values, gap, verdict)
    return table


def _flips(pair: Pair) -> Table:
    title = f"changed decisions, of {pair.flips.decided} rows"
    table = Table("A > B", "B right", "B wrong", "unknown", title=title, title_justify="left")
    for change, judged in pair.flips.counts.items():
        table.add_row(change, *(str(judged[name]) for name in ("right", "wrong", "unknown")))
    return table


def _speeds(comparison: Comparison) -> Table:
    columns = (
        "contender",
        "comments/s",
        "p50 ms",
        "p99 ms",
        "p50 relative to A (rounds)",
        "MB",
        "size relative to A",
    )
    table = Table(*columns, title="speed and size", title_justify="left")
    for name, cells in speed_rows(comparison):
        table.add_row(name, *cells)
    return table


def speed_rows(comparison: Comparison) -> Iterator[tuple[str, list[str]]]:
    """Yield name and table cells of each contender; a dash for what was not measured."""
    first = comparison.contenders[0]
    for contender in comparison.contenders:
        speed = comparison.speed.get(contender.name)
        cells = ["-"] * 4
        if speed is not None:
            ratio = f"{speed.ratio:.2f} ({speed.ratio_low:.2f}-{speed.ratio_high:.2f})"
            cells = [f"{speed.per_second:.0f}", f"{speed.p50_ms:.1f}", f"{speed.p99_ms:.1f}", ratio]
        cells.append(f"{contender.size / 1e6:.1f}" if contender.size else "-")
        cells.append(f"{contender.size / first.size:.2f}" if contender.size and first.size else "-")
        yield contender.name, cells


def _gates(report: GateReport) -> Table:
    outcome = "[green]every gate passed[/]" if report.passed else "[red]refused[/]"
    title = f"gates for {report.name} ({report.version}): {outcome}"
    table = Table("gate", "limit", "measured (95 %)", "outcome", "why", title=title, title_justify="left")
    for result in report.results:
        colour = "green" if result.passed else "red"
        ends = "" if np.isnan(result.low) else f" ({result.low:.3f} to {result.high:.3f})"
        measured = f"{figure(result.value)}{ends}"
        table.add_row(
            result.name, f"{result.limit:g}", measured, f"[{colour}]{result.outcome}[/]", result.why
        )
    return table


def write_report(
    comparison: Comparison,
    reports: Sequence[GateReport],
    rows: Rows,
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
        texts=rows.test.texts,
        flips={pair.name: _chosen(pair) for pair in comparison.pairs},
        span=_span,
    )
    write_text(path, page.encode("utf-8", "replace").decode("utf-8"))


def _chosen(pair: Pair) -> dict[str, list[Any]]:
    """Return some changed decisions of each kind, those where B is wrong first."""
    order = ("wrong", "right", "unknown")
    return {
        f"{change}: B {judged if judged != 'unknown' else 'not known to be right'}": [
            flip for flip in pair.flips.examples if f"{flip.a} > {flip.b}" == change and flip.b_is == judged
        ][:_SHOWN]
        for change in pair.flips.counts
        for judged in order
        if pair.flips.counts[change][judged]
    }


def _span(difference: Difference) -> tuple[float, float, float]:
    """Return start, middle and end of an interval on a scale from 0 to 100; 50 is no difference, the ends are 0.2."""
    return tuple(
        round(float(np.clip(50 + 250 * value, 0, 100)), 1)
        for value in (difference.low, difference.difference, difference.high)
    )  # type: ignore[return-value]


def _pictures(
    comparison: Comparison, rows: Rows, scores: Mapping[str, Mapping[str, Floats]]
) -> dict[str, str]:
    """Return reliability and precision-recall charts as data URLs; labels with unscored rows are left out."""
    complete = {
        name: {label: values for label, values in probabilities.items() if not np.isnan(values).any()}
        for name, probabilities in scores.items()
    }
    thresholds = {label: both.hold for label, both in comparison.contenders[0].thresholds.items()}
    with tempfile.TemporaryDirectory() as folder:
        draw(rows.test, complete, thresholds, Path(folder))
        files = {"Reliability": RELIABILITY, "Precision and recall": PRECISION_RECALL}
        return {
            title: "data:image/svg+xml;base64," + b64encode((Path(folder) / name).read_bytes()).decode()
            for title, name in files.items()
            if (Path(folder) / name).is_file()
        }
