"""Bias over named groups, against cases worked out by hand and against scikit-learn."""

import json
import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from belowline.training.files import to_plain
from belowline.training.measure.bias import FEWEST, KINDS, measure_bias, power_mean
from belowline.training.measure.metrics import wilson

RNG = np.random.default_rng(5)
N = 400
TRUTH = RNG.random(N) < 0.4
NAMED = RNG.random(N) < 0.3
FAIR = np.clip(0.35 * TRUTH + 0.65 * RNG.random(N), 0, 1)
UNFAIR = np.clip(FAIR + 0.3 * (NAMED & ~TRUTH), 0, 1)  # harmless comments that name the group look worse


def test_aucs_by_their_definitions() -> None:
    found = measure_bias(TRUTH.astype(float), UNFAIR, 0.5, {"g": NAMED}).groups["g"]
    parts = {
        "subgroup": NAMED,
        "bpsn": TRUTH & ~NAMED | ~TRUTH & NAMED,
        "bnsp": ~TRUTH & ~NAMED | TRUTH & NAMED,
    }
    for kind, part in parts.items():
        auc, low, high = found.aucs[kind]
        assert auc == pytest.approx(roc_auc_score(TRUTH[part], UNFAIR[part]))
        assert low < auc < high
    assert (found.examples, found.positives) == (NAMED.sum(), (TRUTH & NAMED).sum())


def test_a_model_that_takes_mention_for_harm_is_found_out() -> None:
    target = TRUTH.astype(float)
    fair, unfair = (measure_bias(target, given, 0.5, {"g": NAMED}) for given in (FAIR, UNFAIR))
    assert unfair.groups["g"].aucs["bpsn"][0] < fair.groups["g"].aucs["bpsn"][0] - 0.1
    assert unfair.groups["g"].aucs["bnsp"][0] == pytest.approx(fair.groups["g"].aucs["bnsp"][0])
    assert unfair.groups["g"].false_positive_rate[0] > fair.groups["g"].false_positive_rate[0]
    assert unfair.summary.score_high < fair.summary.score


def test_false_positives_with_their_wilson_interval() -> None:
    target = np.array([0.0] * 10 + [1.0] * 10)
    probability = np.array([0.9, 0.9] + [0.1] * 8 + [0.8] * 10)
    found = measure_bias(target, probability, 0.9, {"g": np.ones(20, dtype=bool)}).groups["g"]
    assert found.false_positive_rate == (0.2, *wilson(2, 10))


def test_the_score_by_hand() -> None:
    target = TRUTH.astype(float)
    groups = {"g": NAMED, "h": RNG.random(N) < 0.5, "rare": np.arange(N) < FEWEST}
    found = measure_bias(target, FAIR, 0.5, groups)
    assert found.counted == ("g", "h")
    means = []
    for kind in KINDS:
        aucs = np.array([found.groups[group].aucs[kind][0] for group in ("g", "h")])
        means.append((0.5 * (aucs**-5).sum()) ** -0.2)
        assert getattr(found.summary, kind) == pytest.approx(means[-1])
    assert found.summary.auc == pytest.approx(roc_auc_score(TRUTH, FAIR))
    assert found.summary.score == pytest.approx(found.summary.auc / 4 + sum(means) / 4)
    assert found.summary.score_low < found.summary.score < found.summary.score_high
    assert found.summary.false_positive_rate == pytest.approx((FAIR[~TRUTH] >= 0.5).mean())


def test_power_mean_leans_to_the_worst() -> None:
    values = np.array([[0.5, 0.9, 0.7], [1.0, 0.9, 0.0]])
    assert power_mean(values) == pytest.approx([((2**5 + 1) / 2) ** -0.2, 0.9, 0.0])


def test_what_cannot_be_measured_is_nan() -> None:
    target, given = np.array([0.0, 0, 1, 1]), np.array([0.1, 0.6, 0.7, 0.9])
    named = {"g": np.array([True, True, False, False]), "nobody": np.zeros(4, dtype=bool)}
    found = measure_bias(target, given, None, named)
    assert list(found.groups) == ["g"]
    assert math.isnan(found.groups["g"].aucs["subgroup"][0])
    assert found.groups["g"].aucs["bpsn"][0] == 1.0
    assert math.isnan(found.groups["g"].false_positive_rate[0])
    assert found.counted == ()
    assert math.isnan(found.summary.score)
    assert found.summary.auc == 1.0


def test_as_json() -> None:
    content = to_plain(measure_bias(TRUTH.astype(float), FAIR, None, {"g": NAMED}))
    read = json.loads(json.dumps(content, allow_nan=False))
    assert read["counted"] == ["g"]
    assert read["groups"]["g"]["false_positive_rate"] is None
    assert (
        read["groups"]["g"]["bpsn_auc_low"] < read["groups"]["g"]["bpsn_auc"] < read["summary"]["auc"] + 0.1
    )
    assert set(read["summary"]) >= {"auc", "score", "score_low", "score_high", *KINDS}
    assert len(read["groups"]["g"]) == 2 + 4 * 3


def test_the_same_for_a_seed() -> None:
    one, other = (measure_bias(TRUTH.astype(float), FAIR, 0.5, {"g": NAMED}, seed).summary for seed in (0, 1))
    assert measure_bias(TRUTH.astype(float), FAIR, 0.5, {"g": NAMED}).summary == one
    assert one.score == other.score
    assert one.score_low != other.score_low
