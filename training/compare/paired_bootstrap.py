"""Paired bootstrap: every metric of two contenders in the same resamples of the same rows.

Whole clusters are resampled, and one draw serves all labels, parts and contenders. A difference B - A has the 2.5th
and 97.5th
percentile over the resamples and a p-value, from a normal distribution with the bootstrap's standard deviation:
percentiles of some
hundred resamples cannot resolve the small p-values that a correction needs. Benjamini and Hochberg's procedure holds
the share of
false verdicts on one pair at 5 %, over all labels, parts and metrics together.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import false_discovery_control, norm

from belowline.model import HARMFUL, Thresholds
from belowline.training.compare.test_rows import GROUPS, Rows
from belowline.training.measure.bias import FEWEST, power_mean
from belowline.training.measure.bootstrap import Bools, Counts, Floats, in_chunks, percentiles
from belowline.training.measure.metrics import metrics_of, rank, resampled_auc

RESAMPLES = 1000
LOWER_IS_BETTER = frozenset({"calibration_error", "bias_gap", "false_positive_gap"})
FALSE_SHARE = 0.05
"""Expected share of chance among the verdicts better and worse on a pair, at most."""
_FEWEST_OF_A_CLASS = 10

Verdict = Literal["better", "worse", "no difference"]
Key = tuple[str, str]
"""Label and part."""
Draws = dict[Key, dict[str, Floats]]
"""Metrics [1 + resamples] by label and part, those of the unresampled rows first."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of a pair on one label and part; NaN where it could not be measured.

    ``low`` and ``high`` are the 95 % interval of ``difference`` = ``b`` - ``a``; ``p`` is its p-value and ``q`` the
    p-value after
    correction over all metrics of the pair.
    """

    label: str
    part: str
    metric: str
    examples: int
    positives: int
    a: float
    b: float
    difference: float
    low: float
    high: float
    b_low: float
    b_high: float
    p: float
    q: float
    verdict: Verdict

    @property
    def loss(self) -> tuple[float, float, float]:
        """The loss of B with the ends of its interval; negative where B is better."""
        if self.metric in LOWER_IS_BETTER:
            return self.difference, self.low, self.high
        return 0.0 - self.difference, 0.0 - self.high, 0.0 - self.low


def measurable(
    rows: Rows, answered: Mapping[str, Bools], parts: Mapping[str, Bools], fewest: int
) -> Mapping[Key, Bools]:
    """Return the rows [n] of each label and part with at least ``fewest`` rows and ten of either class.

    ``answered`` holds the rows that every contender with the label scored.
    """
    masks: dict[Key, Bools] = {}
    for label, scored in answered.items():
        target = rows.test.targets[:, rows.test.labels.index(label)]
        for part, mask in parts.items():
            inside = mask & scored & ~np.isnan(target)
            positives = int((target[inside] >= 0.5).sum())
            enough = inside.sum() >= fewest
            if enough and _FEWEST_OF_A_CLASS <= positives <= inside.sum() - _FEWEST_OF_A_CLASS:
                masks[label, part] = inside
    return masks


def draws_of(
    rows: Rows,
    scores: Mapping[str, Floats],
    thresholds: Mapping[str, Thresholds],
    measured: Mapping[Key, Bools],
    counts: Counts,
) -> Iterator[tuple[Key, dict[str, Floats]]]:
    """Yield the metrics of one contender in every resample, by label and part, for the labels that it knows."""
    for (label, part), mask in measured.items():
        if label in scores:
            target = rows.test.targets[mask, rows.test.labels.index(label)]
            limits = thresholds.get(label, Thresholds())
            yield (
                (label, part),
                _figures(target, scores[label][mask], limits, rows.weights[mask], counts[:, mask]),
            )


def _figures(
    target: Floats, probability: Floats, limits: Thresholds, weights: Floats, counts: Counts
) -> dict[str, Floats]:
    order = rank(target, probability, limits.hold)
    truth = target >= 0.5
    pieces: dict[str, list[Floats]] = {}
    for some in in_chunks(counts, weights):
        metrics = metrics_of(some[:, order.order], order)
        for name, threshold in (("hold", limits.hold), ("reject", limits.reject)):
            if threshold is not None:
                metrics |= _at(name, some, truth, probability >= threshold)
        for name, values in metrics.items():
            pieces.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in pieces.items()}


def _at(name: str, weighted: Floats, truth: Bools, held: Bools) -> dict[str, Floats]:
    """Return precision and recall [k] at a threshold; NaN where nothing reaches it or nothing is positive."""
    hits, all_held = weighted @ (truth & held), weighted @ held.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return {
            f"precision_at_{name}": np.asarray(hits / all_held),
            f"recall_at_{name}": np.asarray(hits / (weighted @ truth.astype(np.float64))),
        }


def bias_draws(
    rows: Rows,
    scores: Mapping[str, Floats],
    thresholds: Mapping[str, Thresholds],
    answered: Mapping[str, Bools],
    groups: Mapping[str, Bools],
    counts: Counts,
) -> Iterator[tuple[Key, dict[str, Floats]]]:
    """Yield the gaps over named groups for each harmful label that the contender knows and some group has enough rows
    of.

    ``bias_gap`` is the AUC of all rows less the power mean (p = -5) of the groups' BPSN AUCs: harmful comments
    against harmless ones that
    name a group. ``false_positive_gap`` is the highest share of a group's harmless comments that is held, less that
    of all.
    """
    for label in (label for label in HARMFUL if label in scores and label in answered):
        target = rows.test.targets[:, rows.test.labels.index(label)]
        known = answered[label] & ~np.isnan(target)
        truth = target[known] >= 0.5
        named = {name: mask[known] for name, mask in groups.items()}
        counted = [mask for mask in named.values() if _counts_for_bias(truth, mask)]
        if counted:
            hold = thresholds.get(label, Thresholds()).hold
            probability, some = scores[label][known], counts[:, known]
            yield (label, GROUPS), _gaps(truth, probability, hold, counted, rows.weights[known], some)


def _counts_for_bias(truth: Bools, mask: Bools) -> bool:
    return bool((truth & mask).sum() >= FEWEST and (~truth & mask).sum() >= FEWEST)


def _gaps(
    truth: Bools,
    probability: Floats,
    hold: float | None,
    groups: list[Bools],
    weights: Floats,
    counts: Counts,
) -> dict[str, Floats]:
    pieces: dict[str, list[Floats]] = {"bias_gap": [], "false_positive_gap": []}
    for some in in_chunks(counts, weights):
        whole = resampled_auc(truth, probability, some)
        bpsn = [
            resampled_auc(truth[mask], probability[mask], some[:, mask])
            for mask in (truth ^ group for group in groups)
        ]
        pieces["bias_gap"].append(whole - power_mean(np.stack(bpsn)))
        if hold is not None:
            held = probability >= hold
            rates = [_share(some, held, ~truth & group) for group in groups]
            gap = np.max(rates, axis=0) - _share(some, held, ~truth)
            pieces["false_positive_gap"].append(gap)
    return {name: np.concatenate(values) for name, values in pieces.items() if values}


def _share(weighted: Floats, held: Bools, of: Bools) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray((weighted @ (held & of)) / (weighted @ of.astype(np.float64)))


def differences(a: Draws, b: Draws, sizes: Mapping[Key, tuple[int, int]]) -> list[Difference]:
    """Return every metric that both have, with corrected verdicts; ``sizes`` are rows and positives by label and
    part.
    """
    common = [
        (key, name, a[key][name], b[key][name])
        for key in a.keys() & b.keys()
        for name in a[key].keys() & b[key].keys()
    ]
    common.sort(key=lambda entry: entry[:2])
    measured = [entry for entry in common if not np.isnan(entry[2][0]) and not np.isnan(entry[3][0])]
    chances = [_p_value(entry[3] - entry[2]) for entry in measured]
    corrected = zip(measured, chances, false_discovery_control(chances), strict=True)
    return [
        _difference(key, sizes[key], name, first, second, p, float(q))
        for (key, name, first, second), p, q in corrected
    ]


def _p_value(gaps: Floats) -> float:
    """Return the two-sided p-value of ``gaps`` [1 + resamples], the observed one first; 1 without a difference."""
    known = gaps[1:][~np.isnan(gaps[1:])]
    if gaps[0] == 0 or len(known) < 2:
        return 1.0
    spread = float(known.std(ddof=1))
    # Without any spread the resamples say no more than that all of them agree.
    return 2 / (len(known) + 1) if spread == 0 else float(2 * norm.sf(abs(gaps[0]) / spread))


def _difference(
    key: Key, size: tuple[int, int], name: str, a: Floats, b: Floats, p: float, q: float
) -> Difference:
    low, high = percentiles((b - a)[1:])
    gap = float(b[0] - a[0])
    certain = q <= FALSE_SHARE and (low > 0 or high < 0)
    better = (gap < 0) == (name in LOWER_IS_BETTER)
    verdict: Verdict = "no difference" if not certain else "better" if better else "worse"
    return Difference(
        *key, name, *size, float(a[0]), float(b[0]), gap, low, high, *percentiles(b[1:]), p, q, verdict
    )
