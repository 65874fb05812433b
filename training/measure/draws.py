"""Every metric of one model in every resample, by label and part, with its bias over named groups.

Bias is the effect of a named group on the separation of a label (Borkan et al., 2019).
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from belowline.model import HARMFUL, Thresholds
from belowline.training.measure.intervals import Bools, Counts, Floats, in_chunks
from belowline.training.measure.metrics import Draws, auc, draws_of, share
from belowline.training.measure.parts import BIAS, NAMES, Key, named_groups
from belowline.training.measure.rows import TestRows

FEWEST = 20
"""A group counts from this many positives and as many negatives that name it."""
_POWER = -5


def draws_of_model(
    rows: TestRows,
    probabilities: Mapping[str, Floats],
    thresholds: Mapping[str, Thresholds],
    masks: Mapping[Key, Bools],
    counts: Counts,
) -> dict[Key, Draws]:
    """Return the metrics in the resamples ``counts`` [k, n] of each label that the model knows, by label and part.

    ``masks`` are the rows [n] of each label and part. For harmful labels the part ``BIAS`` has the gaps over all groups
    that count.
    """
    draws: dict[Key, Draws] = {}
    groups = named_groups(rows.texts)
    for (label, part), mask in masks.items():
        if label not in probabilities:
            continue
        target, probability = rows.target(label)[mask], probabilities[label][mask]
        limits, weights, some = thresholds.get(label, Thresholds()), rows.weights[mask], counts[:, mask]
        if part != BIAS:
            draws[label, part] = draws_of(target, probability, limits, weights, some)
        elif label in HARMFUL:
            named = {name: of_group[mask] for name, of_group in groups.items()}
            bias = bias_draws(target >= 0.5, probability, limits.hold, named, weights, some)
            for name, values in bias.items():
                key = (label, name if name == BIAS else NAMES + name)
                if name == BIAS or key in draws:
                    draws[key] = draws.get(key, {}) | values
    return draws


def bias_draws(
    truth: Bools,
    probability: Floats,
    hold: float | None,
    groups: Mapping[str, Bools],
    weights: Floats,
    counts: Counts,
) -> dict[str, Draws]:
    """Return the bias of each group that counts, and the gaps over them as ``BIAS``; nothing without groups.

    ``bpsn_auc`` is of positives that do not name the group and negatives that do: low if harmless mention is taken
    for harm. ``false_positive_rate`` is the share of negatives that name it at or above ``hold``.
    """
    counted = {
        name: mask
        for name, mask in groups.items()
        if min((truth & mask).sum(), (~truth & mask).sum()) >= FEWEST
    }
    if not counted:
        return {}
    chunks = [_bias(truth, probability, hold, counted, some) for some in in_chunks(counts, weights)]
    return {
        name: {metric: np.concatenate([chunk[name][metric] for chunk in chunks]) for metric in values}
        for name, values in chunks[0].items()
    }


def _bias(
    truth: Bools, probability: Floats, hold: float | None, groups: Mapping[str, Bools], counts: Floats
) -> dict[str, Draws]:
    found: dict[str, Draws] = {}
    for name, mask in groups.items():
        bpsn = truth ^ mask
        found[name] = {"bpsn_auc": auc(truth[bpsn], probability[bpsn], counts[:, bpsn])}
    worst = power_mean(np.stack([values["bpsn_auc"] for values in found.values()]))
    gaps = {"bias_gap": auc(truth, probability, counts) - worst}
    if hold is not None:
        held = probability >= hold
        for name, mask in groups.items():
            found[name]["false_positive_rate"] = share(counts, held, ~truth & mask)
        highest = np.max([values["false_positive_rate"] for values in found.values()], axis=0)
        gaps["false_positive_gap"] = highest - share(counts, held, ~truth)
    return {**found, BIAS: gaps}


def power_mean(values: npt.NDArray[np.float64]) -> Floats:
    """Return the power mean [k] (p = -5, so the worst weigh most) of ``values`` [groups, k] in 0..1; 0 with a 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.mean(values**_POWER, axis=0) ** (1 / _POWER))
