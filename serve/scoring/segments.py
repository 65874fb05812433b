"""A comment's text for a page, cut at its evidence and its links."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from belowline.model.word_and_link_lists import links_in
from belowline.serve.scoring.results import EvidenceSpan

WHOLE = 25_000
"""Longest text in characters that a page shows whole: browsers are slow with megabytes."""
_END, _AROUND, _STRETCHES = 2000, 300, 20
_SCHEME = re.compile(r"(?i)^http")


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a comment: plain, or evidence for a label; ``link`` if it is part of an address."""

    text: str
    label: str | None = None
    link: bool = False

    @property
    def shown(self) -> str:
        """The text; an address is changed so that nobody follows it by mistake."""
        return _SCHEME.sub("hxxp", self.text).replace(".", "[.]") if self.link else self.text


def segments(text: str, evidence: Sequence[EvidenceSpan]) -> list[Segment]:
    """Cuts a text at the bounds of its evidence and links; overlapping evidence has the label of the strongest."""
    links = [link.span for link in links_in(text)]
    bounds = {at for link in links for at in link}
    bounds |= {at for span in evidence for at in (span.start, span.end) if 0 <= at <= len(text)}
    found = []
    for start, end in pairwise(sorted({0, len(text), *bounds})):
        covering = [span for span in evidence if span.start <= start and end <= span.end]
        strongest = max(covering, key=lambda span: span.strength, default=None)
        in_link = any(first <= start and end <= last for first, last in links)
        found.append(Segment(text[start:end], strongest.label if strongest else None, in_link))
    return found


def excerpt(text: str, evidence: Sequence[EvidenceSpan]) -> list[Segment]:
    """``segments``; of a text longer than ``WHOLE`` only its ends and the surroundings of its evidence."""
    if len(text) <= WHOLE:
        return segments(text, evidence)
    strongest = sorted(evidence, key=lambda span: -span.strength)[:_STRETCHES]
    around = ((span.start - _AROUND, span.end + _AROUND) for span in strongest)
    found: list[Segment] = []
    for start, end in _merged([(0, _END), *around, (len(text) - _END, len(text))], len(text)):
        inside = [span for span in strongest if start <= span.start and span.end <= end]
        moved = [
            span.model_copy(update={"start": span.start - start, "end": span.end - start}) for span in inside
        ]
        found += [*([Segment(" […] ")] if found else []), *segments(text[start:end], moved)]
    return found


def _merged(stretches: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Stretches of a text in order, with those that touch joined."""
    found: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(length, end)) for start, end in stretches):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def stretch(
    text: str, evidence: Sequence[EvidenceSpan], length: int, before: int | None = None
) -> list[Segment]:
    """``segments`` of ``length`` characters: the first, or those around the strongest evidence if it lies further on.

    At most ``before`` characters precede that evidence, by default a quarter of ``length``; "…" marks each cut.
    """
    strongest = max(evidence, key=lambda span: span.strength, default=None)
    before = length // 4 if before is None else before
    start = 0
    if strongest and len(text) > length and (strongest.end > length or strongest.start > 2 * before):
        start = max(0, min(strongest.start - before, len(text) - length))
    end = start + length
    inside = [
        span.model_copy(update={"start": max(span.start, start) - start, "end": min(span.end, end) - start})
        for span in evidence
        if span.start < end and span.end > start
    ]
    shown = segments(text[start:end], inside)
    return [*([Segment("… ")] if start else []), *shown, *([Segment(" …")] if end < len(text) else [])]
