"""Weighted shares, their intervals, and thresholds that keep a promise, in simulations with known truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest

from belowline.model import Thresholds
from belowline.training.measure.intervals import UNKNOWN, Bools, Floats, Sample, exact
from belowline.training.tune.choice import (
    FEWEST_HELD,
    NEVER,
    Goal,
    LabelDecisions,
    for_precision,
    lowest_reaching,
)
from belowline.training.tune.decisions import Decisions
from tests.support.tune_world import World, decided, laid_out, policy_of, worlds

PRESENT, SHARE, PROMISE = {"spam": 0.5}, 0.05, 0.6


def label_of(
    scores: Floats,
    target: Floats,
    drawn: Bools,
    weights: Floats | None = None,
    hold: float | None = 0.5,
    *,
    first: bool = True,
) -> LabelDecisions:
    """Decisions about one label, all of them in one half; NaN is an unknown target."""
    n = len(scores)
    rows = [decided(i, {} if np.isnan(value) else {"spam": value}, {}) for i, value in enumerate(target)]
    sample = Sample(np.ones(n) if weights is None else weights, np.arange(n))
    decisions = Decisions(rows, sample, drawn, np.full(n, first), {"spam": scores}, ["en"] * n, [])
    return LabelDecisions(decisions, "spam", Thresholds(hold=hold))


def equal(n: int, clusters: int | None = None) -> Sample:
    return Sample(np.ones(n), np.arange(n) % (clusters or n))


@pytest.mark.parametrize(("hits", "n"), [(0, 40), (3, 40), (40, 40), (179, 200)])
def test_with_equal_weights_the_interval_is_the_exact_one(hits: int, n: int) -> None:
    found = equal(n).share(np.arange(n) < hits, np.ones(n, dtype=bool))
    wanted = binomtest(hits, n).proportion_ci(0.95, "exact")
    assert found.value == hits / n
    assert exact(hits / n, n) == pytest.approx(tuple(wanted), abs=1e-9)
    # One less than n - 1 degrees of freedom: the variance is an estimate itself.
    assert (found.low, found.high) == pytest.approx(tuple(wanted), abs=0.01)


def test_weights_count_and_make_the_number_smaller() -> None:
    weights = np.array([1.0] * 50 + [20.0] * 5)
    hits = np.arange(55) < 50
    found = Sample(weights, np.arange(55)).share(hits, np.ones(55, dtype=bool))
    assert found.value == pytest.approx(50 / 150)
    assert found.n == 55
    assert found.low < 0.15
    assert found.high > 0.6


def test_comments_that_are_alike_say_less() -> None:
    hits = np.arange(200) % 10 < 5  # in 10 clusters, each with all or none
    everything = np.ones(200, dtype=bool)
    apart, together = equal(200).share(hits, everything), equal(200, 10).share(hits, everything)
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_one_cluster_and_nothing_say_nothing() -> None:
    some = np.ones(50, dtype=bool)
    assert (equal(50, 1).share(some, some).low, equal(50, 1).share(some, some).high) == (0.0, 1.0)
    assert equal(50).share(some, ~some) is UNKNOWN


def test_so_many_harmful_comments_in_a_row_reach_a_precision() -> None:
    assert exact(1.0, 36)[0] >= 0.9 > exact(1.0, 35)[0]


def whole(decisions: Decisions) -> Decisions:
    """Return the decisions with all of them in the second half."""
    return replace(decisions, first=np.zeros(len(decisions.rows), dtype=bool))


@pytest.mark.slow
def test_weighted_shares_are_unbiased() -> None:
    """Averages over many draws are right: precision below the present threshold, recall, and the held share."""
    world = World(1, 20_000)
    truth = (world.precision("spam", 0.3), (world.scores["spam"] >= 0.3).mean())
    recall = (world.scores["spam"] >= 0.3)[world.harmful["spam"]].mean()
    found = []
    for _ in range(60):
        decisions = laid_out(world.seen(PRESENT, SHARE))
        told = LabelDecisions(whole(decisions), "spam", Thresholds(hold=0.5)).point(0.3)
        found.append((told.precision.value, told.held.value, told.recall.value))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(60)
    assert np.all(np.abs(mean - (*truth, recall)) < 3.5 * error)
    unweighted = World(1, 20_000).seen(PRESENT, SHARE)
    naive = np.mean([row.labels["spam"] for row in unweighted if row.scores["spam"] >= 0.3])
    assert abs(naive - truth[0]) > 10 * error[0]


@pytest.mark.slow
def test_the_promise_is_kept_in_nine_draws_of_ten() -> None:
    truth = World(10_000, 1_000_000)
    kept = chosen = covered = by_estimate = 0
    for world in worlds(100, 6000):
        decisions = laid_out(world.seen(PRESENT, SHARE))
        (choice,) = for_precision(decisions, policy_of(PRESENT), Goal(precision=PROMISE))
        if choice.proposed == choice.present:
            continue
        chosen += 1
        true = truth.precision("spam", choice.proposed.hold or 1.0)
        kept += true >= PROMISE
        assert choice.measured is not None
        covered += choice.measured.precision.low <= true <= choice.measured.precision.high
        data = LabelDecisions(decisions, "spam", choice.present)
        curve = map(data.point, data.candidates())
        able = [one.threshold for one in curve if one.precision.value >= PROMISE]
        by_estimate += truth.precision("spam", min(able)) >= PROMISE
    assert chosen >= 80
    assert kept >= 0.9 * chosen
    assert covered >= 0.9 * chosen
    assert by_estimate < 0.8 * chosen  # so thresholds are not chosen by the estimate alone


def test_draws_that_do_not_know_a_label_do_not_speak_for_it() -> None:
    """Published comments do not label insults, so every drawn one with the label is harmful.

    They are no estimate of precision.
    """
    rng = np.random.default_rng(3)
    scores = rng.random(4000)
    drawn = scores < 0.5
    target = (rng.random(4000) < scores).astype(float)
    target[drawn & (target == 0)] = np.nan
    weights = np.where(drawn, 20.0, 1.0)
    known = label_of(scores, target, drawn, weights)
    assert (known.floor, known.all_traffic) == (0.5, True)
    assert not known.counts[drawn].any()
    assert min(known.candidates()) == 0.5
    assert known.point(0.6, first=True).recall is UNKNOWN


def test_without_draws_nothing_is_known_below_the_present_threshold() -> None:
    scores, target, drawn = np.linspace(0, 1, 400), np.ones(400), np.zeros(400, dtype=bool)
    known = label_of(scores, target, drawn, hold=0.7)
    assert min(known.candidates()) == 0.7
    point = known.point(0.8, first=True)
    assert point.recall is UNKNOWN
    assert point.held is UNKNOWN
    never = label_of(scores, target, drawn, hold=None)
    assert (never.floor, never.candidates()) == (NEVER, [])


def test_candidates_hold_enough_and_part_no_equal_scores() -> None:
    scores = np.repeat(np.linspace(0.01, 0.99, 50), 20)
    found = label_of(scores, np.ones(1000), np.ones(1000, dtype=bool), hold=0.4321).candidates()
    assert 0.4321 in found
    assert found == sorted(set(found), reverse=True)
    assert all((scores >= threshold).sum() >= FEWEST_HELD for threshold in found)
    assert len(found) < 45


def test_the_lowest_threshold_is_found_or_there_is_none() -> None:
    rng = np.random.default_rng(0)
    scores, everything = rng.random(400), np.ones(400, dtype=bool)
    known = label_of(scores, (rng.random(400) < 0.95).astype(float), everything)
    points = [known.point(threshold, first=True) for threshold in known.candidates()]
    found = lowest_reaching(0.9, points)
    assert found is not None
    assert known.point(found, first=True).precision.low >= 0.9
    assert lowest_reaching(0.99, points) is None
