"""The end of ``belowline audit`` in a terminal: findings, worst threads, notes, files."""

from collections.abc import Iterator, Mapping
from typing import Any

from belowline.serve.audit.report.charts import percent
from belowline.serve.audit.report.listing import Listing, counted
from belowline.serve.scoring.safe_text import on_one_line
from belowline.serve.scoring.wording import code_words

_SHOWN = 3
_LONGEST = 160


def finding_lines(summary: Mapping[str, Any]) -> Iterator[str]:
    """The findings of summary.json as lines."""
    actions, threads = summary["actions"], summary["threads"]
    found = actions["hold"] + actions["reject"]
    yield f"{counted(summary['comments'], 'comment')} in {counted(threads['threads'], 'thread')}"
    if found:
        reasons = (
            f"{code_words(code)} {count:,}" for code, count in summary["reasons"].items() if code != "none"
        )
        yield f"to review: {found:,} ({percent(found, summary['comments'])}): {', '.join(reasons)}"
    else:
        yield "to review: none; the policy would publish every comment"
    worst = ", ".join(_worst_threads(summary))
    if worst:
        yield f"worst threads: {worst}"
    for note in summary.get("notes", [])[:_SHOWN]:
        about = Listing(summary.get("folder", "")).about(note, summary.get("files", 1))
        place = f" ({on_one_line(about, _LONGEST)})" if about else ""
        yield f"note: {on_one_line(note['message'], _LONGEST)}{place}"


def unread_lines(summary: Mapping[str, Any], file: object) -> Iterator[str]:
    """The number of unreadable records, ``file``, which names them, and the most frequent reasons; nothing without."""
    rejects = summary["rejects"]["rejects"]
    if not rejects:
        return
    yield f"belowline: {rejects} records could not be read; see {file}"
    for kind in summary.get("reject_reasons", [])[:_SHOWN]:
        yield f"  {kind['times']:,} × {on_one_line(kind['message'], _LONGEST)}"


def _worst_threads(summary: Mapping[str, Any]) -> Iterator[str]:
    """The first threads with comments to review, of those that are ranked if any is."""
    listing = Listing(summary.get("folder", ""))
    bad = [one for one in summary["threads"]["worst"] if one["actions"]["publish"] < one["comments"]]
    for one in ([one for one in bad if one.get("interval")] or bad)[:_SHOWN]:
        name = on_one_line(listing.source(one["thread"]), 60)
        yield f"{name} ({one['comments'] - one['actions']['publish']:,} of {one['comments']:,})"
