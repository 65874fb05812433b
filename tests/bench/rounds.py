"""Methods of measuring: interleaved rounds, or a separate process."""

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
"""Callback that reports the current step."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setup:
    """Parameters of a part: quick or full run, folder of comments, and model."""

    quick: bool = False
    corpora: Path = CORPORA
    model: Path = DEFAULT_MODEL_DIR

    def pick(self, whole: T, quick: T) -> T:
        """Return ``quick`` in a quick run, else ``whole``."""
        return quick if self.quick else whole

    def texts(self, count: int) -> tuple[list[str], str]:
        """Return ``count`` comments and the name of their source."""
        return texts_for(count, self.corpora)


def loaded(model: Path, threads: int | None = None) -> Scorer:
    """Return a model that has scored one text, because the first text loads what later ones reuse."""
    scorer = Scorer.load(model, threads=threads or cores())
    scorer.score([ScoreInput("The first text takes longer than the next.")])
    return scorer


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0))


def alternate(runs: Mapping[str, Callable[[], float]], rounds: int, step: Step) -> dict[str, list[float]]:
    """Return the value of each run in each round.

    Every other round is in reverse order, so that no run always follows the same other one.
    """
    found: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds):
        for name in list(runs)[:: -1 if turn % 2 else 1]:
            step(f"round {turn + 1} of {rounds}: {name}")
            found[name].append(runs[name]())
    return found


def seconds(run: Callable[[], object]) -> float:
    """Return the seconds that ``run`` takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def rate(run: Callable[[], object], count: int, least: float = 0.0) -> float:
    """Return items per second, where ``run`` does ``count`` of them; repeat it for at least ``least`` seconds."""
    took, times = seconds(run), 1
    while took < least:
        took, times = took + seconds(run), times + 1
    return count * times / took


@dataclass(frozen=True, slots=True)
class Alone:
    """Result of a function in its own process, and that process's peak memory in MiB."""

    result: Any
    peak_mib: float


def in_child(function: Callable[..., Any], *arguments: Any) -> Alone:
    """Call ``function``, which can be pickled, in a new process."""
    with client_process() as pool:
        result = pool.submit(function, *arguments).result()
        return Alone(result, pool.submit(peak_mib).result())


def client_process() -> ProcessPoolExecutor:
    """Yield a pool of one new process."""
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def peak_mib(process: int | str = "self") -> float:
    """Return the peak memory of this process.

    Not ``ru_maxrss``, which a process inherits from its parent.
    """
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
