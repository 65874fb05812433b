"""Gates: conditions under which a candidate may replace the active model.

A loss fails its gate if the estimate is larger than allowed *and* the loss is significant: its 95 % interval excludes
zero, and its p-value is at most 5 % after correction for the number of metrics of the gate (Benjamini and Hochberg).
The estimate alone would refuse good candidates for the noise of one of a hundred slices. An interval wholly above the
limit would let large losses of small slices pass.

Levels (calibration error, bias gap, latency) fail if the estimate and the lower end of its interval are above
the limit. For calibration error and bias gap, the first model must also be within the limit or significantly better.

A gate that cannot be measured blocks, unless the recipe allows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple

from scipy.stats import false_discovery_control

from belowline.training.compare.comparison import FALSE_SHARE, Comparison, Difference
from belowline.training.measure.intervals import NAN
from belowline.training.measure.parts import ALL
from belowline.training.recipes.recipe import Gates

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
    """All gates of ``candidate`` against ``baseline``, both by ``model_digest``: valid for these files only."""

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
        """Return values for JSON, with ``passed``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**values, "passed": self.passed}


class _Value(NamedTuple):
    """A value that a gate limits: with interval, significance, and its label and part."""

    value: float
    low: float
    high: float
    certain: bool
    where: str


def check_gates(comparison: Comparison, gates: Gates, name: str | None = None) -> GateReport:
    """Check the gates of candidate ``name``, by default the first after A.

    Raises ValueError for other kinds than models.
    """
    pair = next(pair for pair in comparison.pairs if name in (None, pair.name))
    first = comparison.contenders[0]
    candidate = next(contender for contender in comparison.contenders if contender.name == pair.name)
    if first.digest is None or candidate.digest is None:
        raise ValueError(f"gates are for model directories, not for {first.kind} and {candidate.kind}")
    large = [difference for difference in pair.figures if difference.examples >= gates.min_examples]
    slices = [d for d in large if d.metric == gates.slice_metric]
    calibration = [d for d in large if d.metric == "calibration_error" and d.part == ALL]
    bias = [d for d in large if d.metric == "bias_gap"]
    speed, size = comparison.speed.get(pair.name), comparison.size_ratio(candidate)
    measured: dict[str, tuple[float, Sequence[_Value]]] = {
        "slice_loss": (gates.max_slice_loss, _losses(slices)),
        "calibration_error": (gates.max_calibration_error, _levels(calibration, gates.max_calibration_error)),
        "calibration_loss": (gates.max_calibration_loss, _losses(calibration)),
        "bias_gap": (gates.max_bias_gap, _levels(bias, gates.max_bias_gap)),
        "bias_gap_increase": (gates.max_bias_gap_increase, _losses(bias)),
        "latency_ratio": (
            gates.max_latency_ratio,
            _level(speed.ratio, speed.ratio_low, speed.ratio_high, gates.max_latency_ratio, "one comment")
            if speed
            else [],
        ),
        "size_ratio": (gates.max_size_ratio, _level(size, NAN, NAN, NAN, "all files") if size else []),
    }
    # Without this gate a candidate without some label would pass every other one, because it is compared nowhere.
    lost = len(pair.only_a)
    why = f"missing labels: {', '.join(pair.only_a)}" if lost else "has every label of the first model"
    labels = GateResult("labels", 0.0, float(lost), NAN, NAN, "failed" if lost else "passed", not lost, why)
    results = [_result(gate, limit, values, gates) for gate, (limit, values) in measured.items()]
    return GateReport(first.digest, candidate.digest, candidate.name, candidate.version, [labels, *results])


def _losses(differences: Sequence[Difference]) -> list[_Value]:
    corrected = false_discovery_control([difference.p for difference in differences])
    return [
        _Value(*d.loss, bool(q <= FALSE_SHARE and d.loss[1] > 0), f"{d.label}, {d.part}")
        for d, q in zip(differences, corrected, strict=True)
    ]


def _levels(differences: Sequence[Difference], limit: float) -> list[_Value]:
    """Return levels. If the first model exceeds the limit too, only a significantly worse candidate is refused."""
    return [
        _Value(
            d.b,
            d.b_low,
            d.b_high,
            d.b_low > limit and (d.a <= limit or d.loss[1] > 0),
            f"{d.label}, {d.part}",
        )
        for d in differences
    ]


def _level(value: float, low: float, high: float, limit: float, where: str) -> list[_Value]:
    return [_Value(value, low, high, not low <= limit, where)]


def _result(name: str, limit: float, values: Sequence[_Value], gates: Gates) -> GateResult:
    """Judge the value that fails by most, or is nearest to failing."""
    if not values:
        allowed = name in gates.allow_unmeasured
        why = f"not enough rows to measure it{'; the recipe allows that' if allowed else ''}"
        return GateResult(name, limit, NAN, NAN, NAN, "not measurable", allowed, why)
    worst = max(values, key=lambda value: (value.certain and value.value > limit, value.value))
    failed = worst.certain and worst.value > limit
    if worst.value > limit:
        why = f"{worst.where}: {worst.value:.3f} is more than {limit:g}"
        why += "" if failed else ", but not significantly, or not more than the first model"
    else:
        why = f"at most {worst.value:.3f} ({worst.where}), allowed {limit:g}"
    ends = worst.value, worst.low, worst.high
    return GateResult(name, limit, *ends, "failed" if failed else "passed", not failed, why)
