"""How well relevance separates comments from strangers: ``python -m tests.release.relevance --model DIR --corpora DIR``."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from belowline.data.corpora import read_corpus
from belowline.data.example import Example
from belowline.model import DEFAULT_MODEL_DIR, ScoreInput, Scorer
from belowline.training.dataset.mix import split_of
from belowline.training.measure.intervals import Floats
from belowline.training.measure.metrics import Metrics, measure
from belowline.training.measure.relevance import relevances, reply_pairs


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
        measured = found["auc"]
        auc = f"{measured.value:.3f} ({measured.low:.3f}-{measured.high:.3f})"
        table.add_row(name, str(found.examples), str(found.positives), auc)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
