"""A comparison as terminal output and as one self-contained page."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, StrictUndefined
from rich.console import Console
from rich.table import Table

from belowline.training.compare.comparison import LOWER_IS_BETTER, Comparison, Difference, Pair
from belowline.training.compare.decision_changes import Flip
from belowline.training.compare.gates import GateReport
from belowline.training.files import template_text, without_surrogates, write_text
from belowline.training.measure.card import figure
from belowline.training.measure.parts import ALL, BIAS

POOLED = ("auc", "average_precision", "f1", "calibration_error")
"""Metrics of the terminal's table over all rows; the page and the JSON have every metric."""
_STYLES = {"better": "[green]+[/]", "worse": "[red]-[/]", "no difference": "="}
_SHOWN = 12
"""Changed decisions per kind on the page."""


def show_comparison(comparison: Comparison, reports: Sequence[GateReport], console: Console) -> None:
    """Print each pair's metrics over all rows, and the gates; the page has everything."""
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
        for change, judged in pair.flips.counts.items():
            console.print(
                f"changed decisions, {change}: B right in {judged['right']}, wrong in {judged['wrong']}, "
                f"unknown in {judged['unknown']} of {pair.flips.decided} rows"
            )
    for report in reports:
        console.print(_gates(report))


def _pooled(comparison: Comparison, pair: Pair) -> Table:
    title = f"A {comparison.contenders[0].name} | B {pair.name}"
    table = Table("label", "n", "positive", title=title, title_justify="left")
    for name in (*POOLED, "bias_gap"):
        table.add_column(f"{name}\nA > B (B-A, 95 %)", justify="right")
    by_key = {(d.label, d.part, d.metric): d for d in pair.figures}
    for label in pair.labels:
        found = [by_key.get((label, ALL, name)) for name in POOLED]
        example = next((difference for difference in found if difference is not None), None)
        if example is not None:
            cells = map(_cell, (*found, by_key.get((label, BIAS, "bias_gap"))))
            table.add_row(label, str(example.examples), str(example.positives), *cells)
    return table


def _cell(difference: Difference | None) -> str:
    if difference is None:
        return "-"
    values = f"{difference.a:.3f} > {difference.b:.3f} {_STYLES[difference.verdict]}"
    return f"{values}\n({difference.low:+.3f} to {difference.high:+.3f})"


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
    comparison: Comparison, reports: Sequence[GateReport], texts: Sequence[str], path: Path
) -> None:
    """Write the page. It holds the texts of changed decisions, blurred until they are opened, and no other texts."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["figure"] = figure
    template = template_text("compare.html")
    page = environment.from_string(template).render(
        comparison=comparison,
        reports=reports,
        first=comparison.contenders[0],
        all=ALL,
        lower=LOWER_IS_BETTER,
        speeds=list(speed_rows(comparison)),
        texts=texts,
        flips={pair.name: _flips(pair) for pair in comparison.pairs},
        span=_span,
    )
    write_text(path, without_surrogates(page))


def _flips(pair: Pair) -> dict[str, list[Flip]]:
    """Return some changed decisions of each kind, those where B is wrong first."""
    return {
        f"{change}: B {judged if judged != 'unknown' else 'not known to be right'}": [
            flip for flip in pair.flips.rows if f"{flip.a} > {flip.b}" == change and flip.b_is == judged
        ][:_SHOWN]
        for change, counts in pair.flips.counts.items()
        for judged in ("wrong", "right", "unknown")
        if counts[judged]
    }


def _span(difference: Difference) -> list[float]:
    """Return start, middle and end of an interval on a scale from 0 to 100; 50 is no difference, the ends are 0.2."""
    ends = (difference.low, difference.difference, difference.high)
    return [round(float(np.clip(50 + 250 * value, 0, 100)), 1) for value in ends]
