"""``python -m tests.release.targets --run RUN MODEL...``: the targets of models, side by side, as a Markdown table.

Each model reads the same test rows, at most ``--limit`` of each corpus. ``A+B`` is the model A with B as its second
look. AUCs of pairs are means over every pair of a harmful label or ``on_topic`` and a corpus with ten rows of either
class. A comment is held if the model's own thresholds do not publish it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from belowline.data.corpora import read_corpus
from belowline.data.example import Example
from belowline.model import Policy, ScoreInput, Scorer, decide, model_directory
from belowline.training.dataset.author_lines import AUTHOR_LINES
from belowline.training.files import write_json
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.intervals import NAN, Bools, Floats
from belowline.training.measure.parts import FEWEST_OF_A_CLASS
from belowline.training.measure.rows import TestRows, limited, rows_of, split_examples
from tests.release.author_figures import blog_figures, names_figure
from tests.release.label_figures import auc

_MEASURED_ONLY = ("c3", "blog-ham", "conflict-talk")
_CHUNK = 128
Row = tuple[str, Callable[["Reading"], float]]


class Reading:
    """One model's probabilities, label to [n], and the rows that it holds, [n]."""

    def __init__(self, scorer: Scorer, rows: TestRows, console: Console, name: str) -> None:
        self.rows, self.scorer = rows, scorer
        policy = Policy.load(None, scorer.thresholds)
        found: list[list[float]] = []
        held: list[bool] = []
        for start in track(range(0, len(rows.texts), _CHUNK), description=name, console=console):
            scores = scorer.score([ScoreInput(text) for text in rows.texts[start : start + _CHUNK]])
            found += [list(score.probabilities.values()) for score in scores]
            held += [decide(score, policy).action != "publish" for score in scores]
        self.probabilities = dict(zip(scorer.labels, np.array(found).T, strict=True))
        self.held: Bools = np.array(held)

    def of(self, corpus: str, slice: str = "") -> Bools:
        """Return the mask [n] of the rows of a corpus whose slice begins with ``slice``."""
        return np.asarray((self.rows.sources == corpus) & np.char.startswith(self.rows.slices, slice))

    def auc(self, label: str, rows: Bools) -> float:
        """Return the AUC of ``label`` in ``rows``; NaN with fewer than ten of either class."""
        target = self.rows.target(label)
        known = rows & ~np.isnan(target)
        truth = target[known] >= 0.5
        if not FEWEST_OF_A_CLASS <= truth.sum() <= len(truth) - FEWEST_OF_A_CLASS:
            return NAN
        return auc(truth, self.probabilities[label][known])

    def pairs(self) -> Floats:
        """Return the AUC of every pair of label and corpus that has one."""
        found = [
            self.auc(label, self.of(corpus))
            for label in self.rows.labels
            for corpus in np.unique(self.rows.sources)
        ]
        return np.array(found)[~np.isnan(found)]

    def accuracy(self, label: str, corpus: str) -> float:
        """Return the share of rows on the right side of the hold threshold."""
        target = self.rows.target(label)
        known = self.of(corpus) & ~np.isnan(target)
        hold = self.scorer.thresholds[label].hold or 1.0
        return float(np.mean((self.probabilities[label][known] >= hold) == (target[known] >= 0.5)))

    def share_held(self, rows: Bools) -> float:
        """Return the share of ``rows`` that is held."""
        return float(self.held[rows].mean()) if rows.any() else NAN

    def toxic(self) -> Floats:
        """Return the toxicity [n] of civil-sample's comments at their natural rate, NaN elsewhere."""
        target = self.rows.target("toxicity").copy()
        target[~self.of("civil-sample", "natural")] = NAN
        return target

    def threat_against_insult(self) -> float:
        """Return the AUC of threatgram's threats (level 2) against its insults (level 1)."""
        threats, insults = self.of("threatgram", "2"), self.of("threatgram", "1")
        either = threats | insults
        return auc(threats[either], self.probabilities["threat"][either])

    def side_gap(self) -> float:
        """Return the share held of conflict-talk's Pro-Palestine minus that of its Pro-Israel comments."""
        sides = (self.of("conflict-talk", side) for side in ("Pro-Palestine", "Pro-Israel"))
        first, second = (self.share_held(side) for side in sides)
        return first - second


