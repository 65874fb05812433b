"""Writes the results of an audit from its parts: comments, tables, campaigns, summary, report."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from belowline.serve.audit.archive import Inventory
from belowline.serve.audit.evidence import deciding_words
from belowline.serve.audit.group_index import GroupIndex
from belowline.serve.audit.report.groups import Groups
from belowline.serve.audit.report.page import render_report
from belowline.serve.audit.review.spreadsheet import sheet_writer
from belowline.serve.audit.summary_counts import ACTIONS, Tally, strength
from belowline.serve.batch.atomic import replacing
from belowline.serve.batch.read import in_chunks
from belowline.serve.batch.write import parquet_writer
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.safe_text import json_line
from belowline.serve.scoring.wording import code_words

COMMENTS, SUMMARY, REPORT, PARTS = "comments.jsonl", "summary.json", "report.html", "parts"
COMMENTS_TABLE, THREADS_TABLE, CAMPAIGNS = "comments.parquet", "threads.parquet", "campaigns.jsonl"
COMMENTS_SHEET = "comments.csv"
REJECTS = "rejects.jsonl"
RESULTS = frozenset(
    (COMMENTS, COMMENTS_TABLE, COMMENTS_SHEET, THREADS_TABLE, CAMPAIGNS, REJECTS, SUMMARY, REPORT)
)
"""Names of the files that every audit writes."""
_WORST_THREADS, _AUTHORS, _LARGEST_CAMPAIGNS = 100, 20, 20
_ROWS_AT_ONCE = 4096
_KINDS_OF_MESSAGES = 20
_SHEET = (
    *("number", "action", "reason", "words", "thread", "author", "time", "text", "permalink"),
    *("source", "line", "id", "parent", "rule", "verdict", "language", "campaign", "relevance"),
)
"""Columns of comments.csv before the scores; those that an editor needs come first."""
Row = dict[str, Any]


def write_outputs(
    out: Path,
    head: Mapping[str, Any],
    inventory: Inventory,
    pipeline: ModerationPipeline,
    index: GroupIndex,
    shown: Callable[[Row], Row],
    card: str | None = None,
) -> None:
    """Write every result; the summary comes last, because it marks the audit as complete.

    ``out`` has all parts. ``head`` has the first fields of the summary. The comments are added to ``index``, which
    knows the threads. ``shown`` redacts a row of the parts. ``card`` is the model's card in Markdown.
    """
    labels = pipeline.scorer.labels
    tally = Tally({label: _hold_threshold(pipeline, label) for label in labels})
    count = 0
    for count, row in enumerate(_rows(out), 1):
        visible = shown(row)
        index.add(count, visible, row["text"], tally.add(visible), strength(row))
    worst, authors = index.worst_threads(_WORST_THREADS), index.authors(_AUTHORS)
    groups = Groups.of(index, worst, authors)
    words = deciding_words if "redaction" not in head["made_with"] else lambda _: ""
    groups.rows = _write_comments(out, index, pipeline, shown, words, groups.numbers)
    _write_threads(out, index, pipeline)
    summary = {
        "comments": count,
        "folder": inventory.folder,
        "files": inventory.files,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **head,
        "copies": index.copies(),
        "rejects": {"rejects": inventory.rejects, "first": inventory.first_rejects},
        "reject_reasons": inventory.reasons.most_common(_KINDS_OF_MESSAGES),
        "notes": inventory.notes.summed(_KINDS_OF_MESSAGES),
        **tally.summary(),
        "threads": {"threads": index.thread_count(), "worst": worst},
        "campaigns": _write_campaigns(out, index),
        "authors": authors,
    }
    with replacing(out / REPORT) as report:
        report.write(render_report(summary, tally, pipeline, card, groups).encode("utf-8", "replace"))
    with replacing(out / SUMMARY) as file:
        file.write(json_line(summary, indent=1))


def comments_schema(labels: tuple[str, ...]) -> Any:
    """The schema of comments.parquet: comments.jsonl with one column for each label, null if scoring failed."""
    import pyarrow as pa

    text, number = pa.string(), pa.float32()
    span = pa.struct({"label": text, "start": pa.int32(), "end": pa.int32(), "strength": number})
    return pa.schema(
        {
            **dict.fromkeys(("source", "thread"), text),
            "position": pa.int32(),
            **dict.fromkeys(("id", "parent", "author"), text),
            "time": pa.timestamp("us", "UTC"),
            "text": text,
            **dict.fromkeys(("action", "code", "rule", "label", "verdict"), text),
            "campaign": pa.int64(),
            "relevance": number,
            "language": text,
            "model": text,
            **{f"score_{label}": number for label in labels},
            "evidence": pa.list_(span),
            "permalink": text,
            "line": pa.int64(),
        }
    )


def _rows(out: Path) -> Iterator[Row]:
    for part in sorted((out / PARTS).glob("*.jsonl")):
        with part.open("rb") as lines:
            for line in lines:
                yield json.loads(line)


def _write_comments(
    out: Path,
    index: GroupIndex,
    pipeline: ModerationPipeline,
    shown: Callable[[Row], Row],
    words: Callable[[Row], str],
    wanted: Collection[int],
) -> dict[int, Row]:
    """Write the comments, for the spreadsheet with the deciding ``words``; return those with a ``wanted`` number."""
    labels = pipeline.scorer.labels
    rows = (
        {**shown(row), "campaign": campaign}
        for row, campaign in zip(_rows(out), index.campaigns_of_rows(), strict=True)
    )
    chosen: dict[int, Row] = {}
    with (
        replacing(out / COMMENTS) as lines,
        replacing(out / COMMENTS_TABLE) as table,
        parquet_writer(table, comments_schema(labels), "zstd") as write,
        sheet_writer(out / COMMENTS_SHEET, [*_SHEET, *_score_columns(labels)]) as write_cells,
    ):
        for chunk in in_chunks(enumerate(rows, 1), _ROWS_AT_ONCE):
            lines.writelines(json_line(row) for _, row in chunk)
            flat = [(number, _flat(row, labels)) for number, row in chunk]
            write([row for _, row in flat])
            write_cells(_cells(number, row, words(row)) for number, row in flat)
            chosen |= {number: row for number, row in chunk if number in wanted}
    return chosen


def _score_columns(labels: Sequence[str]) -> dict[str, str]:
    return {f"score_{label}": label for label in labels}


def _flat(row: Row, labels: tuple[str, ...]) -> Row:
    scores = {column: row["scores"].get(label) for column, label in _score_columns(labels).items()}
    time = datetime.fromisoformat(row["time"]) if row["time"] else None
    return {**row, **row["reason"], **scores, "time": time}


def _cells(number: int, row: Row, words: str) -> Row:
    """A row of comments.csv: the reason in words, the time in UTC as spreadsheets read it."""
    reason = code_words(row["code"]) if row["code"] != "none" else None
    time = row["time"] and row["time"].strftime("%Y-%m-%d %H:%M:%S")
    return {**row, "number": number, "reason": reason, "words": words, "time": time}


def _write_threads(out: Path, index: GroupIndex, pipeline: ModerationPipeline) -> None:
    import pyarrow as pa

    text = pa.string()
    counts = ("comments", *ACTIONS, *pipeline.scorer.labels)
    columns = {**dict.fromkeys(("source", "thread", "url"), text), **dict.fromkeys(counts, pa.int64())}
    schema = pa.schema({**columns, "notes": pa.list_(text)})
    rows = ({**thread, **thread["actions"], **thread["labels"]} for thread in index.threads())
    with replacing(out / THREADS_TABLE) as table, parquet_writer(table, schema, "zstd") as write:
        for chunk in in_chunks(rows, _ROWS_AT_ONCE):
            write(chunk)


def _write_campaigns(out: Path, index: GroupIndex) -> dict[str, Any]:
    """Write campaigns.jsonl; return the campaigns of the summary."""
    campaigns = comments = 0
    largest: list[Row] = []
    with replacing(out / CAMPAIGNS) as file:
        for campaign in index.campaigns():
            file.write(json_line(campaign))
            campaigns += 1
            comments += campaign["comments"]
            if len(largest) < _LARGEST_CAMPAIGNS:
                largest.append(campaign)
    return {"campaigns": campaigns, "comments": comments, "largest": largest}


def _hold_threshold(pipeline: ModerationPipeline, label: str) -> float | None:
    """The lowest probability at which the policy, else the model, holds or rejects a comment for ``label``."""
    both = pipeline.policy.thresholds.get(label) or pipeline.scorer.thresholds.get(label)
    return both.lowest if both else None
