"""A site's own decisions laid out for measuring: comments that people decided, with labels, weights and what the model says of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from rich.console import Console

from belowline.data.decisions import FEEDBACK, Decided, read_decided
from belowline.model import Context, Decision, ModelConfig, Policy, Scorer, Scores, decide, draw
from belowline.model.language import language_of
from belowline.training.errors import TuneError
from belowline.training.measure.bootstrap import Bools, Floats
from belowline.training.measure.test_set import predictions
from belowline.training.tune.shares import Sample


@dataclass(frozen=True, slots=True)
class Decisions:
    """n decided comments.

    Attributes:
        rows: The comments, in the order of their names.
        sample: Their weights and clusters; those with the same ``split_key`` are one cluster.
        drawn: Which were drawn at random from what the policy published [n].
        first: Which belong to the half that thresholds are chosen on [n]; a cluster is never divided.
        probabilities: Label to what the model says [n].
        languages: Their languages, ISO 639-1 or ``und``.
        notes: What was left out and why, and where the scores come from; a line each.
    """

    rows: Sequence[Decided]
    sample: Sample
    drawn: Bools
    first: Bools
    probabilities: Mapping[str, Floats]
    languages: Sequence[str]
    notes: Sequence[str]

    def targets(self, label: str) -> Floats:
        """What the decisions say of ``label`` [n], NaN where they say nothing."""
        return np.array([row.labels.get(label, np.nan) for row in self.rows], dtype=np.float64)

    def decided_by(self, policy: Policy) -> list[Decision]:
        """What ``policy`` decides of each, by scores, words, links and language; authors and copies are not in the file."""
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
    files: Sequence[Path], model: Path, config: ModelConfig, policy: Policy, kept: bool, console: Console
) -> Decisions:
    """The decisions in ``files`` that can be measured, scored by ``model``, or with the scores that were ``kept`` where they are of the
    same version; raises ReadError, ModelError, TuneError."""
    every = chain.from_iterable(map(read_decided, files))
    named = {row.row: row for row in sorted(every, key=_when)}  # of what was decided twice the last counts
    found = sorted(named.values(), key=lambda row: row.row)
    why_not = [_unfit(row, policy) for row in found]
    rows = [row for row, why in zip(found, why_not, strict=True) if not why]
    notes = [f"left out: {number:,} {why}" for why, number in sorted(Counter(filter(None, why_not)).items())]
    if not rows:
        told = "; ".join(notes) or "it holds no decision"
        raise TuneError(f"{', '.join(map(str, files))}: nothing to measure ({told}); export more decisions")
    notes += _unknown_labels(rows, config)
    probabilities, whence = _probabilities(rows, model, config, kept, console)
    keys = [row.split_key for row in rows]
    weights = np.array([row.weight for row in rows], dtype=np.float64)
    return Decisions(
        rows,
        Sample(weights, np.unique(keys, return_inverse=True)[1].astype(np.intp)),
        np.array([row.sampled == "random" for row in rows]),
        np.array([draw(f"tune {key}") < 0.5 for key in keys]),
        probabilities,
        [language_of(row.text) for row in rows],
        [*notes, whence],
    )


def _when(row: Decided) -> float:
    return row.decided_at.timestamp()


def _unfit(row: Decided, policy: Policy) -> str:
    """Why a decision stands for no comment that the policy's own thresholds decide; empty for one that does."""
    if row.origin == FEEDBACK:
        return "told by callers, which stand for nothing but themselves"
    if row.weight is None:
        return "random draws of an unknown share"
    if policy.for_site(row.site).thresholds != policy.thresholds:
        return "of sites with thresholds of their own"
    return ""


def _unknown_labels(rows: Sequence[Decided], config: ModelConfig) -> list[str]:
    counted = Counter(label for row in rows for label in row.labels if label not in config.labels)
    return [
        f"label {label!r} of {number:,} decisions is none that model {config.version} knows; left out"
        for label, number in sorted(counted.items())
    ]


def _probabilities(
    rows: Sequence[Decided], model: Path, config: ModelConfig, kept: bool, console: Console
) -> tuple[dict[str, Floats], str]:
    """Label to probabilities [n], and where they come from."""
    old = [kept and row.model == config.version and set(config.labels) <= row.scores.keys() for row in rows]
    fresh = [row.text for row, is_kept in zip(rows, old, strict=True) if not is_kept]
    if kept and len(fresh) == len(rows):
        raise TuneError(f"no decision has scores of model {config.version} kept; leave out --kept-scores")
    given = predictions(Scorer.load(model), fresh, console, "scoring") if fresh else {}
    where, found = np.array(old), {}
    for label in config.labels:
        values = np.empty(len(rows))
        values[where] = [row.scores[label] for row, is_kept in zip(rows, old, strict=True) if is_kept]
        if fresh:
            values[~where] = given[label]
        found[label] = values
    whence = f"scores: {len(fresh):,} of model {config.version} now"
    return found, f"{whence}, {where.sum():,} kept in the file" if kept else whence
