"""Speed comparison: order of calls, and content of the figures."""

from collections.abc import Sequence

import numpy as np
import pytest
from rich.console import Console

from belowline.model import Scorer
from belowline.training.compare import speed
from belowline.training.compare.speed import measure_speed
from belowline.training.files import to_plain
from belowline.training.measure.contenders import Contender, load_contenders
from belowline.training.measure.intervals import Floats

QUIET = Console(quiet=True)
TEXTS = ["a", "bb", "ccc"]


class Clock:
    """A clock that advances only during predictions."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: list[tuple[str, int]] = []

    def perf_counter(self) -> float:
        return self.now

    def contender(self, name: str, seconds: float) -> Contender:
        def predict(texts: Sequence[str]) -> dict[str, Floats]:
            self.asked.append((name, len(texts)))
            self.now += seconds * len(texts)
            return {"spam": np.zeros(len(texts))}

        return Contender(name, "tfidf", "", name, predict, {})


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(speed, "time", clock)
    return clock


def test_figures_by_hand(clock: Clock) -> None:
    found = measure_speed([clock.contender("a", 0.010), clock.contender("b", 0.025)], TEXTS, QUIET)
    assert to_plain(found["a"]) == pytest.approx(
        {
            "per_second": 100,
            "p50_ms": 10,
            "p99_ms": 10,
            "ratio": 1,
            "ratio_low": 1,
            "ratio_high": 1,
            "texts": 3,
        }
    )
    slow = found["b"]
    assert (slow.per_second, slow.ratio, slow.ratio_low, slow.ratio_high) == pytest.approx(
        (40, 2.5, 2.5, 2.5)
    )
    assert measure_speed([clock.contender("a", 1)], [], QUIET) == {}


def test_the_order_alternates(clock: Clock) -> None:
    measure_speed([clock.contender("a", 1), clock.contender("b", 1)], TEXTS, QUIET, rounds=3)
    alone = [name for name, texts in clock.asked[2:] if texts == 1]
    assert alone == [*"aaabbb", *"bbbaaa", *"aaabbb"]
    assert [name for name, texts in clock.asked if texts == 3] == [*"abbaab"]


def test_a_model_answers_afresh_each_time(tiny_model_dir: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[int] = []
    monkeypatch.setattr(Scorer, "forget", lambda self: forgotten.append(1))
    one, other = load_contenders([str(tiny_model_dir), str(tiny_model_dir)], threads=1)
    found = measure_speed([one, other], TEXTS, QUIET, rounds=2)
    assert len(forgotten) == 8  # two contenders, two rounds, alone and together
    assert all(one.p99_ms >= one.p50_ms > 0 for one in found.values())
