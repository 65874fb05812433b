"""Checks of the data before training. Problems are reported by corpus and row, never by text."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from belowline.data.corpora.own_labels import OWN_LABELS
from belowline.data.example import Example, Split
from belowline.training.dataset.mix import available, collect, is_decision, split_of
from belowline.training.dataset.near_duplicates import near_duplicates
from belowline.training.dataset.wrong_labels import wrong_labels
from belowline.training.errors import DataProblem
from belowline.training.files import write_json
from belowline.training.recipes.recipe import Problem, Recipe

_NAMED = 50
"""Rows, or pairs, of a problem that are named; all are counted."""
_FILE = "data_checks.json"

Floats = npt.NDArray[np.float64]
Row = tuple[str, str]
"""Corpus and row."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem: ``rows`` names up to 50 of its ``count`` cases, each a row or a pair of rows."""

    problem: Problem
    about: str
    count: int
    rows: tuple[tuple[Row, ...], ...] = ()
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Checks:
    """All findings, the number of examples, and the seconds that the checks took."""

    examples: int
    seconds: float
    findings: tuple[Finding, ...]


def check(
    recipe: Recipe, corpora: Path, run: Path, console: Console, decisions: Sequence[Path] = ()
) -> tuple[Recipe, list[Example], list[str]]:
    """Read the examples of ``recipe``, check them, print the findings and write them to ``run / "data_checks.json"``.

    Returns the recipe without optional corpora that are missing below ``corpora``, the examples, and the names of these
    corpora. Raises CorpusError, and DataProblem if the recipe forbids to train on such data.
    """
    available_recipe, missing = available(recipe, corpora) if recipe.replay.optional else (recipe, [])
    if missing:
        console.print(
            f"[bold red]WARNING[/] not in {corpora}, so not replayed: {', '.join(missing)}. The model "
            "may forget what they "
            "taught. `belowline-train fetch` downloads them."
        )
    console.print(f"reading {', '.join(map(str, decisions)) or 'corpora'}")
    examples = collect(available_recipe, corpora, decisions)
    checks = check_examples(examples, recipe, console)
    run.mkdir(parents=True, exist_ok=True)
    write_json(run / _FILE, asdict(checks))
    report(checks, run, console)
    return available_recipe, examples, missing


def check_examples(examples: Sequence[Example], recipe: Recipe, console: Console) -> Checks:
    """Look for every problem in the examples, before duplicates are removed."""
    console.print(f"checking {len(examples):,} examples")
    start = time.monotonic()
    targets = _targets(examples, recipe.labels)
    findings = [*_copies(examples, targets, recipe), *_few(examples, targets, recipe), *_decisions(examples)]
    if recipe.checks.wrong_labels:
        for label, column in zip(recipe.labels, targets.T, strict=True):
            rows = wrong_labels(examples, column, recipe.seed)
            about = f"{label}: labels that a simple model trained on the other rows contradicts"
            findings.append(_finding("wrong-label", about, [(examples[row],) for row in rows]))
    findings = [replace(f, stops=f.problem in recipe.checks.stop_on) for f in findings if f.count]
    findings.sort(key=lambda finding: get_args(Problem).index(finding.problem))
    return Checks(len(examples), round(time.monotonic() - start, 1), tuple(findings))


def report(checks: Checks, run: Path, console: Console) -> None:
    """Print the findings; raises DataProblem if one of them forbids to train."""
    table = Table("problem", "cases", "")
    for finding in checks.findings:
        problem = f"[bold red]{finding.problem}[/]" if finding.stops else finding.problem
        table.add_row(problem, f"{finding.count:,}", finding.about)
    if checks.findings:
        console.print(table)
    cases = sum(finding.count for finding in checks.findings)
    found = f"{cases:,} cases of {len(checks.findings)} problems; {run / _FILE} names the rows"
    console.print(
        f"checked {checks.examples:,} examples in {checks.seconds:.0f} s: {found if cases else 'no problem found'}",
        soft_wrap=True,
        markup=False,
    )
    stopping = [finding for finding in checks.findings if finding.stops]
    if stopping:
        first = stopping[0]
        raise DataProblem(
            f"{first.problem}: {first.about} ({first.count:,}); {run / _FILE} names the rows; correct them, "
            f"or remove {first.problem} from stop_on in the recipe's [checks]"
        )


def _finding(problem: Problem, about: str, cases: Sequence[tuple[Example, ...]]) -> Finding:
    named = tuple(tuple((example.source, example.row) for example in case) for case in cases[:_NAMED])
    return Finding(problem, about, len(cases), named)


