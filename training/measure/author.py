"""Weights of the author line for spam, fitted on comments of validation and author lines of validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from rich.console import Console
from scipy.optimize import minimize

from belowline.model import Scorer
from belowline.model.directory import AuthorWeights, Calibration
from belowline.model.labels import log_odds
from belowline.training.dataset.author_lines import AUTHOR_LINES
from belowline.training.measure.intervals import Floats
from belowline.training.measure.rows import predictions

_BLOG = "blog-spam"
_FEWEST = 20
"""Comments with a spammer's line, and ordinary lines, that a fit needs."""
_MOST = 600
"""Comments of a kind that are read."""
_RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Pairs:
    """n comments with an author line each: texts, lines, and if they are spam [n], with weights [n] of sum 1.

    Half of the weight is on harmless comments, a quarter on spam by its spammer, and a quarter on spam under an
    ordinary name, so that a name alone does not clear a text.
    """

    texts: list[str]
    lines: list[str]
    spam: Floats
    weights: Floats


def author_pairs(validation: Dataset, spam_column: int, seed: int = 0) -> Pairs | None:
    """Return pairs from a run's validation split; None with too few.

    Only spammers have a line of their own. Other comments get a random ordinary line.
    """
    columns = (validation[name] for name in ("source", "row", "text", "labels"))
    rows = [
        (source, row, text, labels[spam_column]) for source, row, text, labels in zip(*columns, strict=True)
    ]
    lines = {row: text for source, row, text, spam in rows if source == AUTHOR_LINES and spam == 1}
    ordinary = [text for source, _, text, spam in rows if source == AUTHOR_LINES and spam == 0]
    own = [(text, lines[row]) for source, row, text, _ in rows if source == _BLOG and row in lines]
    if len(own) < _FEWEST or len(ordinary) < _FEWEST:
        return None
    rng = np.random.default_rng(seed)
    kinds: list[Sequence[tuple[str, str]]] = []
    for value in (0, 1):
        texts = [text for source, _, text, spam in rows if source != AUTHOR_LINES and spam == value]
        texts = [texts[at] for at in rng.permutation(len(texts))[:_MOST]]
        kinds.append([(text, str(rng.choice(ordinary))) for text in texts])
    harmless, unsigned = kinds
    signed = [own[at] for at in rng.permutation(len(own))[:_MOST]]
    pairs = [*harmless, *unsigned, *signed]
    weights = [
        share / len(kind) for kind, share in ((harmless, 0.5), (unsigned, 0.25), (signed, 0.25)) for _ in kind
    ]
    spam = np.arange(len(pairs)) >= len(harmless)
    texts, by = ([pair[part] for pair in pairs] for part in (0, 1))
    return Pairs(texts, by, spam.astype(np.float64), np.array(weights))


def fit_author(
    scorer: Scorer, calibration: Calibration, validation: Dataset, console: Console
) -> AuthorWeights | None:
    """Fit the weights on a run's validation split; None with too few pairs (see ``author_pairs``).

    ``scorer`` is not calibrated; ``calibration`` is that of spam.
    """
    pairs = author_pairs(validation, scorer.labels.index("spam")) if "spam" in scorer.labels else None
    if pairs is None:
        return None
    read = predictions(scorer, [*pairs.texts, *pairs.lines], console, "author lines")["spam"]
    logits = calibration.scale * np.vectorize(log_odds)(read) + calibration.shift
    own, by = np.split(logits, 2)
    return fitted(own, by, pairs.spam, pairs.weights)


def fitted(own: Floats, by: Floats, spam: Floats, weights: Floats) -> AuthorWeights:
    """Return the logistic regression of ``spam`` on the logits of texts and lines; all [n], no weight below zero."""

    def loss(parameters: Floats) -> float:
        text, line, shift = parameters
        z = text * own + line * by + shift
        penalty = _RIDGE * ((text - 1) ** 2 + line**2 + shift**2)
        return float(np.average(np.logaddexp(0, z) - spam * z, weights=weights) + penalty)

    found = minimize(loss, (1.0, 0.0, 0.0), method="L-BFGS-B", bounds=((0, None), (0, None), (None, None)))
    text, line, shift = (round(float(value), 6) for value in found.x)
    return AuthorWeights(text=text, line=line, shift=shift)
