"""Relevance: how probable it is that a comment is about what it stands under, fitted to the cosine of their embeddings.

``python -m belowline.training.measure.relevance --model DIR --corpora DIR`` measures it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer
from datasets import Dataset
from rich.console import Console
from rich.table import Table

from belowline.data.corpora import read_corpus
from belowline.data.example import Example
from belowline.model import DEFAULT_MODEL_DIR, ModelError, ScoreInput, Scorer
from belowline.model.directory import Calibration
from belowline.training.dataset.mix import split_of
from belowline.training.measure.calibrate import platt
from belowline.training.measure.metrics import Metrics, measure

Floats = npt.NDArray[np.float64]
NEUTRAL = Calibration(scale=1.0, shift=0.0)
"""What a model has before relevance was fitted."""
PRIOR = 0.9
"""Share of related pairs that probabilities are fitted for. Nearly every comment is about the article that it stands under, and a short one
("Exactly so!") shows little of what it is about: fitted to as many strangers as relatives, each of those would count as off the topic."""
_REPLIES = frozenset({"cat"})
_FEWEST = 100


@dataclass(frozen=True, slots=True)
class Pairs:
    """n comments under an article or a parent, and whether each belongs there [n]."""

    comments: list[ScoreInput]
    related: npt.NDArray[np.bool_]


def reply_pairs(replies: Sequence[tuple[str, str]], seed: int = 0) -> Pairs:
    """Each reply with its own parent, and with the parent of another reply drawn at random, where that is another text."""
    order = np.random.default_rng(seed).permutation(len(replies))
    others = [
        (replies[i][0], replies[j][1], replies[i][1]) for i, j in zip(order, np.roll(order, 1), strict=True)
    ]
    strangers = [ScoreInput(text, parent=stranger) for text, stranger, own in others if stranger != own]
    related = [ScoreInput(text, parent=parent) for text, parent in replies]
    return Pairs(related + strangers, np.arange(len(related) + len(strangers)) < len(related))


def fit_relevance(scorer: Scorer, validation: Dataset) -> Calibration | None:
    """The calibration of the cosine on the replies of a run's validation split.

    None where there are too few of them (a run made before the column ``context`` has none), or where the model does not tell parents
    from strangers. ``scorer`` needs a relevance to start from, ``NEUTRAL`` if nothing was fitted yet.
    """
    if "context" not in validation.column_names:
        return None
    columns = (validation["source"], validation["text"], validation["context"])
    replies = [
        (text, parent) for source, text, parent in zip(*columns, strict=True) if source in _REPLIES and parent
    ]
    return fit_pairs(scorer, reply_pairs(replies)) if len(replies) >= _FEWEST else None


def fit_pairs(scorer: Scorer, pairs: Pairs) -> Calibration | None:
    """The calibration of the cosine on ``pairs``, of which ``PRIOR`` count as related; None where it tells nothing."""
    related, values = pairs.related.astype(np.float64), relevances(scorer, pairs.comments)
    if measure(related, values, None).auc_low <= 0.5:
        return None
    weights = np.where(pairs.related, PRIOR / related.sum(), (1 - PRIOR) / (1 - related).sum())
    return platt(_cosines(values, _fitted(scorer)), related, weights)


def _cosines(relevance: Floats, fitted: Calibration) -> Floats:
    """The cosines [n] that the Scorer took relevance [n] from."""
    return np.asarray((np.log(relevance / (1 - relevance)) - fitted.shift) / fitted.scale)


def relevances(scorer: Scorer, comments: Sequence[ScoreInput]) -> Floats:
    """Relevance [n] of comments, each of which has an article or a parent; raises ModelError for a model without relevance."""
    _fitted(scorer)
    return np.array([scores.relevance for scores in scorer.score(comments)], dtype=np.float64)


def _fitted(scorer: Scorer) -> Calibration:
    if scorer.config.relevance is None:
        raise ModelError(f"model {scorer.version}: config.json has no relevance; export the model again")
    return scorer.config.relevance


def measure_relevance(scorer: Scorer, root: Path, limit: int) -> dict[str, Metrics]:
    """What relevance tells apart in the test corpora below ``root``, and what ``on_topic`` gains by it, by name of the measurement.

    Of each corpus at most ``limit`` examples are taken. Raises CorpusError, and ModelError for a model without relevance.
    """
    test = [example for example in read_corpus("cat", root) if split_of(example) == "test"]
    replies = reply_pairs(
        [(example.text, example.parent) for example in _some(test, limit) if example.parent]
    )
    headlines = _some(read_corpus("fnc1", root), limit)
    posts = _some(read_corpus("appropriateness", root), limit)
    about = np.array([headline.slice != "unrelated" for headline in headlines], dtype=np.float64)
    on_topic = np.array([post.labels["on_topic"] for post in posts])
    bare, under = [ScoreInput(post.text) for post in posts], _under_articles(posts)
    return {
        "cat: parent or stranger": measure(
            replies.related.astype(np.float64), relevances(scorer, replies.comments), None
        ),
        "fnc1: body or stranger": measure(about, relevances(scorer, _under_articles(headlines)), None),
        "appropriateness: relevance": measure(on_topic, relevances(scorer, under), None),
        "appropriateness: on_topic without the issue": measure(on_topic, _on_topic(scorer, bare), None),
        "appropriateness: on_topic with the issue": measure(on_topic, _on_topic(scorer, under), None),
    }


def _some(examples: Sequence[Example], limit: int) -> list[Example]:
    return random.Random(0).sample(list(examples), min(limit, len(examples)))


def _under_articles(examples: Sequence[Example]) -> list[ScoreInput]:
    return [ScoreInput(example.text, example.article) for example in examples]


def _on_topic(scorer: Scorer, comments: Sequence[ScoreInput]) -> Floats:
    return np.array([scores.probabilities["on_topic"] for scores in scorer.score(comments)], dtype=np.float64)


def main(
    model: Annotated[Path, typer.Option(help="Model directory to measure.")] = DEFAULT_MODEL_DIR,
    corpora: Annotated[Path, typer.Option(help="Folder with the corpora.")] = Path("corpora"),
    limit: Annotated[int, typer.Option(min=10, help="Examples of each corpus at most.")] = 1500,
) -> None:
    """Measure what a model's relevance tells apart."""
    table = Table("", "n", "positive", "AUC (95 %)")
    for name, found in measure_relevance(Scorer.load(model), corpora, limit).items():
        auc = f"{found.auc:.3f} ({found.auc_low:.3f}-{found.auc_high:.3f})"
        table.add_row(name, str(found.examples), str(found.positives), auc)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
