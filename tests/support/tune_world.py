"""Simulated comments with known true precision at every threshold: scores, harm, and visible decisions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt

from belowline.data.decisions import Counts, Decided, Header
from belowline.model import Policy, Thresholds, draw
from belowline.training.measure.intervals import Sample
from belowline.training.tune.decisions import Decisions
from tests.support.tiny_model import LABELS

Floats = npt.NDArray[np.float64]
VERSION = "0.0.1-tiny"
START = datetime(2026, 11, 1, tzinfo=UTC)


class World:
    """``n`` comments: scores by label, and whether the label applies, with probability score ** 1.3."""

    def __init__(self, seed: int, n: int, labels: Sequence[str] = ("spam",)) -> None:
        rng = np.random.default_rng(seed)
        first = rng.beta(0.3, 2.0, n)
        self.rng, self.n = rng, n
        self.scores: dict[str, Floats] = {}
        for label in (
            labels
        ):  # for every label after the first, half of the comments have the scores of the first label
            own = rng.beta(0.3, 2.0, n)
            self.scores[label] = np.where(rng.random(n) < 0.5, first, own) if self.scores else first
        self.harmful = {label: rng.random(n) < scores**1.3 for label, scores in self.scores.items()}

    def held(self, thresholds: Mapping[str, float]) -> npt.NDArray[np.bool_]:
        """Return a mask of the comments that any label holds."""
        return np.any([self.scores[label] >= value for label, value in thresholds.items()], axis=0)

    def precision(self, label: str, threshold: float) -> float:
        """Return the true precision."""
        return float(self.harmful[label][self.scores[label] >= threshold].mean())

    def seen(self, present: Mapping[str, float], share: float) -> list[Decided]:
        """Return the moderators' decisions: on all that ``present`` holds, and on a random ``share`` of the rest."""
        held = self.held(present)
        drawn = ~held & (self.rng.random(self.n) < share)
        return [
            decided(
                number,
                {label: float(harm[number]) for label, harm in self.harmful.items()},
                {label: float(score[number]) for label, score in self.scores.items()},
                weight=1.0 if held[number] else 1 / share,
                sampled="picked" if held[number] else "random",
            )
            for number in np.flatnonzero(held | drawn).tolist()
        ]


def decided(
    number: int, labels: Mapping[str, float], scores: Mapping[str, float], **fields: object
) -> Decided:
    """Return a line of a file of decisions, with scores of the tiny model's version."""
    known = {
        "row": f"paper.example:{number}",
        "site": "paper.example",
        "text": f"comment number {number} on the new bridge",
        "origin": "moderator",
        "decision": "publish",
        "code": None,
        "overturned": False,
        "blind": False,
        "split_key": f"thread {number // 2}",
        "article": None,
        "parent": None,
        "sampled": "picked",
        "weight": 1.0,
        "decided_at": START + timedelta(minutes=number),
        "model": VERSION,
    }
    return Decided.model_validate(
        {**known, "labels": dict(labels), "scores": {**dict.fromkeys(LABELS, 0.001), **scores}, **fields}
    )


def write_decisions(path: Path, rows: Sequence[Decided]) -> Path:
    """Write the file of ``rows``."""
    counts = Counts()
    for row in rows:
        counts.add(row)
    header = Header(
        exported_at=START,
        belowline="0",
        site=None,
        since=None,
        until=None,
        counts=counts,
        guidelines="",
        erasure="",
    )
    path.write_text("\n".join(line.model_dump_json() for line in (header, *rows)) + "\n", "utf-8")
    return path


def laid_out(rows: Sequence[Decided]) -> Decisions:
    """Return ``rows`` in the layout of ``gather_decisions``, with their own scores."""
    keys = [row.split_key for row in rows]
    return Decisions(
        rows,
        Sample(np.array([row.weight for row in rows], dtype=float), np.unique(keys, return_inverse=True)[1]),
        np.array([row.sampled == "random" for row in rows]),
        np.array([draw(f"tune {key}") < 0.5 for key in keys]),
        {label: np.array([row.scores[label] for row in rows]) for label in LABELS},
        ["en"] * len(rows),
        [],
    )


def policy_of(present: Mapping[str, float], **fields: object) -> Policy:
    """Return a policy of these hold thresholds and nothing else."""
    thresholds = {label: Thresholds(hold=value) for label, value in present.items()}
    return Policy("world", False, thresholds, "publish", **fields)  # type: ignore[arg-type]


def worlds(draws: int, n: int, labels: Sequence[str] = ("spam",)) -> Iterator[World]:
    """Yield ``draws`` simulations, each with its own seed."""
    yield from (World(seed, n, labels) for seed in range(draws))
