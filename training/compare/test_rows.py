"""The rows of a comparison: source, weights, clusters and parts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from belowline.data.corpora import ADAPTERS, CORPORA, read_corpus
from belowline.data.example import Example
from belowline.model import DEFINITIONS, Scorer
from belowline.training.dataset.mix import split_of
from belowline.training.errors import ContenderError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.bootstrap import Bools
from belowline.training.measure.slices import domains, lengths, named_groups
from belowline.training.measure.test_set import Floats, TestSet, limited, rows_of_examples, select

ALL, GROUPS = "all", "named groups"


@dataclass(frozen=True, slots=True)
class Rows:
    """n rows to compare on.

    Attributes:
        test: Texts, targets, corpora and slices.
        ids: Identifier within the corpus [n].
        clusters: Rows of one cluster [n] are resampled together, because comments of one thread are not independent.
        weights: Weight of a row [n], 1 on average within each corpus.
    """

    test: TestSet
    ids: npt.NDArray[np.str_]
    clusters: npt.NDArray[np.intp]
    weights: Floats


def gather_rows(
    run: Path | None, corpora: Path | None, decisions: Path | None, limit: int | None, seed: int = 0
) -> Rows:
    """Return the test rows of a run, of the corpora below a folder and of a file of decisions, at most ``limit`` of
    each corpus.

    A repeated row counts once. Of decisions only those in the test split are used, because a candidate may have
    learned the others.
    Raises RunError, CorpusError, ReadError, and ContenderError without rows.
    """
    examples: list[Example] = []
    if run is not None:
        examples += _of_run(run)
    if corpora is not None:
        examples += _of_corpora(corpora)
    if decisions is not None:
        from belowline.data.decisions import examples_to_split

        examples += [example for example in examples_to_split(decisions) if split_of(example) == "test"]
    if not examples:
        raise ContenderError("compare: no test rows; name a run, a folder of corpora or a file of decisions")
    labels = tuple(DEFINITIONS) if run is None else RunDirectory(run).labels
    return rows_of(
        {(example.source, example.row): example for example in examples}.values(), labels, limit, seed
    )


def rows_of(examples: Iterable[Example], labels: tuple[str, ...], limit: int | None, seed: int = 0) -> Rows:
    """Return ``examples``, at most ``limit`` of each corpus, drawn as ``belowline-train evaluate`` draws them."""
    rows = list(examples)
    test = rows_of_examples(rows, labels, None)
    # By their numbers in place of their texts: a test set does not keep which rows a limit left.
    numbered = limited(replace(test, texts=[str(number) for number in range(len(rows))]), limit, seed)
    numbers = np.array([int(number) for number in numbered.texts], dtype=np.intp)
    chosen = [rows[number] for number in numbers]
    _, clusters = np.unique(
        [f"{example.source} {example.split_key}" for example in chosen], return_inverse=True
    )
    return Rows(
        select(test, numbers),
        np.array([example.row for example in chosen], dtype=np.str_),
        clusters,
        _weights(chosen),
    )


def _weights(examples: Sequence[Example]) -> Floats:
    weights = np.array([example.weight for example in examples], dtype=np.float64)
    _, sources = np.unique([example.source for example in examples], return_inverse=True)
    return np.asarray(weights / (np.bincount(sources, weights) / np.bincount(sources))[sources])


def _of_run(run: Path) -> list[Example]:
    """Return the test split of a run. Rows of old runs have no split key: the article or parent stands for the
    thread.
    """
    labels = RunDirectory(run).labels
    examples = []
    for row in RunDirectory(run).data()["test"]:
        known = {
            label: value for label, value in zip(labels, row["labels"], strict=True) if value is not None
        }
        key = row.get("split_key") or row["context"] or row["row"]
        weight = row.get("weight", 1.0)  # runs of before 0.5.0 keep none
        examples.append(
            Example(row["text"], known, row["source"], row["row"], key, slice=row["slice"], weight=weight)
        )
    return examples


def _of_corpora(root: Path) -> list[Example]:
    """Return the test rows of the corpora below ``root``, and all rows of those that are for measuring only."""
    examples: list[Example] = []
    for name, corpus in CORPORA.items():
        if name not in ADAPTERS or corpus.material or not (root / corpus.folder).is_dir():
            continue
        for example in read_corpus(name, root):
            if corpus.use == "eval" or split_of(example) == "test":
                examples.append(example)
    return examples


def parts_of_rows(rows: Rows, scorer: Scorer | None) -> dict[str, Bools]:
    """Return name of a part to its rows [n]: all, corpora, their slices, lengths, news or elsewhere, named groups."""
    test = rows.test
    parts: dict[str, Bools] = {ALL: np.ones(len(test.texts), dtype=bool)}
    for source in np.unique(test.sources):
        inside = test.sources == source
        parts[f"corpus {source}"] = inside
        names = np.unique(test.slices[inside])
        if len(names) > 1:
            parts |= {f"{source}: {name}": inside & (test.slices == name) for name in names if name}
    divisions: list[tuple[str, Mapping[str, Bools]]] = [("comments", domains(test))]
    if scorer is not None:
        divisions.append(("length", lengths(test, scorer)))
    divisions.append(("names", named_groups(test.texts)))
    for kind, division in divisions:
        parts |= {f"{kind} {name}": mask for name, mask in division.items()}
    return {name: mask for name, mask in parts.items() if mask.any()}
