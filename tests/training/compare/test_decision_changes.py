"""Changed decisions between two models, and the right ones of them by the labels."""

import numpy as np
import pytest

from belowline.data.example import Example
from belowline.model import HARMFUL, Policy, Thresholds
from belowline.training.compare.decision_changes import Flips, flips_of
from belowline.training.files import to_plain
from belowline.training.measure.rows import TestRows, rows_of

NAN = float("nan")
POLICY = Policy.load(None, dict.fromkeys(HARMFUL, Thresholds(hold=0.5, reject=0.9)))
REJECTING = Policy.parse("version = 'r'\nautomatic_rejection = true", "r", POLICY.thresholds)
STRICT = Policy.parse("version = 's'\n[thresholds.spam]\nhold = 0.2", "s", POLICY.thresholds)


def rows(*labels: dict[str, float]) -> TestRows:
    examples = [Example(f"text {n}", known, "c", f"row {n}", str(n)) for n, known in enumerate(labels)]
    return rows_of(examples, ("spam", "hate", "profanity"), None)


def flips(
    given: TestRows, a: dict[str, list[float]], b: dict[str, list[float]], policies: tuple[Policy, Policy]
) -> Flips:
    sides = ({label: np.array(values) for label, values in side.items()} for side in (a, b))
    return flips_of(given, *sides, policies)


@pytest.mark.parametrize(
    ("known", "judged"),
    [
        ({"spam": 1.0}, "right"),
        ({"spam": 0.0}, "wrong"),
        ({"spam": 0.0, "hate": 1.0}, "right"),  # held for the wrong reason, but still held
        ({"hate": 0.0}, "unknown"),  # it has no label for spam
        ({}, "unknown"),
        ({"profanity": 1.0, "spam": 0.0}, "wrong"),  # the policy does not hold for profanity
    ],
)
def test_holding_is_right_where_a_label_of_the_policy_applies(known: dict[str, float], judged: str) -> None:
    low, high = {"spam": [0.1], "hate": [0.1]}, {"spam": [0.6], "hate": [0.1]}
    forth = flips(rows(known), low, high, (POLICY, POLICY))
    (flip,) = forth.rows
    assert (flip.corpus, flip.row, flip.a, flip.b, flip.label) == ("c", "row 0", "publish", "hold", "spam")
    assert flip.b_is == judged
    back = flips(rows(known), high, low, (POLICY, POLICY)).rows[0]
    assert back.b_is == {"right": "wrong", "wrong": "right", "unknown": "unknown"}[judged]
    assert forth.counts["publish > hold"][judged] == 1


def test_each_side_has_its_own_thresholds() -> None:
    same = {"spam": [0.3, 0.1, 0.7]}
    found = flips(rows({"spam": 1.0}, {"spam": 0.0}, {"spam": 1.0}), same, same, (POLICY, STRICT))
    assert found.counts == {"publish > hold": {"right": 1, "wrong": 0, "unknown": 0}}
    assert found.decided == 3


def test_rejecting_is_stricter_than_holding() -> None:
    given = rows({"spam": 1.0}, {"spam": 0.0})
    found = flips(given, {"spam": [0.95, 0.95]}, {"spam": [0.6, 0.6]}, (REJECTING, REJECTING))
    assert found.counts == {"reject > hold": {"right": 1, "wrong": 1, "unknown": 0}}


def test_a_label_that_one_does_not_know_and_rows_that_one_refused_play_no_part() -> None:
    given = rows({"spam": 1.0}, {"spam": 1.0})
    a, b = {"spam": [0.1, 0.1], "hate": [0.9, 0.9]}, {"spam": [NAN, 0.9]}
    found = flips(given, a, b, (POLICY, POLICY))
    assert (found.decided, [flip.row for flip in found.rows]) == (1, ["row 1"])
    assert flips(given, {"hate": [0.9, 0.9]}, {"profanity": [0.9, 0.9]}, (POLICY, POLICY)).decided == 0


def test_no_text_is_in_the_result() -> None:
    found = flips(rows({"spam": 1.0}), {"spam": [0.1]}, {"spam": [0.6]}, (POLICY, POLICY))
    assert [flip.index for flip in found.rows] == [0]
    assert "text" not in str(to_plain(found))