TABLE: tuple[Row, ...] = (
    ("mean AUC of all pairs of label and corpus", lambda one: float(one.pairs().mean())),
    ("dghs: accuracy at the hold threshold", lambda one: one.accuracy("hate", "dghs")),
    ("dghs: AUC", lambda one: one.auc("hate", one.of("dghs"))),
    ("isca: AUC", lambda one: one.auc("antisemitism", one.of("isca"))),
    ("implicit-hate: AUC", lambda one: one.auc("hate", one.of("implicit-hate"))),
    ("personal attack, cad: AUC", lambda one: one.auc("personal_attack", one.of("cad"))),
    ("personal attack, toxic-spans: AUC", lambda one: one.auc("personal_attack", one.of("toxic-spans"))),
    ("threatgram, threat 2 against 1: AUC", Reading.threat_against_insult),
    ("held of civil-sample not toxic", lambda one: one.share_held(one.toxic() < 0.5)),
    ("held of civil-sample toxic", lambda one: one.share_held(one.toxic() >= 0.5)),
    ("held of c3", lambda one: one.share_held(one.of("c3"))),
    ("held of blog-ham", lambda one: one.share_held(one.of("blog-ham"))),
    ("held of github-incivility none", lambda one: one.share_held(one.of("github-incivility", "none"))),
    ("held of conflict-talk", lambda one: one.share_held(one.of("conflict-talk"))),
    ("conflict-talk: held, Pro-Palestine minus Pro-Israel", Reading.side_gap),
)


def test_rows(run: Path, corpora: Path, limit: int) -> TestRows:
    """Return the test split of a run without author lines, and the corpora that only measure."""
    directory = RunDirectory(run)
    examples: list[Example] = [
        example
        for example in split_examples(directory.data()["test"], directory.labels)
        if example.source != AUTHOR_LINES
    ]
    for name in _MEASURED_ONLY:
        examples += read_corpus(name, corpora)
    return rows_of(limited(examples, limit), directory.labels)


def scorers(models: Sequence[str]) -> Iterator[tuple[str, Scorer]]:
    """Yield name and scorer of each model, loaded when it is asked for."""
    for name in models:
        first, _, second = name.partition("+")
        look = model_directory(Path(second)) if second else None
        yield name, Scorer.load(model_directory(Path(first)), second_look=look)


def show(columns: Mapping[str, Mapping[str, float]], console: Console) -> None:
    """Print the columns, by name of the model, as a Markdown table."""
    console.print("| |", " | ".join(columns), "|", soft_wrap=True)
    console.print("| --- |", " | ".join("---" for _ in columns), "|")
    for row in next(iter(columns.values())):
        console.print(f"| {row} |", " | ".join(f"{column[row]:.4f}" for column in columns.values()), "|")


def main(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Model directories, or A+B.")],
    run: Annotated[Path, typer.Option("--run", help="Run with the test split.")],
    corpora: Annotated[Path, typer.Option("--corpora", help="Directory of the corpora.")] = Path("corpora"),
    limit: Annotated[int, typer.Option(help="Rows of each corpus at most.")] = 1500,
    authors: Annotated[bool, typer.Option(help="Also measure author lines.")] = True,
) -> None:
    """Measure the targets of each model and write them to targets.json in the run."""
    console, rows = Console(stderr=True), test_rows(run, corpora, limit)
    columns: dict[str, dict[str, float]] = {}
    for name, scorer in scorers(models):
        reading = Reading(scorer, rows, console, name)
        columns[name] = {row: measured(reading) for row, measured in TABLE}
        if authors:
            with_author, without = blog_figures(scorer, corpora, console)
            columns[name]["spam, the blog left out, with author lines: AUC"] = with_author.value
            columns[name]["spam, the blog left out, text alone: AUC"] = without.value
            columns[name]["spam of 1,000 names, largest difference"] = names_figure(scorer).value
        write_json(run / "targets.json", columns)
    show(columns, Console())


if __name__ == "__main__":
    typer.run(main)
