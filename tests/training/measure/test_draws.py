"""Bias over named groups, against cases worked out by hand and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from belowline.training.measure.draws import FEWEST, bias_draws, power_mean
from belowline.training.measure.intervals import percentiles, resampled
from belowline.training.measure.metrics import Draws
from belowline.training.measure.parts import BIAS

RNG = np.random.default_rng(5)
N = 400
TRUTH = RNG.random(N) < 0.4
NAMED = RNG.random(N) < 0.3
FAIR = np.clip(0.35 * TRUTH + 0.65 * RNG.random(N), 0, 1)
UNFAIR = np.clip(FAIR + 0.3 * (NAMED & ~TRUTH), 0, 1)  # harmless comments that name the group look worse
COUNTS = resampled(np.arange(N), 100)


def drawn(
    probability: np.ndarray, groups: dict[str, np.ndarray], hold: float | None = 0.5
) -> dict[str, Draws]:
    return bias_draws(TRUTH, probability, hold, groups, np.ones(N), COUNTS)


def test_auc_and_rate_by_their_definitions() -> None:
    found, part = drawn(UNFAIR, {"g": NAMED})["g"], TRUTH & ~NAMED | ~TRUTH & NAMED
    draws = found["bpsn_auc"]
    low, high = percentiles(draws[1:])
    assert draws[0] == pytest.approx(roc_auc_score(TRUTH[part], UNFAIR[part]))
    assert low < draws[0] < high
    assert found["false_positive_rate"][0] == pytest.approx((UNFAIR[NAMED & ~TRUTH] >= 0.5).mean())


def test_a_model_that_takes_mention_for_harm_is_found_out() -> None:
    fair, unfair = (drawn(given, {"g": NAMED}) for given in (FAIR, UNFAIR))
    assert unfair["g"]["bpsn_auc"][0] < fair["g"]["bpsn_auc"][0] - 0.1
    assert unfair["g"]["false_positive_rate"][0] > fair["g"]["false_positive_rate"][0]
    assert unfair[BIAS]["bias_gap"][0] > fair[BIAS]["bias_gap"][0]


def test_gaps_by_their_definitions() -> None:
    groups = {"g": NAMED, "h": RNG.random(N) < 0.5, "rare": np.arange(N) < FEWEST}
    found = drawn(UNFAIR, groups)
    assert set(found) == {"g", "h", BIAS}
    aucs, rates = [], []
    for mask in (groups["g"], groups["h"]):
        bpsn = TRUTH ^ mask
        aucs.append(roc_auc_score(TRUTH[bpsn], UNFAIR[bpsn]))
        rates.append((UNFAIR[mask & ~TRUTH] >= 0.5).mean())
    mean = (0.5 * (np.array(aucs) ** -5).sum()) ** -0.2
    assert found[BIAS]["bias_gap"][0] == pytest.approx(roc_auc_score(TRUTH, UNFAIR) - mean)
    assert found[BIAS]["false_positive_gap"][0] == pytest.approx(max(rates) - (UNFAIR[~TRUTH] >= 0.5).mean())
    assert all(len(values) == len(COUNTS) for values in found[BIAS].values())


def test_power_mean_leans_to_the_worst() -> None:
    values = np.array([[0.5, 0.9, 0.7], [1.0, 0.9, 0.0]])
    assert power_mean(values) == pytest.approx([((2**5 + 1) / 2) ** -0.2, 0.9, 0.0])


def test_what_cannot_be_measured_is_left_out() -> None:
    found = drawn(UNFAIR, {"g": NAMED}, None)
    assert set(found["g"]) == {"bpsn_auc"}
    assert set(found[BIAS]) == {"bias_gap"}
    assert drawn(UNFAIR, {"rare": np.arange(N) < FEWEST}) == {}
