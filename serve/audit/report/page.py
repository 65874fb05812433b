"""The audit's report: one page that needs nothing else, with harmful texts blurred until they are opened."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from belowline.serve.audit.report import charts as report_charts
from belowline.serve.audit.report.method import card_html, label_rules, method_words, policy_words
from belowline.serve.audit.summary_counts import WORTH_A_LOOK, Tally
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.wording import code_words, done_words, label_name

HERE = Path(__file__).resolve().parents[2]
THREADS_SHOWN = 50
MONTHS_SHOWN = 240
TEXT_SHOWN = 4000
"""Most characters of a comment in the report, which stays readable and of bounded size; comments.jsonl has all of it."""

templates = Environment(
    loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
templates.filters.update(label=label_name, reason=code_words, done=done_words, count="{:,}".format)
templates.globals.update(
    shares=report_charts.shares, columns=report_charts.columns, percent=report_charts.percent
)


def render_report(
    summary: Mapping[str, Any], tally: Tally, pipeline: ModerationPipeline, card: str | None = None
) -> str:
    """The report as HTML: ``summary`` is summary.json, ``card`` the model's card in Markdown; texts that a harmful label picked are
    blurred."""
    config, months = pipeline.scorer.config, summary["months"][-MONTHS_SHOWN:]
    threads = summary["threads"]["worst"][:THREADS_SHOWN]
    counted = {"threads": threads, "authors": summary["authors"]}
    return templates.get_template("report.html").render(
        summary=summary,
        css=Markup("".join((HERE / "static" / name).read_text("utf-8") for name in _STYLES)),  # noqa: S704
        months=months,
        lines=report_charts.label_lines(months, config.labels),
        fewest=report_charts.FEWEST_IN_MONTH,
        threads=threads,
        highest={what: report_charts.highest_shares(rows, config.labels) for what, rows in counted.items()},
        top={label: one.top.best() for label, one in tally.labels.items()},
        nearest={
            label: one.nearest.best() for label, one in tally.labels.items() if one.threshold is not None
        },
        passed=tally.differences.passed(),
        removed=tally.differences.removed(),
        rejects=summary.get("rejects") or {"rejects": 0, "first": []},
        verdicts=sum(sum(actions.values()) for actions in summary["verdicts"].values()),
        copies=summary.get("copies"),
        floor=WORTH_A_LOOK,
        longest=TEXT_SHOWN,
        labels=config.labels,
        harmful=config.harmful,
        rules=label_rules(pipeline.policy, config),
        policy=list(policy_words(pipeline.policy)),
        method=list(method_words(config, context=bool(summary["relevance"]["comments"]))),
        card=card_html(card) if card else None,
    )


_STYLES = ("belowline.css", "report.css")
