"""Thresholds for a team's daily number of reviews."""

import numpy as np
import pytest

from belowline.model import Thresholds
from belowline.training.errors import TuneError
from belowline.training.tune.choice import Goal, for_budget, reviews, shares_of, with_thresholds
from tests.support.tune_world import World, laid_out, policy_of, worlds

PRESENT = {"spam": 0.5, "hate": 0.6}
GOAL = Goal(per_day=500, comments_per_day=10_000)


@pytest.mark.slow
def test_the_reviews_of_a_day_suffice_and_catch_most_harm() -> None:
    truth = World(10_000, 500_000, ("spam", "hate"))
    harmful = np.any(list(truth.harmful.values()), axis=0)
    loads, caught = [], []
    for world in worlds(12, 12_000, ("spam", "hate")):
        decisions = laid_out(world.seen(PRESENT, 0.1))
        choices = for_budget(decisions, policy_of(PRESENT), GOAL)
        hold = {one.label: one.proposed.hold for one in choices if one.proposed.hold is not None}
        held = truth.held(hold)
        loads.append(held.mean() * 10_000)
        caught.append((held & harmful).sum())
    assert 400 < np.mean(loads) <= 520
    assert max(loads) < 650
    # The best possible result for this number of reviews: the true probability of harm orders all comments.
    chance = 1 - np.prod([1 - scores**1.3 for scores in truth.scores.values()], axis=0)
    most = harmful[np.argsort(-chance)[: int(np.mean(loads) / 10_000 * truth.n)]].sum()
    assert np.mean(caught) > 0.85 * most


def test_what_is_held_anyway_is_paid_first() -> None:
    decisions = laid_out(World(6, 12_000, ("spam", "hate")).seen(PRESENT, 0.1))
    policy = policy_of(PRESENT)
    goals = (Goal(per_day=most, comments_per_day=10_000) for most in (300, 500, 900))
    shares = []
    for goal in goals:
        thresholds = {one.label: one.proposed for one in for_budget(decisions, policy, goal)}
        held, rejected = shares_of(decisions, with_thresholds(policy, thresholds), decisions.first)
        assert reviews(held, rejected, policy, 10_000) <= (goal.per_day or 0)
        shares.append(held)
    assert shares == sorted(set(shares))


def test_reviews_count_random_draws_and_second_reviews() -> None:
    policy = policy_of(PRESENT, sample=0.01, second_review=0.1)
    assert reviews(0.05, 0.02, policy, 1000) == pytest.approx(1.1 * (50 + 0.01 * 930))


def test_a_budget_that_other_rules_spend_is_refused() -> None:
    decisions = laid_out(World(7, 12_000, ("spam", "hate")).seen(PRESENT, 0.1))
    with pytest.raises(TuneError, match="1,000 reviews a day"):
        for_budget(decisions, policy_of(PRESENT, sample=0.1), GOAL)


def test_a_budget_needs_random_draws() -> None:
    world = World(8, 4000)
    held = [row for row in world.seen({"spam": 0.3}, 0.1) if row.sampled == "picked"]
    with pytest.raises(TuneError, match="random sample"):
        for_budget(laid_out(held), policy_of({"spam": 0.3}), GOAL)


def test_a_label_without_evidence_keeps_its_threshold_and_what_it_costs() -> None:
    decisions = laid_out(World(9, 12_000, ("spam",)).seen({"spam": 0.5}, 0.1))
    spam, threat = for_budget(decisions, policy_of({"spam": 0.5, "threat": 0.9}), GOAL)
    assert spam.proposed != spam.present
    assert threat.proposed == threat.present == Thresholds(hold=0.9)
    assert "60 more" in threat.reason
