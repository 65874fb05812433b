"""Proposed policies: only thresholds and the version change; comments and layout of the file remain."""

import pytest

from belowline.model import Policy, PolicyError, Thresholds
from belowline.model.policy import DEFAULT_POLICY
from belowline.training.errors import TuneError
from belowline.training.tune.tune import proposed_text, tuned_version

MODEL = {label: Thresholds(hold=0.6, reject=0.9) for label in ("spam", "hate", "threat", "toxicity")}
PRESENT = """# Our newsroom's policy.
version = "ours"
labels = ["threat", "hate", "spam"]  # in this order

[thresholds.hate]   # as agreed in May
hold = 0.7
reject = 0.97
# The links come next.

[links]
max = 2
[thresholds."spam"]
hold = 0.4

[sites."sports.example".thresholds.spam]
hold = 0.8
"""
NEW = {"spam": Thresholds(hold=0.31, reject=0.8571), "threat": Thresholds()}
REASONS = {"spam": "spam: for precision 0.9", "threat": "threat: dropped"}


def proposed(present: str = PRESENT, version: str = "new") -> str:
    return proposed_text(present, "ours.toml", version, NEW, REASONS)


def parsed(text: str) -> Policy:
    return Policy.parse(text, "p.toml", MODEL)


def test_only_thresholds_and_version_change() -> None:
    before, after = parsed(PRESENT), parsed(proposed())
    assert after.thresholds == {
        "threat": Thresholds(),
        "hate": Thresholds(hold=0.7, reject=0.97),
        "spam": Thresholds(hold=0.31, reject=0.8571),
    }
    assert (after.version, after.max_links, list(after.sites)) == ("new", 2, ["sports.example"])
    assert after.sites["sports.example"].thresholds["spam"] == Thresholds(hold=0.8)  # a table is whole
    assert before.thresholds["spam"] == Thresholds(hold=0.4)


def test_what_people_wrote_stays_and_reasons_stand_beside_the_thresholds() -> None:
    lines = proposed().splitlines()
    for kept in (
        "# Our newsroom's policy.",
        "[thresholds.hate]   # as agreed in May",
        "# The links come next.",
    ):
        assert kept in lines
    at = lines.index('[thresholds."spam"] # tune: spam: for precision 0.9')
    assert lines[at + 1 : at + 3] == ["hold = 0.31", "reject = 0.8571"]


def test_made_anew_it_does_not_pile_up() -> None:
    assert proposed(proposed()) == proposed()


def test_the_default_policy_can_be_changed() -> None:
    text = proposed(DEFAULT_POLICY.read_text("utf-8"))
    assert text.startswith("# The default policy.")
    changed = Policy.parse(
        text,
        "p.toml",
        dict.fromkeys(parsed("labels = ['spam']").thresholds, Thresholds())
        | {
            label: Thresholds(hold=0.5)
            for label in ("threat", "antisemitism", "hate", "spam", "personal_attack", "toxicity")
        },
    )
    assert changed.thresholds["spam"] == NEW["spam"]


def test_a_policy_without_a_version_gets_one() -> None:
    assert parsed(proposed("labels = ['spam', 'threat']", 'a "quoted" one')).version == 'a "quoted" one'


def test_thresholds_may_have_dotted_keys_but_not_be_an_inline_table() -> None:
    present = "labels = ['spam', 'threat']\nthresholds.spam.hold = 0.4\n"
    assert parsed(proposed(present)).thresholds == {"spam": NEW["spam"], "threat": Thresholds()}
    with pytest.raises(TuneError, match=r"\[thresholds.LABEL\]"):
        proposed("thresholds = {spam = {hold = 0.4}}")


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(PolicyError, match=r"^ours.toml"):
        proposed("[thresholds")


def test_the_version_tells_when_it_was_tuned() -> None:
    once = tuned_version("ours", "2026-11-26")
    assert once == "ours+tuned-2026-11-26"
    assert tuned_version(once, "2026-12-01") == "ours+tuned-2026-12-01"
    assert len(tuned_version("x" * 100, "2026-12-01")) <= 100
