"""Test rows, and metrics by label and corpus."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from rich.console import Console
from rich.progress import track
from rich.table import Table

from belowline.data.corpora import CORPORA, read_corpus
from belowline.data.example import Example
from belowline.model import ScoreInput, Scorer
from belowline.training.files import write_json
from belowline.training.measure.bootstrap import Bools
from belowline.training.measure.metrics import Metrics, measure

Floats = npt.NDArray[np.float64]
Measured = dict[str, dict[str, Metrics]]
"""Label to corpus, or other part of the rows, to metrics."""
Predict = Callable[[Sequence[str]], Mapping[str, Floats]]
MEASURED_ONLY = tuple(name for name, corpus in CORPORA.items() if corpus.use == "eval")
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class TestSet:
    """n texts with targets [n, labels] (NaN: unknown), corpora [n] and slices [n] (empty: none)."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    texts: list[str]
    targets: Floats
    sources: npt.NDArray[np.str_]
    slices: npt.NDArray[np.str_]
    labels: tuple[str, ...]


def rows_of_split(data: Dataset, labels: tuple[str, ...], limit: int | None, seed: int = 0) -> TestSet:
    """Return the rows of a split, at most ``limit`` of each corpus, drawn at random."""
    targets = np.array(data["labels"], dtype=np.float64)
    whole = TestSet(list(data["text"]), targets, np.array(data["source"]), np.array(data["slice"]), labels)
    return limited(whole, limit, seed)


def rows_of_examples(
    examples: Sequence[Example], labels: tuple[str, ...], limit: int | None, seed: int = 0
) -> TestSet:
    """Return examples as a test set, at most ``limit`` of each corpus."""
    targets = [[example.labels.get(label, float("nan")) for label in labels] for example in examples]
    whole = TestSet(
        [example.text for example in examples],
        np.array(targets, dtype=np.float64).reshape(len(examples), len(labels)),
        np.array([example.source for example in examples], dtype=np.str_),
        np.array([example.slice for example in examples], dtype=np.str_),
        labels,
    )
    return limited(whole, limit, seed)


def limited(test: TestSet, limit: int | None, seed: int = 0) -> TestSet:
    """Return at most ``limit`` rows of each corpus, drawn at random, in their order."""
    by_source: dict[str, list[int]] = defaultdict(list)
    for index, source in enumerate(test.sources):
        by_source[source].append(index)
    rng = random.Random(seed)  # reproducible, not secret
    chosen: list[int] = []
    for indices in by_source.values():
        chosen += indices if limit is None or len(indices) <= limit else rng.sample(indices, limit)
    return select(test, np.array(sorted(chosen), dtype=np.intp))


def select(test: TestSet, rows: npt.NDArray[np.intp]) -> TestSet:
    """Return the rows with these numbers, in their order."""
    return TestSet(
        [test.texts[row] for row in rows],
        test.targets[rows],
        test.sources[rows],
        test.slices[rows],
        test.labels,
    )


def joined(sets: Sequence[TestSet]) -> TestSet:
    """Concatenate test sets of the same labels."""
    texts = [text for part in sets for text in part.texts]
    return TestSet(
        texts,
        np.concatenate([part.targets for part in sets]),
        np.concatenate([part.sources for part in sets]),
        np.concatenate([part.slices for part in sets]),
        sets[0].labels,
    )


def measuring_corpora(root: Path, labels: tuple[str, ...], limit: int | None) -> list[TestSet]:
    """Return the corpora below ``root`` that are for measuring only."""
    present = [name for name in MEASURED_ONLY if (root / CORPORA[name].folder).is_dir()]
    return [rows_of_examples(read_corpus(name, root), labels, limit) for name in present]


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


def metrics_by_corpus(
    test: TestSet, probabilities: Mapping[str, Floats], thresholds: Mapping[str, float | None]
) -> Measured:
    """Return label to corpus to metrics; the corpus ``all`` pools them."""
    corpora = {str(source): test.sources == source for source in np.unique(test.sources)}
    return divided(test, probabilities, thresholds, {"all": np.ones(len(test.texts), dtype=bool), **corpora})


def divided(
    test: TestSet,
    probabilities: Mapping[str, Floats],
    thresholds: Mapping[str, float | None],
    parts: Mapping[str, Bools],
) -> Measured:
    """Return label to part to metrics, for masks [n] of parts; a part with one class of a label is left out."""
    result: Measured = {}
    for column, label in enumerate(test.labels):
        if label not in probabilities:
            continue
        target = test.targets[:, column]
        rows = {name: mask & ~np.isnan(target) for name, mask in parts.items()}
        result[label] = {
            name: measure(target[mask], probabilities[label][mask], thresholds.get(label))
            for name, mask in rows.items()
            if both_classes(target[mask])
        }
    return result


def both_classes(target: Floats) -> bool:
    """Return True if targets [n] hold a positive and a negative."""
    return bool((target >= 0.5).any() and (target < 0.5).any())


def show(tables: Mapping[str, Measured], console: Console) -> None:
    """Print tables of several models side by side: AUC with interval, average precision, F1 at the hold threshold."""
    first = next(iter(tables.values()))
    for label, corpora in first.items():
        table = Table("corpus", "n", "positive", title=label, title_justify="left")
        for model in tables:
            table.add_column(f"{model}\nAUC (95 %)", justify="right")
            table.add_column("AP", justify="right")
            table.add_column("F1", justify="right")
        for corpus, metrics in corpora.items():
            cells = [cell for model in tables for cell in _cells(tables[model].get(label, {}).get(corpus))]
            table.add_row(corpus, str(metrics.examples), str(metrics.positives), *cells)
        console.print(table)


def _cells(metrics: Metrics | None) -> tuple[str, str, str]:
    if metrics is None:
        return "-", "-", "-"
    f1 = "-" if np.isnan(metrics.f1) else f"{metrics.f1:.3f}"
    return (
        f"{metrics.auc:.3f} ({metrics.auc_low:.3f}-{metrics.auc_high:.3f})",
        f"{metrics.average_precision:.3f}",
        f1,
    )


def write(tables: Mapping[str, Measured], facts: Mapping[str, object], path: Path) -> None:
    """Write the tables as JSON, model → label → corpus → metrics, together with ``facts``."""
    write_json(path, {**tables, **facts})
