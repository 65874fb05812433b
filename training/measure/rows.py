"""Test rows: texts, targets, and what divides, groups and weighs them."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from rich.console import Console
from rich.progress import track

from belowline.data.corpora import ADAPTERS, CORPORA, read_corpus
from belowline.data.decisions import examples_to_split
from belowline.data.example import Example
from belowline.model import DEFINITIONS, HARMFUL, ScoreInput, Scorer
from belowline.training.dataset.author_lines import AUTHOR_LINES
from belowline.training.dataset.mix import split_of
from belowline.training.errors import ContenderError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.intervals import Floats
from belowline.training.recipes.recipe import Recipe

MEASURED_ONLY = tuple(name for name, corpus in CORPORA.items() if corpus.use == "eval")
_CHUNK = 256
_VALIDATION_PER_CORPUS = 600


@dataclass(frozen=True, slots=True)
class TestRows:
    """n texts.

    Attributes:
        clusters: Rows of one cluster [n] are resampled together, because comments of one thread are not independent.
    """

    __test__ = False  # not a test class, whatever pytest thinks of its name

    texts: list[str]  # the texts
    targets: Floats  # known shares [n, labels], NaN for unknown
    labels: tuple[str, ...]  # names of the columns of ``targets``
    sources: npt.NDArray[np.str_]  # corpora [n]
    slices: npt.NDArray[np.str_]  # slices of the corpora [n], empty for none
    ids: npt.NDArray[np.str_]  # identifiers within the corpus [n]
    clusters: npt.NDArray[np.intp]
    weights: Floats  # weights [n], 1 on average within each corpus

    def target(self, label: str) -> Floats:
        """Return the known shares of ``label`` [n]."""
        return np.asarray(self.targets[:, self.labels.index(label)])

    def harmless(self, sources: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return the mask [n] of the rows of ``sources`` that no harmful label is known to fit."""
        columns = [at for at, label in enumerate(self.labels) if label in HARMFUL]
        harm = (np.nan_to_num(self.targets[:, columns]) >= 0.5).any(axis=1)
        return np.asarray(np.isin(self.sources, sources) & ~harm)


def rows_of(
    examples: Sequence[Example], labels: tuple[str, ...], limit: int | None = None, seed: int = 0
) -> TestRows:
    """Return ``examples`` as rows, at most ``limit`` of each corpus, drawn at random."""
    chosen = limited(examples, limit, seed)
    targets = [[example.labels.get(label, np.nan) for label in labels] for example in chosen]
    keys = [f"{example.source} {example.split_key}" for example in chosen]
    return TestRows(
        [example.text for example in chosen],
        np.array(targets, dtype=np.float64).reshape(len(chosen), len(labels)),
        labels,
        np.array([example.source for example in chosen], dtype=np.str_),
        np.array([example.slice for example in chosen], dtype=np.str_),
        np.array([example.row for example in chosen], dtype=np.str_),
        np.unique(keys, return_inverse=True)[1],
        _weights(chosen),
    )


def limited(examples: Sequence[Example], limit: int | None, seed: int = 0) -> list[Example]:
    """Return at most ``limit`` examples of each corpus, drawn at random, in their order."""
    if limit is None:
        return list(examples)
    by_source: dict[str, list[int]] = defaultdict(list)
    for number, example in enumerate(examples):
        by_source[example.source].append(number)
    rng = random.Random(seed)  # reproducible, not secret
    drawn: list[int] = []
    for numbers in by_source.values():
        drawn += numbers if len(numbers) <= limit else rng.sample(numbers, limit)
    return [examples[number] for number in sorted(drawn)]


def _weights(examples: Sequence[Example]) -> Floats:
    weights = np.array([example.weight for example in examples], dtype=np.float64)
    _, sources = np.unique([example.source for example in examples], return_inverse=True)
    return np.asarray(weights / (np.bincount(sources, weights) / np.bincount(sources))[sources])


def split_examples(data: Dataset, labels: Sequence[str]) -> list[Example]:
    """Return the examples of one split of a run, whose columns of labels are ``labels``."""
    examples = []
    for number, row in enumerate(data):
        known = {
            label: value for label, value in zip(labels, row["labels"], strict=True) if value is not None
        }
        # Runs of before 0.5.0 have no weights and no split keys: the article or parent stands for the thread.
        name = row.get("row", str(number))
        key = row.get("split_key") or row.get("context") or name
        weight = row.get("weight", 1.0)
        examples.append(
            Example(row["text"], known, row["source"], name, key, slice=row["slice"], weight=weight)
        )
    return examples


def validation_comments(data: Dataset, recipe: Recipe) -> TestRows:
    """Return the rows of a validation split on which calibration and thresholds are fitted: no author lines, and of
    each corpus a part.
    """
    examples = split_examples(data, recipe.labels)
    comments = [example for example in examples if example.source != AUTHOR_LINES]
    return rows_of(comments, recipe.labels, _VALIDATION_PER_CORPUS, recipe.seed)


def corpus_examples(root: Path, names: Iterable[str] = ADAPTERS) -> list[Example]:
    """Return the test rows of the corpora below ``root``, and all rows of those that are for measuring only."""
    examples: list[Example] = []
    for name in (name for name in CORPORA if name in names and name in ADAPTERS):
        corpus = CORPORA[name]
        if not corpus.material and (root / corpus.folder).is_dir():
            examples += [
                example
                for example in read_corpus(name, root)
                if corpus.use == "eval" or split_of(example) == "test"
            ]
    return examples


def gather_rows(
    run: Path | None, corpora: Path | None, decisions: Path | None, limit: int | None, seed: int = 0
) -> TestRows:
    """Return the test rows of a run, of the corpora below a folder and of a file of decisions, at most ``limit`` of
    each corpus.

    A repeated row counts once. Of decisions only those in the test split are used, because a candidate may
    have learned the others. Raises RunError, CorpusError, ReadError, and ContenderError without rows.
    """
    labels, examples = tuple(DEFINITIONS), list[Example]()
    if run is not None:
        labels = RunDirectory(run).labels
        examples += split_examples(RunDirectory(run).data()["test"], labels)
    if corpora is not None:
        examples += corpus_examples(corpora)
    if decisions is not None:
        examples += [example for example in examples_to_split(decisions) if split_of(example) == "test"]
    if not examples:
        raise ContenderError(
            "compare: no test rows; name a source of them with --run, --corpora or --decisions"
        )
    unique = {(example.source, example.row): example for example in examples}
    return rows_of(list(unique.values()), labels, limit, seed)


def predictions(
    scorer: Scorer, texts: Sequence[str], console: Console, description: str
) -> dict[str, Floats]:
    """Return label to probabilities [n], by the scorer, with progress."""
    values: list[list[float]] = []
    starts = range(0, len(texts), _CHUNK)
    for start in track(starts, description=description, console=console):
        scores = scorer.score([ScoreInput(text) for text in texts[start : start + _CHUNK]])
        values += [list(score.probabilities.values()) for score in scores]
    return dict(zip(scorer.labels, np.array(values, dtype=np.float64).T, strict=True))
