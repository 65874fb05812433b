"""A finished audit: its summary, and its comments as a stream."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from belowline.serve.audit.errors import AuditError
from belowline.serve.audit.outputs import COMMENTS, PARTS, SUMMARY

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FinishedAudit:
    """The folder of a complete audit with texts, and its summary."""

    folder: Path
    summary: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path) -> "FinishedAudit":
        """The audit in ``folder``; raises AuditError if it is incomplete, damaged or redacted."""
        if not (folder / SUMMARY).exists() or (folder / PARTS).exists() or not (folder / COMMENTS).exists():
            raise AuditError(f"{folder}: holds no finished audit; run belowline audit to its end first")
        try:
            summary = json.loads((folder / SUMMARY).read_text("utf-8"))
            redacted = "redaction" in summary["made_with"]
        except (OSError, ValueError, KeyError, TypeError):
            raise AuditError(f"{folder / SUMMARY}: damaged; repeat the audit") from None
        if redacted:
            raise AuditError(
                f"{folder}: redacted, so there are no texts; audit without --redact into another folder"
            )
        return cls(folder, summary)

    @property
    def made_with(self) -> dict[str, str]:
        """Fingerprints of the inputs, the model and the policy."""
        return dict(self.summary["made_with"])

    @property
    def policy_version(self) -> str:
        """The policy's version, as decisions have it."""
        return self.made_with["policy"].rsplit(" (", 1)[0]

    @property
    def thresholds(self) -> dict[str, float]:
        """The hold threshold of each label that has one, in the model's order."""
        thresholds = {label: one["threshold"] for label, one in self.summary["labels"].items()}
        return {label: hold for label, hold in thresholds.items() if hold is not None}

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Every comment with its number from 1; raises AuditError unless the file is whole."""
        file, number = self.folder / COMMENTS, 0
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield number, json.loads(line)
                except ValueError:
                    raise AuditError(f"{file}, line {number}: damaged; repeat the audit") from None
        expected = self.summary["comments"]
        if number != expected:
            raise AuditError(f"{file}: has {number} comments instead of {expected}; repeat the audit")

    def chosen(self, wanted: Callable[[int, Row], bool]) -> Iterator[tuple[int, Row, Row | None]]:
        """The comments for which ``wanted(number, row)`` holds, each with the row of its parent if there is one.

        Memory is bounded by the largest thread, as in the readers.
        """
        for _, run in groupby(self.rows(), lambda numbered: (numbered[1]["source"], numbered[1]["thread"])):
            thread = list(run)
            rows = [numbered for numbered in thread if wanted(*numbered)]
            by_id = {row["id"]: row for _, row in thread} if rows else {}
            for number, row in rows:
                yield number, row, by_id.get(row["parent"]) if row["parent"] else None


def article_of(row: Mapping[str, Any]) -> str | None:
    """The article's title, or None: without a title, ``thread`` repeats the source."""
    return None if row["thread"] == row["source"] else row["thread"]
