"""Gates: conditions under which a candidate may replace the active model.

A loss fails its gate if the estimate is larger than allowed *and* the loss is significant: its 95 % interval excludes
zero, and its
p-value is at most 5 % after correction for the number of metrics of the gate (Benjamini and Hochberg). The estimate
alone would refuse
good candidates for the noise of one of a hundred slices. An interval wholly above the limit would let large losses of
small slices
pass.

Levels (calibration error, bias gap, parity, latency) fail if the estimate and the lower end of its interval are above
the limit. For
calibration error and bias gap, the first model must also be within the limit or significantly better.

A gate that cannot be measured blocks, unless the recipe allows it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

import numpy as np
from scipy.stats import false_discovery_control

from belowline.training.compare.comparison import Comparison, Pair
from belowline.training.compare.paired_bootstrap import FALSE_SHARE, Difference
from belowline.training.compare.test_rows import ALL
from belowline.training.measure.bootstrap import NAN, Measurement
from belowline.training.recipes.gate_limits import Gates

Outcome = Literal["passed", "failed", "not measurable"]


@dataclass(frozen=True, slots=True)
class GateResult:
    """One gate: limit, measured value with its interval (NaN if there is none), outcome, and a reason in a sentence.

    ``passed`` is also true if the gate could not be measured and the recipe allows that.
    """

    name: str
    limit: float
    value: float
    low: float
    high: float
    outcome: Outcome
    passed: bool
    why: str


@dataclass(frozen=True, slots=True)
class GateReport:
    """All gates of ``candidate`` against ``baseline``, both by ``model_digest``: the report is valid for these files
    only.
    """

    baseline: str
    candidate: str
    name: str
    version: str
    results: Sequence[GateResult]

    @property
    def passed(self) -> bool:
        """True if every gate passed."""
        return all(result.passed for result in self.results)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with ``passed``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "passed": self.passed}


class _Measured(NamedTuple):
    """The worst value of a gate: with interval, significance, and its label and part."""

    value: float
    low: float
    high: float
    certain: bool
    where: str

    def exceeds(self, limit: float) -> bool:
        """Return True if the value fails a gate with this limit."""
        return self.certain and self.value > limit


def check_gates(comparison: Comparison, gates: Gates, name: str | None = None) -> GateReport:
    """Check the gates of candidate ``name``, by default the first after A; raises ValueError for other kinds than
    models.
    """
    pair = next(pair for pair in comparison.pairs if name in (None, pair.name))
    first, candidate = comparison.contenders[0], comparison.contender(pair.name)
    if first.digest is None or candidate.digest is None:
        raise ValueError(f"gates are for model directories, not for {first.kind} and {candidate.kind}")
    measured = _of_figures(pair, gates) | _of_files(comparison, pair, gates)
    results = [_labels(pair), *(_result(gate, *measured[gate], gates) for gate in measured)]
    return GateReport(first.digest, candidate.digest, candidate.name, candidate.version, results)


_Found = dict[str, tuple[float, _Measured | None]]
"""Gate to its limit and measured value."""


def _labels(pair: Pair) -> GateResult:
    """Fail candidates without some label, which would otherwise pass every gate because it is compared nowhere."""
    lost = len(pair.only_a)
    why = f"missing labels: {', '.join(pair.only_a)}" if lost else "has every label of the first model"
    return GateResult("labels", 0.0, float(lost), NAN, NAN, "failed" if lost else "passed", not lost, why)


def _of_figures(pair: Pair, gates: Gates) -> _Found:
    """Check gates on metrics with paired intervals; the slices are every label and part that has the metric."""
    large = [difference for difference in pair.figures if difference.examples >= gates.min_examples]
    slices = [difference for difference in large if difference.metric == gates.slice_metric]
    calibration = [
        difference
        for difference in large
        if difference.metric == "calibration_error" and difference.part == ALL
    ]
    bias = [difference for difference in large if difference.metric == "bias_gap"]
    return {
        "slice_loss": _losses(slices, gates.max_slice_loss),
        "calibration_error": _levels(calibration, gates.max_calibration_error),
        "calibration_loss": _losses(calibration, gates.max_calibration_loss),
        "bias_gap": _levels(bias, gates.max_bias_gap),
        "bias_gap_increase": _losses(bias, gates.max_bias_gap_increase),
    }


def _of_files(comparison: Comparison, pair: Pair, gates: Gates) -> _Found:
    """Check gates on parity, speed and size."""
    speed, parity = comparison.speed.get(pair.name), pair.parity
    sizes = [comparison.contenders[0].size, comparison.contender(pair.name).size]
    ratio = sizes[1] / sizes[0] if sizes[0] and sizes[1] else NAN
    return {
        "parity_loss": _level(parity, gates.max_parity_loss),
        "latency_ratio": _level(speed.beside_first() if speed else None, gates.max_latency_ratio),
        "size_ratio": _level(
            None if np.isnan(ratio) else Measurement(ratio, note="all files"), gates.max_size_ratio
        ),
    }


def _losses(differences: Sequence[Difference], limit: float) -> tuple[float, _Measured | None]:
    corrected = false_discovery_control([difference.p for difference in differences])
    measured = [
        _Measured(
            *difference.loss,
            bool(q <= FALSE_SHARE and difference.loss[1] > 0),
            f"{difference.label}, {difference.part}",
        )
        for difference, q in zip(differences, corrected, strict=True)
    ]
    return limit, _worst(measured, limit)


def _levels(differences: Iterable[Difference], limit: float) -> tuple[float, _Measured | None]:
    """Find the worst level. If the first model exceeds the limit too, only a significantly worse candidate is
    refused.
    """
    measured = (
        _Measured(
            difference.b,
            difference.b_low,
            difference.b_high,
            difference.b_low > limit and (difference.a <= limit or difference.loss[1] > 0),
            f"{difference.label}, {difference.part}",
        )
        for difference in differences
    )
    return limit, _worst(measured, limit)


def _level(measurement: Measurement | None, limit: float) -> tuple[float, _Measured | None]:
    if measurement is None:
        return limit, None
    certain = np.isnan(measurement.low) or measurement.low > limit
    return limit, _Measured(
        measurement.value, measurement.low, measurement.high, bool(certain), measurement.note
    )


def _worst(measured: Iterable[_Measured], limit: float) -> _Measured | None:
    """Return the value that fails by most, or is nearest to failing; None without values."""
    return max(measured, key=lambda value: (value.exceeds(limit), value.value), default=None)


def _result(name: str, limit: float, measured: _Measured | None, gates: Gates) -> GateResult:
    if measured is None:
        allowed = name in gates.allow_unmeasured
        why = f"not enough rows to measure it{'; the recipe allows that' if allowed else ''}"
        return GateResult(name, limit, NAN, NAN, NAN, "not measurable", allowed, why)
    failed = measured.exceeds(limit)
    outcome: Outcome = "failed" if failed else "passed"
    ends = measured.value, measured.low, measured.high
    return GateResult(name, limit, *ends, outcome, not failed, _why(measured, limit))


def _why(measured: _Measured, limit: float) -> str:
    if measured.exceeds(limit):
        return f"{measured.where}: {measured.value:.3f} is more than {limit:g}"
    if measured.value > limit:
        return f"{measured.where}: {measured.value:.3f} is more than {limit:g}, but not significantly, or not more than the first model"
    return f"at most {measured.value:.3f} ({measured.where}), allowed {limit:g}"
