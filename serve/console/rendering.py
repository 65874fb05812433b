"""A comment's text for a page, cut at its evidence and its links."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from belowline.model.word_and_link_lists import links_in
from belowline.serve.scoring.results import EvidenceSpan

WHOLE = 25_000
"""Characters up to which a page shows a text whole: a browser takes long over megabytes, and nobody reads them in a queue."""
_END, _AROUND, _STRETCHES = 2000, 300, 20
_SCHEME = re.compile(r"(?i)^http")


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a comment: plain, or evidence for a label; ``link`` if it is part of an address."""

    text: str
    label: str | None = None
    link: bool = False

    @property
    def shown(self) -> str:
        """The text, an address so that nobody follows it by mistake."""
        return _SCHEME.sub("hxxp", self.text).replace(".", "[.]") if self.link else self.text


def segments(text: str, evidence: Sequence[EvidenceSpan]) -> list[Segment]:
    """Cuts a text at the bounds of its evidence and links; where evidence overlaps, the strongest names the stretch."""
    links = [link.span for link in links_in(text)]
    bounds = {bound for span in evidence for bound in (span.start, span.end)} | {
        at for link in links for at in link
    }
    found = []
    for start, end in pairwise(sorted({0, len(text), *(at for at in bounds if 0 <= at <= len(text))})):
        covering = [span for span in evidence if span.start <= start and end <= span.end]
        strongest = max(covering, key=lambda span: span.strength, default=None)
        within = any(first <= start and end <= last for first, last in links)
        found.append(Segment(text[start:end], strongest.label if strongest else None, within))
    return found


def excerpt(text: str, evidence: Sequence[EvidenceSpan]) -> list[Segment]:
    """As ``segments``; of a text of more than ``WHOLE`` characters its two ends and what surrounds its strongest evidence."""
    if len(text) <= WHOLE:
        return segments(text, evidence)
    strongest = sorted(evidence, key=lambda span: -span.strength)[:_STRETCHES]
    wanted = [(0, _END), *((span.start - _AROUND, span.end + _AROUND) for span in strongest)]
    found: list[Segment] = []
    for start, end in _merged([*wanted, (len(text) - _END, len(text))], len(text)):
        inside = [span for span in strongest if start <= span.start and span.end <= end]
        moved = (
            span.model_copy(update={"start": span.start - start, "end": span.end - start}) for span in inside
        )
        found += [*([Segment(" […] ")] if found else []), *segments(text[start:end], list(moved))]
    return found


def _merged(stretches: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    """Stretches of a text in order, those that touch joined."""
    found: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(length, end)) for start, end in stretches):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found
