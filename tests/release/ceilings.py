"""Best possible results on the votes of ``toxic-spans``, where three workers per comment often disagree.

``python -m tests.release.ceilings --corpora DIR`` prints them. Two of them are notes to the figures of a release.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from scipy.optimize import minimize
from scipy.stats import betabinom
from sklearn.metrics import roc_auc_score

from belowline.data.corpora.attack import toxic_spans_workers
from belowline.data.corpora.tables import rows
from belowline.training.measure.character_f1 import character_f1
from belowline.training.measure.intervals import NAN, Floats
from tests.release.evidence import Marks, marked_by_half, worker_marks

_WORKERS = 3
_INSULT = "Insult"
_DRAWS = 400_000
_FEWEST = 100
"""Minimum number of comments with three workers; fewer do not show how votes differ."""


@dataclass(frozen=True, slots=True)
class VoteCeiling:
    """AUC of a predictor that knows each comment's true chance of a vote, against the votes of three workers.

    ``majority`` is against two or three votes; ``undisputed`` excludes comments with one vote. NaN for fewer than 100
    comments.
    """

    majority: float
    undisputed: float


def vote_ceiling(votes: Mapping[int, int]) -> VoteCeiling:
    """Return the ceiling from the number of comments with 0, 1, 2 and 3 votes.

    A beta-binomial is fitted to the counts, because the chance of a vote differs between comments. Comments are drawn
    from it.
    """
    counts = np.array([votes.get(number, 0) for number in range(_WORKERS + 1)])
    if counts.sum() < _FEWEST:
        return VoteCeiling(NAN, NAN)

    def loss(parameters: Floats) -> float:
        likely = betabinom.logpmf(range(_WORKERS + 1), _WORKERS, *np.exp(parameters))
        return float(-(counts * likely).sum())

    alpha, beta = np.exp(minimize(loss, np.zeros(2), method="Nelder-Mead").x)
    rng = np.random.default_rng(0)
    chance = rng.beta(alpha, beta, _DRAWS)
    drawn = rng.binomial(_WORKERS, chance)
    clear = drawn != 1
    return VoteCeiling(
        float(roc_auc_score(drawn >= 2, chance)), float(roc_auc_score(drawn[clear] >= 2, chance[clear]))
    )


@dataclass(frozen=True, slots=True)
class WorkerF1:
    """Mean character F1 of single workers.

    ``others`` is against half of the other workers of the comment, ``all`` against half of all workers. NaN where no
    comment has two workers.
    """

    others: float
    all: float


def worker_f1(posts: Sequence[tuple[Marks, int]]) -> WorkerF1:
    """Return the F1 from the marks of the workers and the length of each post."""
    others: list[float] = []
    everybody: list[float] = []
    for marks, length in posts:
        if len(marks) < 2:
            continue
        whole = marked_by_half(marks, length)
        for at, own in enumerate(marks):
            mine = marked_by_half([own], length)
            everybody.append(character_f1(mine, whole))
            rest = [spans for other, spans in enumerate(marks) if other != at]
            others.append(character_f1(mine, marked_by_half(rest, length)))
    return WorkerF1(float(np.mean(others)), float(np.mean(everybody))) if others else WorkerF1(NAN, NAN)


def ceilings(folder: Path) -> tuple[VoteCeiling, WorkerF1]:
    """Return the ceilings of ``toxic-spans`` in ``folder``: of personal attacks, and of evidence."""
    votes = Counter(
        sum(any(span["type"] == _INSULT for span in spans) for _, spans in workers)
        for workers in toxic_spans_workers(folder).values()
        if len(workers) == _WORKERS
    )
    lengths = {row["comment_id"]: len(row["comment_text"]) for row in rows(folder / "comments.csv")}
    posts = [(marks, lengths[post]) for post, marks in worker_marks(folder).items() if post in lengths]
    return vote_ceiling(votes), worker_f1(posts)


def main(corpora: Annotated[Path, typer.Option(help="Folder with the corpora.")] = Path("corpora")) -> None:
    """Print the best possible results on the votes of toxic-spans."""
    vote, worker = ceilings(corpora / "toxic-spans")
    console = Console()
    console.print(f"personal attack, AUC against the majority of three: at best {vote.majority:.3f}")
    console.print(f"the same without comments that one of three marked: at best {vote.undisputed:.3f}")
    console.print(f"evidence, character F1 of one worker against half of the others: {worker.others:.3f}")
    console.print(f"the same against half of all, himself among them: {worker.all:.3f}")


if __name__ == "__main__":
    typer.run(main)
