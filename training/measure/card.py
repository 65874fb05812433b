"""The model card, rendered from the numbers of a run."""

import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from transformers import AutoConfig

from belowline.data.corpora import CORPORA
from belowline.data.corpora.on_topic_grades import on_topic_grades, on_topic_test_grades
from belowline.model import DEFINITIONS
from belowline.model.directory import read_config
from belowline.training.files import template_text, write_text
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.draws import FEWEST
from belowline.training.measure.parts import ALL, CORPUS
from belowline.training.measure.plots import PRECISION_RECALL, RELIABILITY
from belowline.training.measure.rows import MEASURED_ONLY

NEAR = ("civil-sample", "toxic-spans", "c3", "on-topic", "youtube-spam", "isca")
"""Corpora nearest to what a comment section gets to read, for the short table."""


def write_card(run: Path, model: Path) -> None:
    """Write the card of ``model`` into its ``README.md``; an error leaves the old card."""
    write_text(model / "README.md", render(run, model))


def render(run: Path, model: Path) -> str:
    """Return the card as Markdown, from recipe, network, parity, thresholds and metrics of ``run``."""
    info = RunDirectory(run).info
    config = read_config(model)
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )  # Markdown
    environment.filters |= {"figure": figure, "interval": interval}
    template = environment.from_string(template_text("card.md"))
    metrics, targets = _json(run / "metrics.json"), run / "figures.json"
    return template.render(
        config=config,
        layers=AutoConfig.from_pretrained(run / "model").num_hidden_layers,
        definitions=DEFINITIONS,
        corpora=CORPORA,
        grades=len(on_topic_grades()),
        test_grades=len(on_topic_test_grades()),
        start=info.get("start"),
        recipe={"start": None, **info["recipe"]},  # runs of 0.2.0 know no start
        versions=info["versions"],
        examples=info["examples"],
        parity=_json(run / "parity.json"),
        thresholds=_json(run / "thresholds.json"),
        metrics=metrics,
        detoxify="detoxify" in metrics,
        size=(model / "model.onnx").stat().st_size / 1e6,
        # Label to the corpora that it was measured on, all together first.
        ordered={
            label: [part for part in (ALL, *sorted(parts)) if part == ALL or part.startswith(CORPUS)]
            for label, parts in metrics["int8"].items()
            if ALL in parts
        },
        rows_of=partial(_rows_of, metrics["int8"]),
        near=NEAR,
        fewest=FEWEST,
        never_trained=MEASURED_ONLY,
        drawings=[name for name in (RELIABILITY, PRECISION_RECALL) if (model / name).is_file()],
        targets=_json(targets)["rows"] if targets.is_file() else [],
    )


def _rows_of(
    measured: Mapping[str, Mapping[str, Any]], begins: str | tuple[str, ...]
) -> list[tuple[str, str, Any]]:
    """Return label, part and metrics of the parts whose names begin so."""
    return [
        (label, part, metrics)
        for label, by_part in measured.items()
        for part, metrics in by_part.items()
        if part.startswith(begins)
    ]


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def figure(value: float | None) -> str:
    """Format a number with three decimals, or as a dash if it is unknown."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def interval(figures: Mapping[str, Any] | None, name: str) -> str:
    """Format the metric ``name`` with its 95 % interval, or as a dash if it is unknown."""
    if not figures or figures.get(name) is None:
        return "–"
    return f"{figure(figures[name])} ({figure(figures[f'{name}_low'])}-{figure(figures[f'{name}_high'])})"
