"""The report of an audit: one HTML page without external resources."""

from collections.abc import Mapping, Sequence
from typing import Any

from belowline.serve.audit.report import charts
from belowline.serve.audit.report.groups import Groups
from belowline.serve.audit.report.listing import TEXT_SHOWN, Listed, Listing
from belowline.serve.audit.report.method import card_html, label_rules
from belowline.serve.audit.summary_counts import WORTH_A_LOOK, Tally, TopItems
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.templating import inline_css, templates

THREADS_SHOWN = 50
MONTHS_SHOWN = 240


def render_report(
    summary: Mapping[str, Any],
    tally: Tally,
    pipeline: ModerationPipeline,
    card: str | None = None,
    groups: Groups | None = None,
) -> str:
    """The report as HTML; ``summary`` is summary.json, ``card`` the model's card in Markdown."""
    config, months = pipeline.scorer.config, summary["months"][-MONTHS_SHOWN:]
    threads, authors = summary["threads"]["worst"][:THREADS_SHOWN], summary["authors"]
    listing = Listing(summary.get("folder", ""), "redaction" in summary["made_with"])
    groups = groups or Groups()
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
        thread_rows=_rows_of(groups, groups.threads, len(threads), listing),
        author_rows=_rows_of(groups, groups.authors, len(authors), listing),
        highest_of_threads=charts.highest_shares(threads, config.labels),
        highest_of_authors=charts.highest_shares(authors, config.labels),
        tally=tally,
        listing=listing,
        longest=TEXT_SHOWN,
        reviewed=_reviewed(summary["reasons"], tally, listing),
        tops={label: _unlisted(one.top, tally) for label, one in tally.labels.items()},
        code_of=_codes_of_labels(tally),
        rejects=summary.get("rejects") or {"rejects": 0, "first": []},
        reject_reasons=summary.get("reject_reasons") or [],
        notes=summary.get("notes") or [],
        verdicts=sum(sum(actions.values()) for actions in summary["verdicts"].values()),
        copies=summary.get("copies"),
        floor=WORTH_A_LOOK,
        labels=config.labels,
        substance=not summary["relevance"]["comments"],
        harmful=config.harmful,
        rules=label_rules(pipeline.policy, config),
        policy=pipeline.policy,
        config=config,
        card=card_html(card) if card else None,
    )


def _reviewed(reasons: Mapping[str, int], tally: Tally, listing: Listing) -> dict[str, list[Listed]]:
    """The comments to review of each reason, the most frequent reason first."""
    return {
        code: [listing.reviewed(item) for item in tally.to_review[code].best()]
        for code in reasons
        if code in tally.to_review
    }


def _unlisted(top: TopItems, tally: Tally) -> list[Any]:
    """The comments of a label's list that no reason's list has."""
    listed = [item.row for items in tally.to_review.values() for item in items.best()]
    return [item for item in top.best() if not any(item.row is row for row in listed)]


def _codes_of_labels(tally: Tally) -> dict[str, str]:
    """Labels that decided on comments to review, with the codes of their lists."""
    first = ((code, items.best()[0].row["reason"].get("label")) for code, items in tally.to_review.items())
    return {label: code for code, label in first if label}


def _rows_of(
    groups: Groups, numbers: Sequence[Sequence[int]], size: int, listing: Listing
) -> list[list[Listed]]:
    return [[listing.grouped(row) for row in groups.rows_of(numbers, position)] for position in range(size)]
