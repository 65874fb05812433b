"""The page of a benchmark, rendered from bench.json alone, with charts and without a script."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.bench import charts
from tests.bench.figures import number, slope
from tests.bench.machine import warnings

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)
_TEMPLATES.filters.update(number=number, slope=slope)
_TEMPLATES.globals.update(strips=charts.strips, pieces=charts.pieces, plot=charts.plot, size=charts)


def render(bench: Mapping[str, Any]) -> str:
    """Return the HTML of a whole bench.json."""
    return _TEMPLATES.get_template("page.html").render(bench=bench, warnings=warnings(dict(bench)))
