"""Gates: each fails for its own reason and only on evidence, and an unmeasurable figure blocks."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from belowline.training.compare.comparison import Comparison, Difference, Pair, Verdict
from belowline.training.compare.decision_changes import Flips
from belowline.training.compare.gates import GateReport, check_gates
from belowline.training.compare.speed import Speed
from belowline.training.files import to_plain
from belowline.training.measure.contenders import Contender
from belowline.training.measure.parts import ALL, BIAS
from belowline.training.recipes.recipe import GateName, Gates

GATES = Gates()


def difference(
    metric: str, a: float, b: float, verdict: Verdict = "no difference", **changes: Any
) -> Difference:
    gap = b - a
    plain = Difference(
        "hate",
        ALL,
        metric,
        500,
        100,
        a,
        b,
        gap,
        gap - 0.01,
        gap + 0.01,
        b - 0.01,
        b + 0.01,
        0.0 if verdict == "worse" else 0.9,
        0.9,
        verdict,
    )
    return replace(plain, **changes)


FINE = (
    difference("auc", 0.9, 0.9),
    difference("auc", 0.9, 0.895, "worse", part="corpus a"),
    difference("calibration_error", 0.03, 0.03),
    difference("bias_gap", 0.02, 0.02, part=BIAS),
)


def contender(name: str, digest: str | None, size: int = 1000) -> Contender:
    kind = "model" if digest else "tfidf"
    return Contender(name, kind, "1", name, lambda texts: {}, {}, digest=digest, size=size)


def report(*figures: Difference, gates: Gates = GATES, **changes: Any) -> GateReport:
    """Return the gates of a candidate without faults except for ``changes``.

    ``figures`` replace those of the same metric, part and label.
    """
    mine = {(one.metric, one.part, one.label): one for one in (*FINE, *figures)}
    facts: dict[str, Any] = {
        "ratio": (1.0, 0.9, 1.1),
        "size": 1000,
        "only_a": (),
    } | changes
    if "left" in changes:
        mine = {key: one for key, one in mine.items() if key[0] != changes["left"]}
    pair = Pair("b", ("hate",), facts["only_a"], (), [*mine.values()], Flips(0, {}, []))
    speed = {"b": Speed(1, 1, 1, *facts["ratio"], 10)} if facts["ratio"] else {}
    both = [contender("a", "d1"), contender("b", "d2", facts["size"])]
    return check_gates(Comparison(both, [pair], speed, {}), gates)


def outcomes(found: GateReport) -> dict[str, str]:
    """Return the gates with an outcome other than "passed"."""
    return {one.name: one.outcome for one in found.results if one.outcome != "passed"}


def test_a_model_that_is_no_worse_passes() -> None:
    found = report()
    assert found.passed
    assert [one.name for one in found.results] == list(get_args(GateName))
    assert (found.baseline, found.candidate, found.name, found.version) == ("d1", "d2", "b", "1")
    assert all(one.passed and one.why for one in found.results)


@pytest.mark.parametrize(
    ("figure", "gate"),
    [
        (difference("auc", 0.9, 0.87, "worse", part="corpus b"), "slice_loss"),
        (difference("calibration_error", 0.03, 0.06, "worse"), "calibration_loss"),
        (difference("calibration_error", 0.07, 0.1), "calibration_error"),
        (difference("bias_gap", 0.02, 0.05, "worse", part=BIAS), "bias_gap_increase"),
        (difference("bias_gap", 0.14, 0.18, part=BIAS), "bias_gap"),
    ],
)
def test_each_figure_has_its_gate(figure: Difference, gate: str) -> None:
    found = report(figure)
    assert outcomes(found) == {gate: "failed"}
    assert not found.passed
    failed = next(one for one in found.results if one.name == gate)
    assert f"{figure.label}, {figure.part}" in failed.why
    assert failed.low < failed.value < failed.high
    assert failed.value > failed.limit


@pytest.mark.parametrize(("metric", "part"), [("calibration_error", ALL), ("bias_gap", BIAS)])
def test_a_level_that_the_first_model_has_too_is_not_held_against_a_candidate(metric: str, part: str) -> None:
    assert report(difference(metric, 0.2, 0.2, part=part)).passed
    worse = outcomes(report(difference(metric, 0.2, 0.25, "worse", part=part)))
    assert set(worse.values()) == {"failed"}
    assert metric in worse


@pytest.mark.parametrize(
    ("changes", "gate"),
    [
        ({"ratio": (1.9, 1.6, 2.2)}, "latency_ratio"),
        ({"size": 2001}, "size_ratio"),
        ({"only_a": ("spam",)}, "labels"),
    ],
)
def test_each_fact_has_its_gate(changes: dict[str, Any], gate: str) -> None:
    assert outcomes(report(**changes)) == {gate: "failed"}


@pytest.mark.parametrize(
    "figure",
    [
        difference("auc", 0.9, 0.7, part="corpus b"),  # large, but possibly chance
        difference("auc", 0.9, 0.881, "worse", part="corpus b"),  # certain, but small
        difference("auc", 0.9, 0.5, "worse", part="corpus b", examples=99),
        difference("f1", 0.9, 0.5, "worse"),
        difference("auc", 0.7, 0.9, "better", part="corpus b"),
        difference(
            "calibration_error", 0.03, 0.4, "worse", part="corpus b"
        ),  # this gate does not apply to slices
        difference("calibration_error", 0.085, 0.085),  # its interval reaches down to the limit
    ],
)
def test_what_is_no_evidence_of_too_much_passes(figure: Difference) -> None:
    assert report(figure).passed


def test_a_loss_that_may_be_chance_is_told() -> None:
    found = report(difference("auc", 0.9, 0.7, part="corpus b"))
    (loss,) = (one for one in found.results if one.name == "slice_loss")
    assert loss.outcome == "passed"
    assert loss.why.startswith("hate, corpus b: 0.200 is more than 0.02, but")


def test_a_slow_round_is_no_evidence() -> None:
    assert report(ratio=(1.6, 1.2, 3.0)).passed


@pytest.mark.parametrize(
    ("changes", "gates"),
    [
        ({"left": "auc"}, {"slice_loss"}),
        ({"left": "calibration_error"}, {"calibration_error", "calibration_loss"}),
        ({"left": "bias_gap"}, {"bias_gap", "bias_gap_increase"}),
        ({"ratio": None}, {"latency_ratio"}),
        ({"size": 0}, {"size_ratio"}),
    ],
)
def test_what_cannot_be_measured_blocks_unless_that_is_allowed(
    changes: dict[str, Any], gates: set[Any]
) -> None:
    found = report(**changes)
    assert outcomes(found) == dict.fromkeys(gates, "not measurable")
    assert not found.passed
    assert report(**changes, gates=Gates(allow_unmeasured=tuple(gates))).passed
    results = {one["name"]: one for one in to_plain(found)["results"]}
    assert all(results[name]["value"] is None for name in gates)


def test_the_recipe_sets_metric_and_limits() -> None:
    loss = difference("f1", 0.9, 0.8, "worse", part="corpus b")
    assert outcomes(report(loss, difference("f1", 0.9, 0.9), gates=Gates(slice_metric="f1"))) == {
        "slice_loss": "failed"
    }
    assert report(loss, gates=Gates(slice_metric="f1", max_slice_loss=0.2)).passed
    assert outcomes(report(gates=Gates(max_size_ratio=0.9))) == {"size_ratio": "failed"}
    assert outcomes(report(gates=Gates(min_examples=501))).keys() >= {"slice_loss", "bias_gap"}


@pytest.mark.parametrize(
    "section", [{"max_slice_los": 0.1}, {"max_slice_loss": -1}, {"allow_unmeasured": ["speed"]}]
)
def test_a_section_that_is_wrong_is_refused(section: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Gates.model_validate(section)


def test_gates_are_for_model_directories() -> None:
    pair = Pair("b", (), (), (), [], Flips(0, {}, []))
    with pytest.raises(ValueError, match="tfidf"):
        check_gates(Comparison([contender("a", "d1"), contender("b", None)], [pair], {}, {}), GATES)


def test_a_candidate_is_found_by_its_name() -> None:
    pairs = [Pair(name, (), (), (), [], Flips(0, {}, [])) for name in ("b", "c")]
    contenders = [contender(name, name) for name in "abc"]
    assert check_gates(Comparison(contenders, pairs, {}, {}), GATES, "c").candidate == "c"
    assert check_gates(Comparison(contenders, pairs, {}, {}), GATES).candidate == "b"
