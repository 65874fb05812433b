"""A finished audit, read back: its summary and its comments as a stream, each with the comment that it answers."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from belowline.model import BelowlineError
from belowline.serve.audit.outputs import COMMENTS, PARTS, SUMMARY

Row = dict[str, Any]


class AuditFolderError(BelowlineError):
    """A folder holds no finished audit that can serve; the message is one line."""


@dataclass(frozen=True, slots=True)
class FinishedAudit:
    """The folder of a complete audit and what its summary says."""

    folder: Path
    summary: Mapping[str, Any]

    @classmethod
    def open(cls, folder: Path, *, why: str) -> "FinishedAudit":
        """The audit in ``folder``; raises AuditFolderError where it is unfinished, damaged or redacted: then nothing ``why``."""
        try:
            summary = json.loads((folder / SUMMARY).read_text("utf-8"))
            redacted = "redaction" in summary["made_with"]
        except FileNotFoundError:
            summary = None
        except (OSError, ValueError, KeyError, TypeError):
            raise AuditFolderError(f"{folder / SUMMARY}: cannot be read; make the audit again") from None
        if summary is None or (folder / PARTS).exists() or not (folder / COMMENTS).exists():
            raise AuditFolderError(f"{folder}: holds no finished audit; run belowline audit to its end first")
        if redacted:
            raise AuditFolderError(
                f"{folder}: is a redacted audit, whose texts are hashes: nothing {why}; audit without --redact into another folder"
            )
        return cls(folder, summary)

    @property
    def made_with(self) -> dict[str, str]:
        """What the audit depends on: fingerprints of inputs, model and policy."""
        return dict(self.summary["made_with"])

    @property
    def policy_version(self) -> str:
        """The policy's version, as decisions have it."""
        return self.made_with["policy"].rsplit(" (", 1)[0]

    @property
    def thresholds(self) -> dict[str, float]:
        """The hold threshold of each label that has one, in the model's order."""
        found = {label: one["threshold"] for label, one in self.summary["labels"].items()}
        return {label: hold for label, hold in found.items() if hold is not None}

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Every comment with its number from 1; raises AuditFolderError unless there are as many as the summary says."""
        file, number = self.folder / COMMENTS, 0
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield number, json.loads(line)
                except ValueError:
                    raise AuditFolderError(
                        f"{file}, line {number}: is damaged; make the audit again"
                    ) from None
        if number != self.summary["comments"]:
            raise AuditFolderError(
                f"{file}: has {number} comments, not {self.summary['comments']}; make the audit again"
            )

    def chosen(self, wanted: Callable[[int, Row], bool]) -> Iterator[tuple[int, Row, Row | None]]:
        """The comments for which ``wanted(number, row)`` holds, each with the row of the comment that it answers, None where there is none.

        Memory is bounded by the largest thread, as in the readers.
        """
        for _, together in groupby(self.rows(), lambda one: (one[1]["source"], one[1]["thread"])):
            thread = list(together)
            found = [one for one in thread if wanted(*one)]
            by_id = {row["id"]: row for _, row in thread} if found else {}
            for number, row in found:
                yield number, row, by_id.get(row["parent"]) if row["parent"] else None


def article_of(row: Mapping[str, Any]) -> str | None:
    """The article's title; None where the archive tells none, for then ``thread`` repeats the source."""
    return None if row["thread"] == row["source"] else row["thread"]
