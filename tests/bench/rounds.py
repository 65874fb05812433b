"""How things are measured here: by turns, or in a process of its own."""

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from belowline.model import ScoreInput, Scorer
from belowline.model.directory import DEFAULT_MODEL_DIR
from tests.bench.texts import CORPORA, texts_for

Step = Callable[[str], None]
"""Is told what is being done now."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a part is told: whether everything should be small, where the comments are, and which model is meant."""

    quick: bool = False
    corpora: Path = CORPORA
    model: Path = DEFAULT_MODEL_DIR

    def pick(self, whole: T, quick: T) -> T:
        """The second if everything should be small."""
        return quick if self.quick else whole

    def texts(self, count: int) -> tuple[list[str], str]:
        """So many comments, and where they are from."""
        return texts_for(count, self.corpora)


def loaded(model: Path, threads: int | None = None) -> Scorer:
    """A model that has scored before: the first text of all loads what later ones find."""
    scorer = Scorer.load(model, threads=threads or cores())
    scorer.score([ScoreInput("The first text takes longer than the next.")])
    return scorer


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def alternate(runs: Mapping[str, Callable[[], float]], rounds: int, step: Step) -> dict[str, list[float]]:
    """What each gives in each round; every other round goes backwards, so that no one always follows the same other."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in list(runs)[:: -1 if turn % 2 else 1]:
            step(f"round {turn + 1} of {rounds}: {name}")
            found[name].append(runs[name]())
    return found


def seconds(run: Callable[[], object]) -> float:
    """How long ``run`` takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def rate(run: Callable[[], object], count: int, least: float = 0.0) -> float:
    """Things a second where ``run`` does ``count`` of them; it is run again until ``least`` seconds are over."""
    took, times = seconds(run), 1
    while took < least:
        took, times = took + seconds(run), times + 1
    return count * times / took


@dataclass(frozen=True, slots=True)
class Alone:
    """What a function returned in a process of its own, and the most memory that it had, in MiB."""

    result: Any
    peak_mib: float


def in_child(function: Callable[..., Any], *arguments: Any) -> Alone:
    """``function``, which can be pickled, in a new process."""
    with client_process() as pool:
        result = pool.submit(function, *arguments).result()
        return Alone(result, pool.submit(peak_mib).result())


def client_process() -> ProcessPoolExecutor:
    """One new process that does what is submitted."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def peak_mib(process: int | str = "self") -> float:
    """The most memory that a process has had at once. Not ``ru_maxrss``, which a process inherits from the one that started it."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
