"""Metrics, calibration and thresholds, compared with cases worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from belowline.training.files import to_plain
from belowline.training.measure.calibrate import (
    best_threshold,
    equal_weights,
    hold_threshold,
    operating_points,
    platt,
    threshold_for,
    threshold_of_share,
    two_sided,
)
from belowline.training.measure.intervals import percentiles, wilson
from belowline.training.measure.metrics import auc, bins, measure
from belowline.training.recipes.recipe import Recipe
from tests.support.calibration import calibration_error
from tests.support.rows import test_rows as rows_for

UNHURRIED = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # other processes may use the processor
TARGET = np.array([1.0, 0.0, 1.0, 0.0])
PROBABILITY = np.array([0.9, 0.8, 0.6, 0.1])


def test_measure_by_hand() -> None:
    found = measure(TARGET, PROBABILITY, 0.5)
    assert (found.examples, found.positives) == (4, 2)
    assert found["auc"].value == 0.75  # of the four pairs only (0.6, 0.8) is in the wrong order
    assert found["average_precision"].value == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert found["f1"].value == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    # Four bins with one each: |0.9 - 1|, 0.8, |0.6 - 1|, 0.1.
    assert found["calibration_error"].value == pytest.approx((0.1 + 0.8 + 0.4 + 0.1) / 4)


def test_shares_count_as_positive_from_one_half() -> None:
    assert measure(np.array([0.5, 0.49, 1.0]), np.array([0.9, 0.1, 0.8]), None).positives == 2


def test_the_interval_is_the_same_for_a_seed_and_holds_the_auc() -> None:
    rng = np.random.default_rng(1)
    target = (rng.random(300) < 0.4).astype(float)
    probability = np.clip(0.3 * target + 0.7 * rng.random(300), 0, 1)
    found = measure(target, probability, 0.5)
    assert found["auc"].low < found["auc"].value < found["auc"].high
    assert found["auc"].high - found["auc"].low < 0.2
    assert measure(target, probability, 0.5) == found
    assert measure(target, probability, 0.5, seed=1)["auc"].low != found["auc"].low


def test_what_one_class_cannot_tell_is_nan() -> None:
    fine = measure(np.zeros(3), np.array([0.1, 0.2, 0.3]), None)
    assert all(
        math.isnan(value)
        for value in (
            fine["auc"].value,
            fine["auc"].low,
            fine["auc"].high,
            fine["average_precision"].value,
            fine["f1"].value,
        )
    )
    bad = measure(np.ones(3), np.array([0.1, 0.2, 0.3]), 0.5)
    assert math.isnan(bad["auc"].value)
    assert (bad["average_precision"].value, bad["f1"].value) == (1.0, 0.0)


def test_as_dict_names_every_figure() -> None:
    figures = to_plain(measure(TARGET, PROBABILITY, 0.5))
    assert figures["auc"] == 0.75
    assert (figures["examples"], figures["positives"]) == (4, 2)
    assert (
        sum(name.endswith("_low") for name in figures) == sum(name.endswith("_high") for name in figures) == 9
    )
    assert len(figures) == 2 + 3 * 9
    assert to_plain(measure(TARGET, PROBABILITY, None))["f1_low"] is None


def test_precision_at_a_recall_by_hand() -> None:
    truth = np.array(
        [1.0, 1, 0, 1, 0, 0, 0, 1]
    )  # from the highest probability down: recall 1/4, 1/2, 1/2, 3/4, ..., 1
    found = measure(truth, np.linspace(0.9, 0.1, 8), None)
    assert (
        found["precision_at_50"].value,
        found["precision_at_80"].value,
        found["precision_at_95"].value,
    ) == (1.0, 0.5, 0.5)
    assert found["precision_at_50"].low < 1.0 == found["precision_at_50"].high


@UNHURRIED
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2, max_size=60).filter(
        lambda pairs: len({truth for truth, _ in pairs}) == 2
    ),
    st.sampled_from((0.0, 0.3, 0.65, 1.0)),
)
def test_figures_are_those_of_scikit_learn(pairs: list[tuple[bool, int]], threshold: float) -> None:
    truth, tenths = np.array([truth for truth, _ in pairs]), np.array([tenth for _, tenth in pairs])
    probability = tenths / 10  # many are equal
    found = measure(truth.astype(float), probability, threshold)
    assert found["auc"].value == pytest.approx(roc_auc_score(truth, probability))
    assert found["average_precision"].value == pytest.approx(average_precision_score(truth, probability))
    assert found["f1"].value == pytest.approx(f1_score(truth, probability >= threshold, zero_division=0))
    assert found["calibration_error"].value == pytest.approx(
        calibration_error(truth.astype(float), probability)
    )
    precision, recall, _ = precision_recall_curve(truth, probability)
    for share in (50, 80, 95):
        at = precision[recall >= share / 100 - 1e-9][-1]
        assert found[f"precision_at_{share}"].value == pytest.approx(at)


def test_the_intervals_cover_what_they_should() -> None:
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(40):
        truth = rng.random(200) < 0.3
        found = measure(truth.astype(float), rng.random(200), 0.5)
        covered += (
            found["auc"].low <= 0.5 <= found["auc"].high
        )  # chance: the probabilities carry no information
    assert covered >= 33


def test_order_changes_no_figure() -> None:
    rng = np.random.default_rng(6)
    target, probability = (rng.random(80) < 0.4).astype(float), rng.random(80).round(1)
    turned = rng.permutation(80)
    here, there = measure(target, probability, 0.4), measure(target[turned], probability[turned], 0.4)
    names = ("auc", "average_precision", "f1", "precision_at_80", "calibration_error")
    assert [here[name].value for name in names] == pytest.approx([there[name].value for name in names])


def test_percentiles_leave_out_what_was_not_measured() -> None:
    assert percentiles(np.array([math.nan, *range(101)])) == pytest.approx((2.5, 97.5))
    assert all(math.isnan(end) for end in percentiles(np.array([math.nan])))


def test_a_resampled_auc_is_that_of_the_rows_drawn() -> None:
    truth, probability = TARGET > 0, PROBABILITY
    counts = np.array([[1.0, 1, 1, 1], [3, 1, 0, 2], [2, 0, 2, 0]])
    drawn = [np.repeat(np.arange(4), row.astype(int)) for row in counts[:2]]
    expected = [roc_auc_score(truth[rows], probability[rows]) for rows in drawn]
    found = auc(truth, probability, counts)
    assert found[:2] == pytest.approx(expected)
    assert math.isnan(found[2])


def test_bins_are_of_equal_width_and_take_both_ends() -> None:
    assert bins(np.array([0.0, 0.066, 0.067, 0.5, 1.0])).tolist() == [0, 0, 1, 7, 14]


def test_calibration_error_is_zero_for_perfect_probabilities() -> None:
    assert calibration_error(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])) == 0
    assert calibration_error(np.array([1.0, 0.0, 0.0, 0.0]), np.full(4, 0.25)) == 0


@UNHURRIED
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_calibration_error_is_a_share(pairs: list[tuple[float, float]]) -> None:
    target, probability = np.array(pairs).T
    assert 0 <= calibration_error(target, probability) <= 1
    assert calibration_error(probability, probability) == 0


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (8, 10, 0.490, 0.943),
        (0, 10, 0.0, 0.278),
        (10, 10, 0.722, 1.0),
        (50, 100, 0.404, 0.596),
        (1, 1, 0.207, 1.0),
    ],
)
def test_wilson_against_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == pytest.approx((low, high), abs=6e-4)


@UNHURRIED
@given(st.integers(0, 500), st.integers(0, 500))
def test_wilson_holds_the_share(successes: int, failures: int) -> None:
    low, high = wilson(successes, successes + failures)
    share = successes / (successes + failures) if successes + failures else 0.5
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1


def test_wilson_without_trials_knows_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.5, -1.0), (2.0, 0.7)])
def test_platt_recovers_scale_and_shift(scale: float, shift: float) -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, 20_000)
    truth = rng.random(20_000) < 1 / (1 + np.exp(-(scale * logits + shift)))
    found = platt(logits, truth.astype(float), np.ones(20_000))
    assert found.scale == pytest.approx(scale, rel=0.06)
    assert found.shift == pytest.approx(shift, abs=0.06)


def test_platt_takes_shares_and_weights() -> None:
    logits = np.linspace(-3, 3, 50)
    shares = 1 / (1 + np.exp(-(1.5 * logits - 0.5)))
    noise = np.concatenate((shares, np.full(50, 0.5)))
    found = platt(np.tile(logits, 2), noise, np.repeat((1.0, 0.0), 50))
    assert (found.scale, found.shift) == (pytest.approx(1.5, abs=1e-3), pytest.approx(-0.5, abs=1e-3))


def test_platt_without_examples_changes_nothing() -> None:
    found = platt(np.array([]), np.array([]), np.array([]))
    assert (found.scale, found.shift) == (1.0, 0.0)


def test_every_corpus_has_the_same_say() -> None:
    weights = equal_weights(np.array(["a", "b", "a", "a"]))
    assert weights == pytest.approx([1 / 6, 1 / 2, 1 / 6, 1 / 6])
    assert len(equal_weights(np.array([], dtype=str))) == 0


def test_a_source_that_knows_one_side_is_left_out() -> None:
    target = np.array([1.0, 0.0, float("nan"), 1.0, 0.9, 0.1, 0.2])
    found = two_sided(target, np.array(["a", "a", "a", "b", "b", "c", "c"]))
    assert found.tolist() == [True, True, False, False, False, False, False]


def test_threshold_by_hand() -> None:
    probability = np.concatenate((np.full(40, 0.9), np.full(20, 0.6), np.full(40, 0.2)))
    target = np.concatenate((np.ones(40), np.ones(8), np.zeros(12), np.zeros(38), np.ones(2)))
    found = threshold_for(0.8, probability, target)
    assert found is not None
    assert (found.threshold, found.precision, found.held) == (0.6, 0.8, 60)
    assert found.recall == pytest.approx(48 / 50)
    assert (found.low, found.high) == wilson(48, 60)
    higher = threshold_for(0.81, probability, target)
    assert higher is not None
    assert (higher.threshold, higher.precision) == (0.9, 1.0)


def test_no_threshold_where_the_precision_is_never_reached() -> None:
    probability = np.linspace(0, 1, 200)
    assert threshold_for(0.8, probability, np.tile((0.0, 1.0), 100)) is None
    assert threshold_for(0.8, np.array([]), np.array([])) is None


def test_a_label_that_would_hold_hardly_anything_holds_from_its_best_f_half() -> None:
    probability = np.repeat((0.95, 0.6, 0.1), (40, 200, 200))
    target = np.concatenate((np.ones(40), np.tile((1.0, 1.0, 0.0), 67)[:200], np.zeros(200)))
    precise = hold_threshold(0.9, 0.2, probability, target)
    assert precise is not None
    assert (precise.threshold, precise.precision) == (0.95, 1.0)
    wider = hold_threshold(0.9, 0.25, probability, target)
    assert wider == best_threshold(probability, target)
    assert wider is not None
    assert wider.threshold == 0.6
    assert hold_threshold(0.9, 0.25, probability, np.zeros(440)) is None


def test_a_floor_is_the_lowest_threshold() -> None:
    probability = np.repeat((0.9, 0.6, 0.2), (40, 40, 40))
    target = np.repeat((1.0, 1.0, 0.0), 40)
    assert threshold_for(0.6, probability, target, 0.61).threshold == 0.9  # type: ignore[union-attr]
    assert best_threshold(probability, target, 0.61).threshold == 0.9  # type: ignore[union-attr]
    assert threshold_for(0.6, probability, target, 0.91) is None


def test_a_share_of_comments_weighs_sources_alike() -> None:
    probability = np.array([0.9, 0.8, 0.7, 0.6, 0.95, 0.1, 0.1, 0.1, 0.1, 0.1])
    sources = np.array(["a"] * 4 + ["b"] * 6)
    found = {share: threshold_of_share(share, probability, sources) for share in (0.0, 0.1, 0.3, 1.0)}
    assert found == {
        0.0: pytest.approx(0.9501),
        0.1: pytest.approx(0.9001),
        0.3: pytest.approx(0.8001),
        1.0: 0,
    }
    assert threshold_of_share(0.0, np.array([]), np.array([], dtype=str)) == 0


def test_harmless_ordinary_comments_raise_a_threshold_and_harmful_ones_do_not() -> None:
    nothing = np.full(40, np.nan)
    spam = np.concatenate((np.repeat((1.0, 0.0), 40), nothing))
    hate = np.concatenate((nothing, nothing, np.repeat((1.0, 0.0), 20)))
    sources = np.repeat(("toy", "letters"), (80, 40))
    rows = rows_for([""] * 120, np.array((spam, hate)).T, sources, [""] * 120, ("spam", "hate"))
    probability = np.concatenate((np.linspace(1, 0.6, 80), np.full(20, 0.95), np.full(20, 0.75)))
    recipe = {"name": "trial", "base": "none", "mix": {"toy": 1.0, "letters": 1.0}, "hold_precision": 0.6}
    limit = {"ordinary": ["letters"], "hold_harmless": 0.1}
    free, limited = (
        operating_points("spam", Recipe.model_validate(recipe | more), probability, rows)[0]
        for more in ({}, limit)
    )
    assert free is not None
    assert limited is not None
    assert free.threshold < 0.75 < limited.threshold < 0.95


def test_no_threshold_from_a_handful() -> None:
    probability = np.linspace(0, 1, 29)
    assert threshold_for(0.5, probability, np.ones(29)) is None
    assert threshold_for(0.5, np.linspace(0, 1, 30), np.ones(30)) is not None


def test_equal_probabilities_are_held_together() -> None:
    probability = np.full(60, 0.7)
    target = np.repeat((1.0, 0.0), 30)
    assert threshold_for(0.9, probability, target) is None
    assert threshold_for(0.5, probability, target).held == 60  # type: ignore[union-attr]


def test_rounding_a_threshold_lets_nothing_in() -> None:
    probability = np.concatenate((np.full(40, 0.70009), np.full(40, 0.70002)))
    assert threshold_for(0.9, probability, np.repeat((1.0, 0.0), 40)) is None


def test_the_best_threshold_by_hand() -> None:
    probability = np.repeat((0.9, 0.6, 0.2), (40, 20, 40))
    target = np.concatenate((np.ones(30), np.zeros(10), np.ones(2), np.zeros(18), np.zeros(40)))
    found = best_threshold(probability, target)
    assert (
        found is not None
    )  # F0.5 of 1.25 * hits / (held + 0.25 * 32): 0.781 at 0.9, 0.588 at 0.6, 0.370 at 0.2
    assert (found.threshold, found.precision, found.recall) == (0.9, 0.75, 30 / 32)
    assert best_threshold(probability, np.zeros(100)) is None
    assert best_threshold(np.array([]), np.array([])) is None


@UNHURRIED
@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=30, max_size=120),
    st.sampled_from((0.3, 0.6, 0.9)),
    st.sampled_from((1, 2, 8)),
)
def test_the_stated_precision_holds_and_no_lower_threshold_has_it(
    pairs: list[tuple[float, bool]], precision: float, digits: int
) -> None:
    probability = np.round(np.array([value for value, _ in pairs]), digits)
    target = np.array([truth for _, truth in pairs], dtype=float)
    found = threshold_for(precision, probability, target)
    grid = np.unique(np.floor(probability * 1e4) / 1e4)
    able = [
        step
        for step in grid
        if (probability >= step).sum() >= 30 and target[probability >= step].mean() >= precision
    ]
    if not able:
        assert found is None
        return
    assert found is not None
    held = probability >= found.threshold
    assert target[held].mean() == pytest.approx(found.precision)
    assert found.precision >= precision
    assert held.sum() == found.held >= 30
    assert found.threshold == pytest.approx(min(able))
