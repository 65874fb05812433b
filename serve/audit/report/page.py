"""The report of an audit: one HTML page without external resources."""

from collections.abc import Mapping
from typing import Any

from belowline.serve.audit.report import charts
from belowline.serve.audit.report.method import card_html, label_rules
from belowline.serve.audit.summary_counts import WORTH_A_LOOK, Tally
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.templating import inline_css, templates

THREADS_SHOWN = 50
MONTHS_SHOWN = 240
TEXT_SHOWN = 4000
"""Most characters of a comment in the report; comments.jsonl has the whole text."""


def render_report(
    summary: Mapping[str, Any], tally: Tally, pipeline: ModerationPipeline, card: str | None = None
) -> str:
    """The report as HTML; ``summary`` is summary.json, ``card`` the model's card in Markdown."""
    config, months = pipeline.scorer.config, summary["months"][-MONTHS_SHOWN:]
    threads = summary["threads"]["worst"][:THREADS_SHOWN]
    return templates.get_template("report.html").render(
        summary=summary,
        css=inline_css("belowline.css", "report.css"),
        shares=charts.shares,
        columns=charts.columns,
        percent=charts.percent,
        months=months,
        lines=charts.label_lines(months, config.labels),
        fewest=charts.FEWEST_IN_MONTH,
        threads=threads,
        highest_of_threads=charts.highest_shares(threads, config.labels),
        highest_of_authors=charts.highest_shares(summary["authors"], config.labels),
        tally=tally,
        rejects=summary.get("rejects") or {"rejects": 0, "first": []},
        verdicts=sum(sum(actions.values()) for actions in summary["verdicts"].values()),
        copies=summary.get("copies"),
        floor=WORTH_A_LOOK,
        longest=TEXT_SHOWN,
        labels=config.labels,
        substance=not summary["relevance"]["comments"],
        harmful=config.harmful,
        rules=label_rules(pipeline.policy, config),
        policy=pipeline.policy,
        config=config,
        card=card_html(card) if card else None,
    )
