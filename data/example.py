"""Labelled examples."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Span:
    """A span of an example's text that annotators marked.

    ``start`` and ``end`` are offsets in code points (end exclusive), ``strength`` is the share of annotators in 0..1.
    """

    label: str
    start: int
    end: int
    strength: float


@dataclass(frozen=True, slots=True)
class Example:
    """One text with what is known about its labels.

    Attributes:
        text: The comment as its corpus has it.
        labels: Label to the probability (0..1) that it applies: 0 or 1 if the corpus has one decision,
            the share of annotators if it has votes. A label that is missing is *unknown*: it is neither trained on
            nor measured.
        source: Name of the corpus.
        row: Identifier of the row within its corpus.
        split_key: Examples with the same key land in the same split (a thread, an article, a video, a pair of twins).
        split: The split that the corpus itself fixes, or None to derive one from ``split_key``.
        parent: Text of the comment that this one answers, if known.
        article: Title or body of the article, if known.
        spans: Marked spans, or None if the annotators were not asked to mark any.
        slice: A finer division to report on (a keyword, a target, a kind).
        weight: Sampling weight among the examples of its source: 1 / probability of the draw, 1 if nothing was drawn.
    """

    text: str
    labels: Mapping[str, float]
    source: str
    row: str
    split_key: str
    split: Split | None = None
    parent: str | None = None
    article: str | None = None
    spans: tuple[Span, ...] | None = None
    slice: str = ""
    weight: float = 1.0


def known(**labels: float) -> Mapping[str, float]:
    """An immutable label mapping; raises ValueError for a value outside 0..1."""
    for label, probability in labels.items():
        if not 0.0 <= probability <= 1.0:
            raise ValueError(f"label {label}: {probability} is not a probability between 0 and 1")
    return MappingProxyType(labels)


def without(labels: Mapping[str, float], *left_out: str) -> Mapping[str, float]:
    """``labels`` without those in ``left_out``, which become unknown."""
    return known(**{label: value for label, value in labels.items() if label not in left_out})


def digest(text: str) -> str:
    """Stable 16-digit hash of a text, for rows and split keys where a corpus gives no identifier."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


HARMLESS: Mapping[str, float] = known(
    hate=0.0, antisemitism=0.0, personal_attack=0.0, threat=0.0, profanity=0.0, toxicity=0.0
)
"""Zero for every harmful label: the meaning of an annotation "not toxic"."""
