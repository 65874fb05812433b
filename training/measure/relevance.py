"""Relevance: the probability that a comment is about its article or parent, fitted to their embeddings' cosine."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from datasets import Dataset

from belowline.model import ModelError, ScoreInput, Scorer
from belowline.model.directory import Calibration
from belowline.training.measure.calibrate import platt
from belowline.training.measure.intervals import Floats
from belowline.training.measure.metrics import measure

NEUTRAL = Calibration(scale=1.0, shift=0.0)
"""The relevance of a model before the fit."""
PRIOR = 0.9
"""Share of related pairs for which probabilities are fitted. Nearly every comment is about its article, and a short
one ("Exactly so!") hardly shows it. With equal shares every short comment would count as off topic.
"""
_REPLIES = "cat"
_FEWEST = 100


@dataclass(frozen=True, slots=True)
class Pairs:
    """n comments with an article or a parent, and if they belong together [n]."""

    comments: list[ScoreInput]
    related: npt.NDArray[np.bool_]


def reply_pairs(replies: Sequence[tuple[str, str]], seed: int = 0) -> Pairs:
    """Pair each reply with its parent, and with the parent of a random other reply if that has another text."""
    order = np.random.default_rng(seed).permutation(len(replies))
    others = [
        (replies[i][0], replies[j][1], replies[i][1]) for i, j in zip(order, np.roll(order, 1), strict=True)
    ]
    strangers = [ScoreInput(text, parent=stranger) for text, stranger, own in others if stranger != own]
    related = [ScoreInput(text, parent=parent) for text, parent in replies]
    return Pairs(related + strangers, np.arange(len(related) + len(strangers)) < len(related))


def fit_relevance(scorer: Scorer, validation: Dataset) -> Calibration | None:
    """Fit the calibration of the cosine on the replies of a run's validation split.

    Returns None with too few replies (runs of old versions have no column ``context``), or if the model does not
    separate parents from
    strangers. ``scorer`` needs a relevance to start from: ``NEUTRAL`` if none was fitted.
    """
    if "context" not in validation.column_names:
        return None
    rows = zip(validation["source"], validation["text"], validation["context"], strict=True)
    replies = [(text, parent) for source, text, parent in rows if source == _REPLIES and parent]
    return fit_pairs(scorer, reply_pairs(replies)) if len(replies) >= _FEWEST else None


def fit_pairs(scorer: Scorer, pairs: Pairs) -> Calibration | None:
    """Fit the calibration of the cosine on ``pairs`` at the share ``PRIOR``; None if it separates nothing."""
    related, values = pairs.related.astype(np.float64), relevances(scorer, pairs.comments)
    if measure(related, values, None)["auc"].low <= 0.5:
        return None
    weights = np.where(pairs.related, PRIOR / related.sum(), (1 - PRIOR) / (1 - related).sum())
    fitted = _fitted(scorer)
    cosines = (np.log(values / (1 - values)) - fitted.shift) / fitted.scale
    return platt(cosines, related, weights)


def relevances(scorer: Scorer, comments: Sequence[ScoreInput]) -> Floats:
    """Return the relevance [n] of comments; raises ModelError for a model without relevance."""
    _fitted(scorer)
    return np.array([scores.relevance for scores in scorer.score(comments)], dtype=np.float64)


def _fitted(scorer: Scorer) -> Calibration:
    if scorer.config.relevance is None:
        raise ModelError(f"model {scorer.version}: config.json has no relevance; export the model again")
    return scorer.config.relevance
