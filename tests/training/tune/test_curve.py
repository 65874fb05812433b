"""Weighted shares, their intervals, and thresholds that keep a promise, in worlds where the truth is known."""

import numpy as np
import pytest
from scipy.stats import binomtest

from belowline.training.tune.choice import Goal, for_precision
from belowline.training.tune.curve import (
    FEWEST_HELD,
    NEVER,
    at_least,
    candidates,
    known_of,
    lowest_keeping,
    point,
    times_as_many,
)
from belowline.training.tune.shares import UNKNOWN, Sample, exact
from tests.support.tune_world import World, laid_out, policy_of, worlds

PRESENT, SHARE, PROMISE = {"spam": 0.5}, 0.05, 0.6


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
    assert found.effective <= 150**2 / (50 + 5 * 400)
    assert found.low < 0.15
    assert found.high > 0.6


def test_comments_that_are_alike_say_less() -> None:
    hits = np.arange(200) % 10 < 5  # in 10 clusters all or none
    everything = np.ones(200, dtype=bool)
    apart, together = equal(200).share(hits, everything), equal(200, 10).share(hits, everything)
    assert together.effective < 12 < apart.effective
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_one_cluster_and_nothing_say_nothing() -> None:
    some = np.ones(50, dtype=bool)
    assert (equal(50, 1).share(some, some).low, equal(50, 1).share(some, some).high) == (0.0, 1.0)
    assert equal(50).share(some, ~some) is UNKNOWN


def test_a_promise_has_its_least_number() -> None:
    assert at_least(0.9) == 36  # 0.025 ** (1 / 36) is the first above 0.9
    assert exact(1.0, 36)[0] >= 0.9 > exact(1.0, 35)[0]


def test_weighted_shares_are_unbiased() -> None:
    """Over many draws of the sample, precision below the present threshold, recall and the share held are right on average."""
    world = World(1, 20_000)
    truth = (world.precision("spam", 0.3), (world.scores["spam"] >= 0.3).mean())
    recall = (world.scores["spam"] >= 0.3)[world.harmful["spam"]].mean()
    found = []
    for _ in range(60):
        decisions = laid_out(world.seen(PRESENT, SHARE))
        scores, weights = decisions.probabilities["spam"], decisions.sample.weights
        known = known_of(scores, decisions.targets("spam"), decisions.drawn, weights, 0.5)
        told = point(0.3, known, decisions.sample)
        found.append((told.precision.value, told.held.value, told.recall.value))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(60)
    assert np.all(np.abs(mean - (*truth, recall)) < 3.5 * error)
    unweighted = World(1, 20_000).seen(PRESENT, SHARE)
    naive = np.mean([row.labels["spam"] for row in unweighted if row.scores["spam"] >= 0.3])
    assert abs(naive - truth[0]) > 10 * error[0]


def test_the_promise_is_kept_in_nine_draws_of_ten() -> None:
    truth = World(10_000, 1_000_000)
    kept = chosen = covered = by_estimate = 0
    for world in worlds(100, 6000):
        decisions = laid_out(world.seen(PRESENT, SHARE))
        (choice,) = for_precision(decisions, policy_of(PRESENT), Goal(precision=PROMISE))
        if choice.chosen_on is None:
            continue
        chosen += 1
        true = truth.precision("spam", choice.chosen_on.threshold)
        kept += true >= PROMISE
        assert choice.stated is not None
        covered += choice.stated.precision.low <= true <= choice.stated.precision.high
        able = [one.threshold for one in choice.curve if one.precision.value >= PROMISE]
        by_estimate += truth.precision("spam", min(able)) >= PROMISE
    assert chosen >= 80
    assert kept >= 0.9 * chosen
    assert covered >= 0.9 * chosen
    assert by_estimate < 0.8 * chosen  # which is why the rule is not that


def test_draws_that_do_not_know_a_label_do_not_speak_for_it() -> None:
    """Published comments say nothing of insults, so drawn ones that know the label are harmful all: that is no precision."""
    rng = np.random.default_rng(3)
    scores = rng.random(4000)
    drawn = scores < 0.5
    target = (rng.random(4000) < scores).astype(float)
    target[drawn & (target == 0)] = np.nan
    weights = np.where(drawn, 20.0, 1.0)
    known = known_of(scores, target, drawn, weights, 0.5)
    assert (known.whole, known.floor, known.traffic) == (False, 0.5, True)
    assert not known.counts[drawn].any()
    assert min(candidates(known, 0.5)) == 0.5
    assert point(0.6, known, equal(4000)).recall is UNKNOWN


def test_without_draws_nothing_is_known_below_the_present_threshold() -> None:
    scores, target = np.linspace(0, 1, 400), np.ones(400)
    known = known_of(scores, target, np.zeros(400, dtype=bool), np.ones(400), 0.7)
    assert min(candidates(known, 0.7)) == 0.7
    told = point(0.8, known, equal(400))
    assert told.recall is UNKNOWN
    assert told.held is UNKNOWN
    never = known_of(scores, target, np.zeros(400, dtype=bool), np.ones(400), None)
    assert (never.floor, candidates(never, None)) == (NEVER, [])


def test_candidates_hold_enough_and_part_no_equal_scores() -> None:
    scores = np.repeat(np.linspace(0.01, 0.99, 50), 20)
    known = known_of(scores, np.ones(1000), np.ones(1000, dtype=bool), np.ones(1000), 0.5)
    found = candidates(known, 0.4321)
    assert 0.4321 in found
    assert found == sorted(set(found), reverse=True)
    assert all((scores >= threshold).sum() >= FEWEST_HELD for threshold in found)
    assert len(found) < 45


def test_how_many_more_decisions() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(400)
    target = (rng.random(400) < 0.95).astype(float)
    known = known_of(scores, target, np.ones(400, dtype=bool), np.ones(400), 0.5)
    points = [point(threshold, known, equal(400)) for threshold in candidates(known, 0.5)]
    assert lowest_keeping(0.9, points) is not None
    assert lowest_keeping(0.99, points) is None
    times = times_as_many(0.93, points)
    assert times is not None
    assert 1 < times < 100
    assert times_as_many(0.9999, [one for one in points if one.precision.value < 1]) is None
