"""Paired differences: equal to scikit-learn with weights, resampled by cluster, and with correct error rates."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, precision_score, recall_score, roc_auc_score

from belowline.data.example import Example
from belowline.model import Thresholds
from belowline.training.compare.comparison import Difference, differences
from belowline.training.measure.draws import draws_of_model
from belowline.training.measure.intervals import Floats, resampled
from belowline.training.measure.metrics import draws_of
from belowline.training.measure.parts import ALL, BIAS, measurable
from belowline.training.measure.rows import TestRows, rows_of

RNG = np.random.default_rng(11)
N = 1200
TRUTH = RNG.random(N) < 0.3
BOTH = Thresholds(hold=0.5, reject=0.75)
EVERYTHING = np.ones(N, dtype=bool)


def scores(quality: float, seed: int) -> Floats:
    """Return probabilities that mix the truth, by ``quality``, with noise."""
    noise = np.random.default_rng(seed).random(N)
    return np.asarray(quality * TRUTH + (1 - quality) * noise)


def rows(weights: Floats | None = None, clusters: int = N) -> TestRows:
    weigh = np.ones(N) if weights is None else weights
    examples = [
        Example(f"no {n}", {"spam": float(TRUTH[n])}, "a", str(n), str(n % clusters), weight=float(weigh[n]))
        for n in range(N)
    ]
    return rows_of(examples, ("spam", "hate"))


def compared(a: Floats, b: Floats, given: TestRows, parts: int = 1) -> list[Difference]:
    masks = {ALL: EVERYTHING} | {
        f"part {n}": np.arange(N) % parts == n for n in range(parts if parts > 1 else 0)
    }
    measured = measurable(given, {"spam": EVERYTHING}, masks, 50, 10)
    counts = resampled(given.clusters, 200, 0)
    sizes = {key: (int(mask.sum()), int(TRUTH[mask].sum())) for key, mask in measured.items()}
    draws = [draws_of_model(given, {"spam": one}, {"spam": BOTH}, measured, counts) for one in (a, b)]
    return differences(*draws, sizes)


def by_metric(found: list[Difference]) -> dict[str, Difference]:
    return {one.metric: one for one in found if one.part == ALL}


def test_figures_are_those_of_scikit_learn_with_weights() -> None:
    given, probability = rows(RNG.uniform(0.2, 5, N)), scores(0.3, 1)
    counts = resampled(given.clusters, 3, 0)
    found = draws_of(given.target("spam"), probability, BOTH, given.weights, counts)
    for line, drawn in enumerate(counts):
        by = {"sample_weight": drawn * given.weights}
        expected = {
            "auc": roc_auc_score(TRUTH, probability, **by),
            "average_precision": average_precision_score(TRUTH, probability, **by),
            "f1": f1_score(TRUTH, probability >= 0.5, **by),
            "precision_at_hold": precision_score(TRUTH, probability >= 0.5, **by),
            "recall_at_hold": recall_score(TRUTH, probability >= 0.5, **by),
            "precision_at_reject": precision_score(TRUTH, probability >= 0.75, **by),
            "recall_at_reject": recall_score(TRUTH, probability >= 0.75, **by),
        }
        assert {name: found[name][line] for name in expected} == pytest.approx(expected)
    assert {"calibration_error", "precision_at_50", "precision_at_80", "precision_at_95"} <= found.keys()


def test_whole_clusters_are_drawn() -> None:
    clusters = np.arange(N) // 4
    counts = resampled(clusters, 50, 3)
    assert (counts[0] == 1).all()
    assert (counts.reshape(51, N // 4, 4) == counts[:, ::4, None]).all()
    assert (counts[:, ::4].sum(1) == N // 4).all()
    assert (counts == resampled(clusters, 50, 3)).all()
    assert (counts != resampled(clusters, 50, 4)).any()


def test_what_belongs_together_widens_the_interval() -> None:
    """The model misjudges whole threads: eight threads give the information of eight rows, not of 1,200."""
    moody = 0.2 * TRUTH + 0.8 * np.random.default_rng(2).random(8)[np.arange(N) % 8]
    alone, thread = (by_metric(compared(scores(0.2, 1), moody, rows(clusters=n)))["auc"] for n in (N, 8))
    assert thread.difference == alone.difference
    assert thread.high - thread.low > 1.5 * (alone.high - alone.low)


def test_the_better_model_is_found_whichever_side_it_is_on() -> None:
    good, bad = scores(0.4, 1), scores(0.2, 2)
    forth, back = (by_metric(compared(*pair, rows())) for pair in ((bad, good), (good, bad)))
    assert (forth["auc"].verdict, back["auc"].verdict) == ("better", "worse")
    assert forth["auc"].difference == pytest.approx(roc_auc_score(TRUTH, good) - roc_auc_score(TRUTH, bad))
    assert 0 < forth["auc"].low < forth["auc"].difference < forth["auc"].high
    assert back["auc"].loss == pytest.approx((forth["auc"].difference, forth["auc"].low, forth["auc"].high))
    assert forth["auc"].b_low < forth["auc"].b < forth["auc"].b_high


def test_lower_is_better_for_calibration() -> None:
    calibrated = np.where(TRUTH, 0.9, 0.1)
    found = by_metric(compared(calibrated, np.where(TRUTH, 0.6, 0.4), rows()))["calibration_error"]
    assert (found.verdict, found.difference) == ("worse", pytest.approx(0.3))
    assert found.loss[0] == pytest.approx(0.3)


def test_a_model_is_no_different_from_itself() -> None:
    found = compared(scores(0.3, 1), scores(0.3, 1), rows(), parts=4)
    assert {one.verdict for one in found} == {"no difference"}
    assert {one.q for one in found} == {1.0}
    assert {one.difference for one in found} == {0.0}


def test_chance_makes_few_verdicts_over_many_slices() -> None:
    found = [
        one
        for seed in range(5)
        for one in compared(scores(0.2, seed), scores(0.2, 50 + seed), rows(), parts=8)
    ]
    outside = sum(one.low > 0 or one.high < 0 for one in found)
    certain = sum(one.verdict != "no difference" for one in found)
    assert outside > 10  # five percent of some hundred intervals, by chance alone
    assert certain < outside / 3


def test_small_parts_and_parts_of_one_class_are_not_measured() -> None:
    masks = {
        "49": np.arange(N) < 49,
        "50": np.arange(N) < 60,
        "positive": TRUTH,
        "nine": np.isin(np.arange(N), [*np.flatnonzero(TRUTH)[:9], *np.flatnonzero(~TRUTH)[:90]]),
        "ten": np.isin(np.arange(N), [*np.flatnonzero(TRUTH)[:10], *np.flatnonzero(~TRUTH)[:90]]),
    }
    assert {part for _, part in measurable(rows(), {"spam": EVERYTHING}, masks, 50, 10)} == {
        "50",
        "ten",
        BIAS,
    }
    assert measurable(rows(), {}, {ALL: EVERYTHING}, 50) == {}


def test_rows_that_somebody_refused_are_left_out() -> None:
    found = measurable(rows(), {"spam": np.arange(N) < 700}, {ALL: EVERYTHING}, 50)
    assert found["spam", ALL].sum() == 700
