"""Unintended bias: the effect of a named group on the separation of a label (Borkan et al., 2019)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from belowline.training.measure.bootstrap import Bools, Floats, percentiles, resamples
from belowline.training.measure.metrics import resampled_auc, wilson

KINDS = ("subgroup", "bpsn", "bnsp")
FEWEST = 20
"""A group counts in the summary from this many positives and as many negatives that name it."""
_POWER = -5
_ALL = ("", "all")

_Key = tuple[str, str]  # group and kind


@dataclass(frozen=True, slots=True)
class GroupMetrics:
    """One label on comments that name one group; intervals are 95 %, NaN is not measured.

    Attributes:
        examples: Comments that name the group.
        positives: Of these, those at or above 0.5.
        aucs: By kind, AUC with the ends of its interval. ``subgroup``: comments that name the group; ``bpsn``:
            background positives
            against subgroup negatives, low where harmless mention is taken for harm; ``bnsp``: the reverse.
        false_positive_rate: Share of negatives at or above the threshold, with Wilson interval.
    """

    examples: int
    positives: int
    aucs: dict[str, tuple[float, float, float]]
    false_positive_rate: tuple[float, float, float]

    def as_dict(self) -> dict[str, float]:
        """Return ``x``, ``x_low`` and ``x_high`` of each metric."""
        figures = {f"{kind}_auc": values for kind, values in self.aucs.items()}
        figures["false_positive_rate"] = self.false_positive_rate
        named = {
            f"{name}{end}": value
            for name, values in figures.items()
            for end, value in zip(("", "_low", "_high"), values, strict=True)
        }
        return {"examples": self.examples, "positives": self.positives, **named}


@dataclass(frozen=True, slots=True)
class Summary:
    """One label over all groups; NaN without a group that counts.

    Attributes:
        auc: AUC of all comments.
        subgroup: Power mean (p = -5, so the worst weigh most) of the subgroup AUCs of the groups that count.
        bpsn: The same of BPSN AUCs.
        bnsp: The same of BNSP AUCs.
        score: A quarter of ``auc`` and three quarters of the mean of the three power means.
        score_low: Lower end of its 95 % interval.
        score_high: Upper end.
        false_positive_rate: False-positive rate of all comments at the threshold.
    """

    auc: float
    subgroup: float
    bpsn: float
    bnsp: float
    score: float
    score_low: float
    score_high: float
    false_positive_rate: float


@dataclass(frozen=True, slots=True)
class Bias:
    """The summary, the groups by name, and the names of groups that count in the summary."""

    summary: Summary
    groups: dict[str, GroupMetrics]
    counted: tuple[str, ...]


def measure_bias(
    target: Floats, probability: Floats, threshold: float | None, named: Mapping[str, Bools], seed: int = 0
) -> Bias:
    """Measure ``probability`` [n] against ``target`` [n] (known shares, positive from 0.5) where a group is named.

    ``named`` is group to mask [n]; groups that no comment names are left out.
    """
    truth = target >= 0.5
    named = {group: mask for group, mask in named.items() if mask.any()}
    masks = _masks(truth, named)
    once = _aucs([np.ones((1, len(truth)))], truth, probability, masks)
    draws = _aucs(resamples(len(truth), seed), truth, probability, masks)
    held = None if threshold is None else probability >= threshold
    groups = {
        group: GroupMetrics(
            int(mask.sum()),
            int(truth[mask].sum()),
            {kind: (float(once[group, kind][0]), *percentiles(draws[group, kind])) for kind in KINDS},
            _false_positives(truth, held, mask),
        )
        for group, mask in named.items()
    }
    counted = tuple(
        group for group, figures in groups.items() if FEWEST <= figures.positives <= figures.examples - FEWEST
    )
    return Bias(_summary(once, draws, counted, _false_positives(truth, held)[0]), groups, counted)


def _masks(truth: Bools, named: Mapping[str, Bools]) -> dict[_Key, Bools]:
    """Return the comments of each AUC."""
    masks: dict[_Key, Bools] = {_ALL: np.ones(len(truth), dtype=bool)}
    for group, mask in named.items():
        masks[group, "subgroup"] = mask
        masks[group, "bpsn"] = truth ^ mask
        masks[group, "bnsp"] = ~(truth ^ mask)
    return masks


def _aucs(
    counts: Iterable[Floats], truth: Bools, probability: Floats, masks: Mapping[_Key, Bools]
) -> dict[_Key, Floats]:
    """Return each AUC in every resample."""
    parts: dict[_Key, list[Floats]] = {key: [] for key in masks}
    for some in counts:
        for key, mask in masks.items():
            parts[key].append(resampled_auc(truth[mask], probability[mask], some[:, mask]))
    return {key: np.concatenate(values) for key, values in parts.items()}


def _false_positives(
    truth: Bools, held: Bools | None, mask: Bools | None = None
) -> tuple[float, float, float]:
    negatives = ~truth if mask is None else ~truth & mask
    if held is None or not negatives.any():
        return (float("nan"),) * 3
    false, all_ = int(held[negatives].sum()), int(negatives.sum())
    return (false / all_, *wilson(false, all_))


def _summary(
    once: Mapping[_Key, Floats], draws: Mapping[_Key, Floats], counted: tuple[str, ...], rate: float
) -> Summary:
    means, score = _score(once, counted)
    low, high = percentiles(_score(draws, counted)[1])
    subgroup, bpsn, bnsp = (float(mean[0]) for mean in means)
    return Summary(float(once[_ALL][0]), subgroup, bpsn, bnsp, float(score[0]), low, high, rate)


def _score(aucs: Mapping[_Key, Floats], counted: tuple[str, ...]) -> tuple[list[Floats], Floats]:
    """Return the three power means [k] and the score [k] of k resamples."""
    if not counted:
        nothing = np.full(len(aucs[_ALL]), np.nan)
        return [nothing] * len(KINDS), nothing
    means = [power_mean(np.stack([aucs[group, kind] for group in counted])) for kind in KINDS]
    return means, np.asarray(0.25 * aucs[_ALL] + 0.75 * np.mean(means, axis=0))


def power_mean(values: npt.NDArray[np.float64], power: float = _POWER) -> Floats:
    """Return the power mean [k] of ``values`` [groups, k] in 0..1; 0 where a value is 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.mean(values**power, axis=0) ** (1 / power))
