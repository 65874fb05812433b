"""A figure and its interval."""

import math

import numpy as np
import pytest

from tests.release.bootstrap import bootstrapped, missing


def test_the_interval_holds_the_value_and_narrows_with_n() -> None:
    rng = np.random.default_rng(1)
    few, many = (bootstrapped(np.mean, rng.normal(3, 1, size)) for size in (40, 4000))
    for figure in (few, many):
        assert figure.low < figure.value < figure.high
    assert (few.n, many.n) == (40, 4000)
    assert many.high - many.low == pytest.approx(4 / math.sqrt(4000), rel=0.2)
    assert few.high - few.low > 5 * (many.high - many.low)


def test_columns_are_resampled_together() -> None:
    values = np.arange(50.0)
    same = bootstrapped(lambda a, b: float(np.abs(a - b).max()), values, values.copy())
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(2).random(30)
    first, again, other = (bootstrapped(np.mean, values, seed=seed) for seed in (0, 0, 1))
    assert repr(first) == repr(again)  # their NaN is not equal to itself
    assert first.low != other.low


def test_resamples_that_cannot_be_measured_are_left_out() -> None:
    once = np.array([1.0, *[0.0] * 9])
    figure = bootstrapped(lambda column: float(column.sum() or np.nan), once)
    assert figure.low >= 1.0
    assert not math.isnan(figure.high)


def test_what_is_missing_says_why() -> None:
    figure = missing("no rows")
    assert math.isnan(figure.value)
    assert math.isnan(figure.low)
    assert (figure.n, figure.note) == (0, "no rows")
