"""Speed of contenders, measured side by side on the same texts with the same threads."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.progress import track

from belowline.training.measure.contenders import Contender
from belowline.training.measure.intervals import Floats

ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of one contender."""

    per_second: float  # comments per second if all texts are given at once; median over rounds
    p50_ms: float  # milliseconds for a single comment; median over texts and rounds
    p99_ms: float  # the 99th percentile
    ratio: float  # ``p50_ms`` relative to the first contender in the same round; median over rounds
    ratio_low: float  # the smallest ratio of the rounds
    ratio_high: float  # the largest ratio of the rounds
    texts: int  # number of different texts


def measure_speed(
    contenders: Sequence[Contender], texts: Sequence[str], console: Console, rounds: int = ROUNDS
) -> dict[str, Speed]:
    """Return name to speed of the contenders over interleaved rounds; nothing without texts."""
    if not texts:
        return {}
    singles: dict[str, list[list[float]]] = {contender.name: [] for contender in contenders}
    rates: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for contender in contenders:  # the first call also loads and builds things
        contender.predict(texts[:1])
    for number in track(range(rounds), description="speed", console=console):
        for contender in contenders if number % 2 == 0 else contenders[::-1]:
            contender.forget()
            singles[contender.name].append([_milliseconds(contender, [text]) for text in texts])
            contender.forget()
            rates[contender.name].append(1000 * len(texts) / _milliseconds(contender, texts))
    first = np.median(singles[contenders[0].name], axis=1)
    return {name: _speed(own, rates[name], first) for name, own in singles.items()}


def _milliseconds(contender: Contender, texts: Sequence[str]) -> float:
    begun = time.perf_counter()
    contender.predict(texts)
    return 1000 * (time.perf_counter() - begun)


def _speed(own: list[list[float]], rates: list[float], first: Floats) -> Speed:
    ratios = np.median(own, axis=1) / first
    p50, p99 = np.percentile(own, (50, 99))
    low, middle, high = float(ratios.min()), float(np.median(ratios)), float(ratios.max())
    return Speed(float(np.median(rates)), float(p50), float(p99), middle, low, high, len(own[0]))
