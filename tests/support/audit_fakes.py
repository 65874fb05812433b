"""Finished audits for tests, written without a model."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

TABLES = (
    "comments.csv",
    "comments.jsonl",
    "comments.parquet",
    "threads.parquet",
    "campaigns.jsonl",
    "rejects.jsonl",
)
"""Files of an audit whose bytes depend on the archive, model and policy alone."""
MADE_WITH = {"inputs": "f00d", "model": "9.9.9 (abc)", "policy": "3 (def)"}
THRESHOLDS = {"spam": 0.5, "hate": 0.6, "on_topic": None}


def audit_row(number: int, spam: float = 0.01, **more: Any) -> dict[str, Any]:
    """Return a row of comments.jsonl, ten to a thread, held if ``spam`` is at least 0.5."""
    held = spam >= THRESHOLDS["spam"]  # type: ignore[operator]
    reason = {"code": "spam", "rule": "spam >= 0.5", "label": "spam"} if held else None
    return {
        "source": "pages/a.txt",
        "thread": f"Article {number // 10}",
        "position": number % 10,
        "author": "Ann",
        "parent": None,
        "time": "2026-01-02T03:04:05+00:00",
        "verdict": None,
        "text": f"comment {number}",
        "id": str(number % 10),
        "scores": {"spam": spam, "hate": 0.01, "on_topic": 0.5},
        "relevance": None,
        "action": "hold" if held else "publish",
        "reason": reason or {"code": "none", "rule": "no rule fired", "label": None},
        "evidence": [],
        "language": "en",
        "model": "9.9.9",
        "campaign": None,
        **more,
    }


def mixed_rows(number: int) -> Iterator[dict[str, Any]]:
    """Yield rows of every cell: most are clearly published, every tenth is held, every fiftieth rejected."""
    for at in range(number):
        if at % 50 == 49:
            yield audit_row(at, 0.99, action="reject")
        elif at % 50 == 9:
            yield audit_row(at, 0.01, action="hold", reason={"code": "language", "rule": "r", "label": None})
        else:
            yield audit_row(
                at, (0.001, 0.002, 0.003, 0.2, 0.001, 0.3, 0.002, 0.001, 0.001, 0.55 + at % 3 / 5)[at % 10]
            )


def write_audit(out: Path, rows: Sequence[dict[str, Any]], **made_with: str) -> Path:
    """Write the files of an audit that samples and reviews read."""
    out.mkdir(exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (out / "comments.jsonl").write_text("".join(lines), "utf-8")
    labels = {label: {"threshold": threshold} for label, threshold in THRESHOLDS.items()}
    summary = {"comments": len(rows), "made_with": {**MADE_WITH, **made_with}, "labels": labels}
    (out / "summary.json").write_text(json.dumps(summary))
    return out


def sheet_of(file: Path) -> list[dict[str, str]]:
    """Return the rows of sample.csv."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))