def _targets(examples: Sequence[Example], labels: Sequence[str]) -> Floats:
    """Return targets [n, labels], NaN for unknown."""
    rows = [[example.labels.get(label, np.nan) for label in labels] for example in examples]
    return np.array(rows, dtype=np.float64).reshape(len(examples), len(labels))


def _copies(examples: Sequence[Example], targets: Floats, recipe: Recipe) -> Iterator[Finding]:
    """Yield duplicates with opposite labels, and near-duplicates in two splits (of equal texts the mix keeps one)."""
    same, near = near_duplicates([example.text for example in examples], recipe.checks.similar)
    twins = np.array([_is_made_pair(examples[one], examples[other]) for one, other in near], dtype=bool)
    again = np.array([_is_relabelled(examples[one], examples[other]) for one, other in same], dtype=bool)
    pairs = np.concatenate((same[~again], near[~twins]))
    for label, column in zip(recipe.labels, targets.T, strict=True):
        against = pairs[np.abs(column[pairs[:, 0]] - column[pairs[:, 1]]) > 0.5]  # never true of NaN
        cases = [(examples[one], examples[other]) for one, other in _decisions_first(against, examples)]
        yield _finding("contradictory", f"{label}: duplicates with opposite labels", cases)
    splits = np.array([split_of(example) for example in examples])
    across = near[splits[near[:, 0]] != splits[near[:, 1]]]
    cases = [(examples[one], examples[other]) for one, other in _decisions_first(across, examples)]
    between = Counter(" and ".join(sorted(map(split_of, case))) for case in cases)
    which = ", ".join(f"{count:,} of {pair}" for pair, count in between.most_common())
    yield _finding("leakage", f"near-duplicates in two splits: {which}", cases)


def _is_made_pair(one: Example, other: Example) -> bool:
    """Return True for a pair that a corpus made alike on purpose, with opposite labels and one split key."""
    return one.split_key == other.split_key and one.source == other.source and not is_decision(one.source)


def _is_relabelled(one: Example, other: Example) -> bool:
    """Return True for a row with own labels beside the same row with those of its corpus."""
    rows = {f"{example.source}:{example.row}" for example in (one, other)}
    return bool(rows & {example.row for example in (one, other) if example.source == OWN_LABELS})


def _decisions_first(pairs: npt.NDArray[np.int64], examples: Sequence[Example]) -> list[tuple[int, int]]:
    """Sort pairs with a site's own decisions first, so that they are among the rows that are named."""
    numbers = [(int(one), int(other)) for one, other in pairs]
    return sorted(numbers, key=lambda pair: not any(is_decision(examples[at].source) for at in pair))


def _few(examples: Sequence[Example], targets: Floats, recipe: Recipe) -> Iterator[Finding]:
    splits = np.array([split_of(example) for example in examples])
    sides: Mapping[str, Callable[[Floats], npt.NDArray[np.bool_]]] = {
        "positive": lambda column: column >= 0.5,
        "negative": lambda column: column < 0.5,
    }
    names: tuple[Split, ...] = ("train", "validation", "test")
    for label, column in zip(recipe.labels, targets.T, strict=True):
        counts = {
            f"{split} {side}": int(are(column[splits == split]).sum())
            for split in names
            for side, are in sides.items()
        }
        few = [f"{where} {count}" for where, count in counts.items() if count < recipe.checks.fewest]
        if not any(counts.values()):
            yield Finding("few-examples", f"{label}: no example knows it", len(few))
        elif few:
            about = f"{label}: fewer than {recipe.checks.fewest} examples: {', '.join(few)}"
            yield Finding("few-examples", about, len(few))


def _decisions(examples: Sequence[Example]) -> Iterator[Finding]:
    """Yield sites whose decisions all agree, or only cover comments that the model picked."""
    for source in sorted({example.source for example in examples if is_decision(example.source)}):
        of_source = [example for example in examples if example.source == source]
        sides = {(label, value >= 0.5) for example in of_source for label, value in example.labels.items()}
        if not any((label, not side) in sides for label, side in sides):
            about = f"{source}: no label has positives and negatives; also export published comments"
            yield _finding("one-sided", about, [(example,) for example in of_source])
        if not any(example.slice == "random" for example in of_source):
            about = f"{source}: none was drawn at random, so measurements hold for picked comments only"
            yield _finding("only-picked", about, [(example,) for example in of_source])
