"""The model card, rendered from a run's own numbers."""

import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from belowline.data.corpora import CORPORA
from belowline.data.judgements import on_topic_grades
from belowline.model import DEFINITIONS, ModelConfig
from belowline.model.directory import read_config


def render(run: Path, model: Path) -> str:
    """The card of ``model`` as Markdown, from ``run``'s recipe, parity, thresholds and metrics; raises ModelError or OSError."""
    info = _json(run / "run.json")
    config = read_config(model)
    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )  # Markdown
    environment.filters["figure"] = figure
    template = environment.from_string(
        resources.files("belowline.training").joinpath("templates", "card.md").read_text("utf-8")
    )
    return template.render(
        config=config,
        definitions=DEFINITIONS,
        corpora=CORPORA,
        grades=len(on_topic_grades()),
        recipe=info["recipe"],
        versions=info["versions"],
        examples=info["examples"],
        parity=_json(run / "parity.json"),
        thresholds=_json(run / "thresholds.json"),
        metrics=_json(run / "metrics.json"),
        size=(model / "model.onnx").stat().st_size / 1e6,
        ordered=_ordered(config, _json(run / "metrics.json")),
    )


def _ordered(config: ModelConfig, metrics: Mapping[str, Any]) -> dict[str, list[str]]:
    """Label to the corpora that it was measured on, all together last."""
    tables = metrics["int8"]
    return {
        label: sorted(tables.get(label, {}), key=lambda name: (name == "all", name))
        for label in config.labels
    }


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def figure(value: float | None) -> str:
    """Three decimals, or a dash for what could not be measured."""
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"
