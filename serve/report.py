"""The audit's report: one page that needs nothing else, with harmful texts blurred until they are opened."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from belowline.serve.tally import WORTH_A_LOOK, Tally
from belowline.serve.wording import label_name

HERE = Path(__file__).parent
THREADS_SHOWN = 200
_ACTIONS = ("publish", "hold", "reject")

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined
)
templates.filters["label"] = label_name


def render_report(summary: Mapping[str, Any], tally: Tally, harmful: Sequence[str]) -> str:
    """The report as HTML; ``summary`` is summary.json, texts high in ``harmful`` labels are blurred."""
    threads = sorted(summary["threads"], key=lambda thread: (-_needing_a_look(thread), thread["source"]))
    return templates.get_template(
        "report.html"
    ).render(
        summary=summary,
        css=Markup((HERE / "static" / "belowline.css").read_text("utf-8")),  # noqa: S704
        threads=threads[:THREADS_SHOWN],
        hidden_threads=max(0, len(threads) - THREADS_SHOWN),
        top={label: one.best() for label, one in tally.labels.items()},
        passed=tally.differences.passed(),
        removed=tally.differences.removed(),
        floor=WORTH_A_LOOK,
        harmful=harmful,
        needing_a_look=_needing_a_look,
        shares=shares,
        columns=columns,
    )


def shares(actions: Mapping[str, int]) -> list[tuple[str, float, float]]:
    """Action, start and width of each piece of a bar that is 100 wide."""
    total, start, pieces = sum(actions.values()) or 1, 0.0, []
    for action in _ACTIONS:
        width = 100 * actions[action] / total
        pieces.append((action, round(start, 3), round(width, 3)))
        start += width
    return pieces


def columns(histogram: Sequence[int]) -> list[tuple[int, float]]:
    """Position and height (0..1) of each column of a histogram; square roots, to show rare scores too."""
    highest = max(histogram) or 1
    return [(index, round((count / highest) ** 0.5, 3)) for index, count in enumerate(histogram)]


def _needing_a_look(thread: Mapping[str, Any]) -> int:
    actions: Mapping[str, int] = thread["actions"]
    return actions["hold"] + actions["reject"]
