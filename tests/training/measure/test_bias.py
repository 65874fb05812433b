"""Bias over named groups, against cases worked out by hand and against scikit-learn."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from belowline.training.measure.bias import (
    EVERYBODY,
    FEWEST,
    KINDS,
    draws_of_groups,
    gaps,
    groups_that_count,
    power_mean,
    summary,
)
from belowline.training.measure.intervals import percentiles, resampled
from belowline.training.measure.metrics import Draws

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
    return draws_of_groups(TRUTH, probability, hold, groups, np.ones(N), COUNTS)


def test_aucs_by_their_definitions() -> None:
    found = drawn(UNFAIR, {"g": NAMED})["g"]
    parts = {
        "subgroup": NAMED,
        "bpsn": TRUTH & ~NAMED | ~TRUTH & NAMED,
        "bnsp": ~TRUTH & ~NAMED | TRUTH & NAMED,
    }
    for kind, part in parts.items():
        draws = found[f"{kind}_auc"]
        low, high = percentiles(draws[1:])
        assert draws[0] == pytest.approx(roc_auc_score(TRUTH[part], UNFAIR[part]))
        assert low < draws[0] < high
    assert found["false_positive_rate"][0] == pytest.approx((UNFAIR[NAMED & ~TRUTH] >= 0.5).mean())


def test_a_model_that_takes_mention_for_harm_is_found_out() -> None:
    fair, unfair = (drawn(given, {"g": NAMED}) for given in (FAIR, UNFAIR))
    assert unfair["g"]["bpsn_auc"][0] < fair["g"]["bpsn_auc"][0] - 0.1
    assert unfair["g"]["bnsp_auc"][0] == pytest.approx(fair["g"]["bnsp_auc"][0])
    assert unfair["g"]["false_positive_rate"][0] > fair["g"]["false_positive_rate"][0]
    assert gaps(unfair)["bias_gap"][0] > gaps(fair)["bias_gap"][0]


def test_the_score_by_hand() -> None:
    groups = {"g": NAMED, "h": RNG.random(N) < 0.5, "rare": np.arange(N) < FEWEST}
    counted = list(groups_that_count(TRUTH, groups))
    assert counted == ["g", "h"]
    draws = drawn(FAIR, groups)
    found = summary(draws, counted)
    means = []
    for kind in KINDS:
        aucs = np.array([draws[group][f"{kind}_auc"][0] for group in counted])
        means.append((0.5 * (aucs**-5).sum()) ** -0.2)
        assert found[kind][0] == pytest.approx(means[-1])
    assert found["auc"][0] == pytest.approx(roc_auc_score(TRUTH, FAIR))
    assert found["score"][0] == pytest.approx(found["auc"][0] / 4 + sum(means) / 4)
    assert found["false_positive_rate"][0] == pytest.approx((FAIR[~TRUTH] >= 0.5).mean())


def test_gaps_by_their_definitions() -> None:
    draws = draws_of_groups(TRUTH, UNFAIR, 0.5, {"g": NAMED}, np.ones(N), COUNTS, ["bpsn"])
    found, bpsn = gaps(draws), TRUTH ^ NAMED
    wanted = roc_auc_score(TRUTH, UNFAIR) - roc_auc_score(TRUTH[bpsn], UNFAIR[bpsn])
    assert found["bias_gap"][0] == pytest.approx(wanted)
    held = UNFAIR >= 0.5
    assert found["false_positive_gap"][0] == pytest.approx(held[NAMED & ~TRUTH].mean() - held[~TRUTH].mean())
    assert all(len(values) == len(COUNTS) for values in found.values())
    assert set(gaps(drawn(UNFAIR, {"g": NAMED}, None))) == {"bias_gap"}


def test_power_mean_leans_to_the_worst() -> None:
    values = np.array([[0.5, 0.9, 0.7], [1.0, 0.9, 0.0]])
    assert power_mean(values) == pytest.approx([((2**5 + 1) / 2) ** -0.2, 0.9, 0.0])


def test_what_cannot_be_measured_is_nan() -> None:
    truth, given = np.array([False, False, True, True]), np.array([0.1, 0.6, 0.7, 0.9])
    named = {"g": np.array([True, True, False, False])}
    found = draws_of_groups(truth, given, None, named, np.ones(4), resampled(np.arange(4), 10))
    assert math.isnan(found["g"]["subgroup_auc"][0])
    assert found["g"]["bpsn_auc"][0] == found[EVERYBODY]["auc"][0] == 1.0
    assert math.isnan(found["g"]["false_positive_rate"][0])
    assert math.isnan(summary(found, [])["score"][0])
