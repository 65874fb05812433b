"""Decided comments of a site, with labels, weights and probabilities."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from rich.console import Console

from belowline.data.decisions import FEEDBACK, Decided, read_decided
from belowline.model import Context, ModelConfig, Policy, PolicyDecision, Scorer, Scores, decide, draw
from belowline.model.language import language_of
from belowline.training.errors import TuneError
from belowline.training.measure.intervals import Bools, Floats, Sample
from belowline.training.measure.rows import predictions


@dataclass(frozen=True, slots=True)
class Decisions:
    """n decided comments."""

    rows: Sequence[Decided]  # the comments, sorted by name
    sample: Sample  # weights and clusters; comments with one ``split_key`` form a cluster
    drawn: Bools  # comments drawn at random from published ones [n]
    first: Bools  # comments of the half on which thresholds are chosen [n]; a cluster is never divided
    probabilities: Mapping[str, Floats]  # label to probabilities [n]
    languages: Sequence[str]  # ISO 639-1 codes or ``und``
    notes: Sequence[str]  # lines about excluded decisions

    def targets(self, label: str) -> Floats:
        """Return the decisions about ``label`` [n], NaN for unknown."""
        return np.array([row.labels.get(label, np.nan) for row in self.rows], dtype=np.float64)

    def decided_by(self, policy: Policy) -> list[PolicyDecision]:
        """Apply ``policy`` by scores, words, links and language; the file has no authors and copies."""
        values = zip(*self.probabilities.values(), strict=True)
        scores = (
            Scores(dict(zip(self.probabilities, map(float, row), strict=True)), (), language, "")
            for row, language in zip(values, self.languages, strict=True)
        )
        return [
            decide(score, policy, Context(row.text, row.site))
            for score, row in zip(scores, self.rows, strict=True)
        ]


def gather_decisions(
    files: Sequence[Path], model: Path, config: ModelConfig, policy: Policy, console: Console
) -> Decisions:
    """Read the decisions in ``files`` that can be measured, scored by ``model``.

    Raises ReadError, ModelError, TuneError.
    """
    by_time = sorted(
        chain.from_iterable(map(read_decided, files)), key=lambda row: row.decided_at.timestamp()
    )
    last = {row.row: row for row in by_time}  # the last decision about a comment counts
    why_not = {name: _unfit(row, policy) for name, row in last.items()}
    rows = [last[name] for name in sorted(last) if not why_not[name]]
    left_out = Counter(why for why in why_not.values() if why)
    notes = [f"left out: {number:,} {why}" for why, number in sorted(left_out.items())]
    if not rows:
        excluded = "; ".join(notes) or "no decisions"
        raise TuneError(
            f"{', '.join(map(str, files))}: nothing to measure ({excluded}); export more decisions"
        )
    notes += _unknown_labels(rows, config)
    keys = [row.split_key for row in rows]
    weights = np.array([row.weight for row in rows], dtype=np.float64)
    return Decisions(
        rows,
        Sample(weights, np.unique(keys, return_inverse=True)[1].astype(np.intp)),
        np.array([row.sampled == "random" for row in rows]),
        np.array([draw(f"tune {key}") < 0.5 for key in keys]),
        predictions(Scorer.load(model), [row.text for row in rows], console, "scoring"),
        [language_of(row.text) for row in rows],
        notes,
    )


def _unfit(row: Decided, policy: Policy) -> str:
    """Return why a decision does not stand for a comment under the policy's own thresholds; empty if it does."""
    if row.origin == FEEDBACK:
        return "by callers, which represent no other comments"
    if row.weight is None:
        return "random draws with an unknown share"
    if policy.for_site(row.site).thresholds != policy.thresholds:
        return "on sites with their own thresholds"
    return ""


def _unknown_labels(rows: Sequence[Decided], config: ModelConfig) -> list[str]:
    counted = Counter(label for row in rows for label in row.labels if label not in config.labels)
    return [
        f"label {label!r} of {number:,} decisions is unknown to model {config.version}; left out"
        for label, number in sorted(counted.items())
    ]
