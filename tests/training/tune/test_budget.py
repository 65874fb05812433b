"""Thresholds for what a team can review a day."""

import itertools

import numpy as np
import pytest

from belowline.model import Thresholds
from belowline.training.errors import TuneError
from belowline.training.tune.choice import Goal, Load, for_budget, most_within, reviews
from tests.support.tune_world import World, laid_out, policy_of, worlds

PRESENT = {"spam": 0.5, "hate": 0.6}
GOAL = Goal(per_day=500, comments_per_day=10_000)


def load_of(world: World, **fields: object) -> Load:
    harmful = np.any(list(world.harmful.values()), axis=0)
    nothing = np.zeros(world.n, dtype=bool)
    values = {"weights": np.ones(world.n), "harmful": harmful, "held": nothing, "rejected": nothing}
    return Load(**{**values, **fields})  # type: ignore[arg-type]


def test_it_fits_counts_overlap_once_and_catches_nearly_the_most() -> None:
    world = World(5, 4000, ("spam", "hate"))
    steps = {label: [round(0.98 - 0.02 * step, 2) for step in range(45)] for label in world.scores}
    load = load_of(world)
    for most in (0.02, 0.05, 0.15):
        found = most_within(most, load, world.scores, steps)
        held = world.held({label: value for label, value in found.items() if value is not None})
        assert held.mean() <= most
        pairs = (
            world.held({"spam": spam, "hate": hate})
            for spam, hate in itertools.product(steps["spam"], steps["hate"])
        )
        best = max(int(load.harmful[pair].sum()) for pair in pairs if pair.mean() <= most)
        assert load.harmful[held].sum() >= 0.9 * best


def test_what_is_held_anyway_is_paid_first_and_what_is_rejected_costs_nothing() -> None:
    world = World(6, 4000, ("spam",))
    steps = {"spam": [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]}
    free = most_within(0.05, load_of(world), world.scores, steps)["spam"]
    anyway = most_within(0.05, load_of(world, held=np.arange(4000) < 160), world.scores, steps)["spam"]
    rejecting = most_within(0.05, load_of(world, rejected=world.scores["spam"] >= 0.85), world.scores, steps)[
        "spam"
    ]
    assert free is not None
    assert anyway is not None
    assert rejecting is not None
    assert anyway > free >= rejecting
    assert most_within(0.0, load_of(world), world.scores, steps) == {"spam": None}


def test_the_reviews_of_a_day_suffice() -> None:
    truth = World(10_000, 500_000, ("spam", "hate"))
    loads, contradicted = [], 0
    for world in worlds(30, 12_000, ("spam", "hate")):
        decisions = laid_out(world.seen(PRESENT, 0.1))
        choices = for_budget(decisions, policy_of(PRESENT), GOAL)
        hold = {one.label: one.proposed.hold for one in choices if one.proposed.hold is not None}
        loads.append(truth.held(hold).mean() * 10_000)
        held = np.any([decisions.probabilities[label] >= hold[label] for label in hold], axis=0)
        told = decisions.sample.share(held, ~decisions.first)
        contradicted += told.low * 10_000 > 500
        assert told.low * 10_000 <= loads[-1] * 1.1
    assert contradicted <= 3
    assert 400 < np.mean(loads) <= 510
    assert max(loads) < 650


def test_reviews_count_random_draws_and_second_reviews() -> None:
    policy = policy_of(PRESENT, sample=0.01, second_review=0.1)
    assert reviews(0.05, 0.02, policy, 1000) == pytest.approx(1.1 * (50 + 0.01 * 930))


def test_a_budget_that_other_rules_spend_is_refused() -> None:
    decisions = laid_out(World(7, 12_000, ("spam", "hate")).seen(PRESENT, 0.1))
    with pytest.raises(TuneError, match="1,000 reviews a day, more than 500"):
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
