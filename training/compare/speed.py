"""Speed of contenders, measured side by side on the same texts with the same threads."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track

from belowline.training.compare.contenders import Contender
from belowline.training.measure.bootstrap import Measurement

ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of one contender.

    Attributes:
        per_second: Comments per second if all texts are given at once; median over rounds.
        p50_ms: Milliseconds for a single comment; median over texts and rounds.
        p99_ms: The 99th percentile.
        ratio: ``p50_ms`` relative to the first contender in the same round; median over rounds.
        ratio_low: The smallest ratio of the rounds.
        ratio_high: The largest ratio of the rounds.
        texts: Number of different texts.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    ratio: float
    ratio_low: float
    ratio_high: float
    texts: int

    def beside_first(self) -> Measurement:
        """Return ``ratio`` with the rounds' smallest and largest as its interval."""
        return Measurement(
            self.ratio, self.ratio_low, self.ratio_high, self.texts, note="median of one comment"
        )


def measure_speed(
    contenders: Sequence[Contender], texts: Sequence[str], console: Console, rounds: int = ROUNDS
) -> dict[str, Speed]:
    """Return name to speed of the contenders that run on this machine, over interleaved rounds.

    Remote services are left out: their time depends on the network and on a quota. Without texts nothing is measured.
    """
    local = [contender for contender in contenders if contender.kind != "perspective"]
    if not texts or not local:
        return {}
    singles: dict[str, list[list[float]]] = {contender.name: [] for contender in local}
    rates: dict[str, list[float]] = {contender.name: [] for contender in local}
    for contender in local:  # what is made or loaded at the first call is no part of any
        contender.predict(texts[:1])
    for number in track(range(rounds), description="speed", console=console):
        for contender in local if number % 2 == 0 else local[::-1]:
            contender.forget()
            singles[contender.name].append([_milliseconds(contender, [text]) for text in texts])
            contender.forget()
            rates[contender.name].append(1000 * len(texts) / _milliseconds(contender, texts))
    return {
        contender.name: _speed(singles[contender.name], rates[contender.name], singles[local[0].name])
        for contender in local
    }


def _milliseconds(contender: Contender, texts: Sequence[str]) -> float:
    begun = time.perf_counter()
    contender.predict(texts)
    return 1000 * (time.perf_counter() - begun)


def _speed(own: list[list[float]], rates: list[float], first: list[list[float]]) -> Speed:
    ratios = np.median(own, axis=1) / np.median(first, axis=1)
    p50, p99 = np.percentile(own, (50, 99))
    return Speed(
        float(np.median(rates)),
        float(p50),
        float(p99),
        float(np.median(ratios)),
        float(ratios.min()),
        float(ratios.max()),
        len(own[0]),
    )
