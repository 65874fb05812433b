"""Unintended bias: the effect of a named group on the separation of a label (Borkan et al., 2019)."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from belowline.training.measure.intervals import Bools, Counts, Floats, in_chunks
from belowline.training.measure.metrics import Draws, auc, share

KINDS = ("subgroup", "bpsn", "bnsp")
FEWEST = 20
"""A group counts in the summary from this many positives and as many negatives that name it."""
EVERYBODY = ""
_POWER = -5


def groups_that_count(truth: Bools, groups: Mapping[str, Bools]) -> dict[str, Bools]:
    """Return the groups that enough positives and negatives [n] name."""
    return {
        name: mask
        for name, mask in groups.items()
        if min((truth & mask).sum(), (~truth & mask).sum()) >= FEWEST
    }


def draws_of_groups(
    truth: Bools,
    probability: Floats,
    hold: float | None,
    groups: Mapping[str, Bools],
    weights: Floats,
    counts: Counts,
    kinds: Sequence[str] = KINDS,
) -> dict[str, Draws]:
    """Return group to its metrics in the resamples ``counts`` [k, n]; ``EVERYBODY`` has those of all comments.

    ``subgroup_auc`` is of comments that name the group. ``bpsn_auc`` is of positives that do not name it and negatives
    that do: low if harmless mention is taken for harm. ``bnsp_auc`` is the reverse. ``false_positive_rate`` is the
    share of negatives at or above ``hold``.
    """
    held = None if hold is None else probability >= hold
    everybody = np.ones(len(truth), dtype=bool)
    masks = {
        name: {"subgroup": mask, "bpsn": truth ^ mask, "bnsp": ~(truth ^ mask)}
        for name, mask in groups.items()
    }
    draws: dict[str, dict[str, list[Floats]]] = {name: {} for name in (EVERYBODY, *groups)}
    for some in in_chunks(counts, weights):
        draws[EVERYBODY].setdefault("auc", []).append(auc(truth, probability, some))
        for name, by_kind in masks.items():
            for kind in kinds:
                mask = by_kind[kind]
                values = auc(truth[mask], probability[mask], some[:, mask])
                draws[name].setdefault(f"{kind}_auc", []).append(values)
        for name, mask in {EVERYBODY: everybody, **groups}.items():
            rate = np.full(len(some), np.nan) if held is None else share(some, held, ~truth & mask)
            draws[name].setdefault("false_positive_rate", []).append(rate)
    return {
        name: {metric: np.concatenate(chunks) for metric, chunks in by_metric.items()}
        for name, by_metric in draws.items()
    }


def gaps(draws: Mapping[str, Draws]) -> Draws:
    """Return the gaps over the groups in ``draws``.

    ``bias_gap`` is the AUC of all comments less the power mean of the groups' BPSN AUCs. ``false_positive_gap`` is the
    highest false-positive rate of a group less that of all comments; it needs a threshold.
    """
    groups = [values for name, values in draws.items() if name != EVERYBODY]
    everybody, rates = draws[EVERYBODY], [values["false_positive_rate"] for values in groups]
    found = {"bias_gap": everybody["auc"] - _power_means(groups, "bpsn")}
    if not np.isnan(everybody["false_positive_rate"]).all():
        found["false_positive_gap"] = np.max(rates, axis=0) - everybody["false_positive_rate"]
    return found


def summary(draws: Mapping[str, Draws], counted: Sequence[str]) -> Draws:
    """Return the metrics over the groups ``counted``; NaN without any.

    ``score`` is a quarter of the AUC of all comments and three quarters of the mean of the power means of each kind.
    """
    everybody = draws[EVERYBODY]
    groups = [draws[name] for name in counted]
    nothing = np.full(len(everybody["auc"]), np.nan)
    means = {kind: _power_means(groups, kind) if groups else nothing for kind in KINDS}
    score = 0.25 * everybody["auc"] + 0.75 * np.mean(list(means.values()), axis=0)
    return {**everybody, **means, "score": score}


def _power_means(groups: Sequence[Draws], kind: str) -> Floats:
    return power_mean(np.stack([values[f"{kind}_auc"] for values in groups]))


def power_mean(values: npt.NDArray[np.float64]) -> Floats:
    """Return the power mean [k] (p = -5, so the worst weigh most) of ``values`` [groups, k] in 0..1; 0 with a 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.mean(values**_POWER, axis=0) ** (1 / _POWER))
