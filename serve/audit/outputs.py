"""What an audit writes of its parts: the joined comments, tables, campaigns, the summary and the report."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from belowline.serve.audit.archive import Inventory
from belowline.serve.audit.copies import Copies
from belowline.serve.audit.group_index import GroupIndex
from belowline.serve.audit.report.page import render_report
from belowline.serve.audit.summary_counts import Tally
from belowline.serve.audit.tables import comments_table, write_threads
from belowline.serve.batch.atomic import replacing
from belowline.serve.scoring.pipeline import ModerationPipeline

COMMENTS, SUMMARY, REPORT, PARTS = "comments.jsonl", "summary.json", "report.html", "parts"
COMMENTS_TABLE, THREADS_TABLE, CAMPAIGNS = "comments.parquet", "threads.parquet", "campaigns.jsonl"
Shown = Callable[[dict[str, Any]], dict[str, Any]]
THREADS_TOLD, AUTHORS_TOLD, CAMPAIGNS_TOLD = 100, 20, 20


def write_outputs(
    out: Path,
    inventory: Inventory,
    pipeline: ModerationPipeline,
    made: Mapping[str, Any],
    shown: Shown,
    copies: Copies,
    card: str | None = None,
) -> None:
    """Joins the parts and counts them; the summary comes last, for it says that the audit is complete.

    ``shown`` makes of a row what is to be seen of it. Campaigns are found by the texts themselves, which ``copies`` knows. ``card`` is
    the model's card in Markdown, for the report.
    """
    labels = pipeline.scorer.labels
    tally = Tally({label: _threshold(pipeline, label) for label in labels})
    with GroupIndex.within(out / PARTS, labels, copies.kin) as ledger:
        ledger.add_threads(inventory.threads)
        for number, row in enumerate(_rows(out), 1):
            seen = shown(row)
            ledger.add(number, seen, row["text"], tally.add(seen))
        ledger.seal()
        _join(out, ledger, labels, shown)
        write_threads(out / THREADS_TABLE, ledger.threads(), labels)
        summary = {
            "comments": inventory.comments,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **made,
            **tally.summary(),
            "threads": {"threads": ledger.thread_count(), "worst": ledger.worst_threads(THREADS_TOLD)},
            "campaigns": _write_campaigns(out, ledger),
            "authors": ledger.authors(AUTHORS_TOLD),
        }
    with replacing(out / REPORT) as report:
        report.write(render_report(summary, tally, pipeline, card).encode())
    with replacing(out / SUMMARY) as file:
        file.write(json.dumps(summary, ensure_ascii=False, indent=1).encode() + b"\n")


def _rows(out: Path) -> Iterator[dict[str, Any]]:
    for part in sorted((out / PARTS).glob("*.jsonl")):
        with part.open("rb") as lines:
            for line in lines:
                yield json.loads(line)


def _join(out: Path, ledger: GroupIndex, labels: Sequence[str], shown: Shown) -> None:
    """The comments, each with the campaign that it belongs to."""
    with (
        replacing(out / COMMENTS) as joined,
        comments_table(out / COMMENTS_TABLE, labels) as table,
    ):
        for row, campaign in zip(_rows(out), ledger.campaigns_of_rows(), strict=True):
            whole = {**shown(row), "campaign": campaign}
            joined.write(json.dumps(whole, ensure_ascii=False).encode() + b"\n")
            table.add(whole)


def _write_campaigns(out: Path, ledger: GroupIndex) -> dict[str, Any]:
    """All of them into their file; how many there are, and the largest, for the summary."""
    found = comments = 0
    largest: list[dict[str, Any]] = []
    with replacing(out / CAMPAIGNS) as file:
        for campaign in ledger.campaigns():
            file.write(json.dumps(campaign, ensure_ascii=False).encode() + b"\n")
            found += 1
            comments += campaign["comments"]
            if len(largest) < CAMPAIGNS_TOLD:
                largest.append(campaign)
    return {"campaigns": found, "comments": comments, "largest": largest}


def _threshold(pipeline: ModerationPipeline, label: str) -> float | None:
    """Where the policy holds a label, or where the model would if the policy does not name it."""
    known = pipeline.policy.thresholds.get(label) or pipeline.scorer.thresholds.get(label)
    stated = [value for value in (known.hold, known.reject) if value is not None] if known else []
    return min(stated, default=None)
