"""Evidence spans of a label from the strengths of tokens."""

import re
from bisect import bisect_right
from dataclasses import dataclass, replace

from belowline.model.normalise import Normalised

Strengths = dict[tuple[int, int], float]
"""Strength in 0..1 by the (start, end) of a token or a word."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """An evidence span: characters that drove a harmful label.

    ``start`` and ``end`` are offsets in code points of the original text (end exclusive); ``strength`` is in 0..1."""

    label: str
    start: int
    end: int
    strength: float


def by_words(tokens: Strengths, text: str) -> Strengths:
    """Strengths of the words of ``text``: the maximum over the tokens of each word. Tokens outside of words keep
    their own."""
    words = [match.span() for match in _WORD.finditer(text)]
    starts = [start for start, _ in words]
    strongest: Strengths = {}
    for (start, end), strength in tokens.items():
        at = bisect_right(starts, start) - 1
        whole = words[at] if at >= 0 and start < words[at][1] else (start, end)
        place = (whole[0], max(whole[1], end))
        strongest[place] = max(strongest.get(place, 0.0), strength)
    return strongest


def in_original(tokens: Strengths, plain: Normalised) -> Strengths:
    """Strengths by span of the original text; the maximum counts if several tokens map to one span."""
    strongest: Strengths = {}
    for (start, end), strength in sorted(tokens.items()):
        place = plain.original_span(start, end)
        strongest[place] = max(strongest.get(place, 0.0), strength)
    return strongest


def stretches(label: str, tokens: Strengths, floor: float, plain: Normalised) -> list[Evidence]:
    """Evidence spans: adjacent tokens with a strength of at least ``floor``, joined, with offsets in the
    original text."""
    found: list[Evidence] = []
    last_end = -2
    for (start, end), strength in sorted(tokens.items()):
        if strength < floor:
            continue
        first, last = plain.original_span(start, end)
        # One original span (an emoji, a broken-up word) can become several tokens: originals can touch where tokens
        # do not.
        if found and (start - last_end <= 1 or first < found[-1].end):
            previous = found[-1]
            found[-1] = replace(
                previous, end=max(last, previous.end), strength=max(previous.strength, strength)
            )
        else:
            found.append(Evidence(label, first, last, strength))
        last_end = end
    return found
