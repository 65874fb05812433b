"""The words of a comment that led to its decision."""

from collections.abc import Mapping, Sequence
from typing import Any

from belowline.serve.scoring.results import EvidenceSpan

_MOST_WORDS, _LONGEST = 20, 60


def deciding_spans(row: Mapping[str, Any]) -> list[EvidenceSpan]:
    """The evidence for the reason of a row of comments.jsonl; all its evidence if there is none for the reason."""
    reason = row["reason"]
    spans = [EvidenceSpan.model_construct(**span) for span in row.get("evidence") or ()]
    return [span for span in spans if span.label in (reason.get("label"), reason["code"])] or spans


def deciding_words(row: Mapping[str, Any]) -> str:
    """The words of these spans, the strongest first, separated by semicolons; empty for a published comment."""
    if row["action"] == "publish":
        return ""
    spans: Sequence[EvidenceSpan] = sorted(deciding_spans(row), key=lambda span: -span.strength)
    words = (" ".join(row["text"][span.start : span.end].split())[:_LONGEST] for span in spans)
    return "; ".join(list(dict.fromkeys(filter(None, words)))[:_MOST_WORDS])
