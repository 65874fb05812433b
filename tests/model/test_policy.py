"""Policy decisions: ordered rules, never looser for a worse score, and one clear line for an invalid policy file."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belowline.model import HARMFUL, Policy, PolicyDecision, PolicyError, Scores, Thresholds, decide
from belowline.model.policy import DEFAULT_POLICY

THRESHOLDS = {label: Thresholds(hold=0.6, reject=0.9) for label in HARMFUL}
DEFAULT = Policy.load(None, THRESHOLDS)
REJECTING = replace(DEFAULT, automatic_rejection=True)
SEVERITY = {"publish": 0, "hold": 1, "reject": 2}


def scores(language: str = "en", **probabilities: float) -> Scores:
    return Scores(
        dict.fromkeys((*HARMFUL, "on_topic"), 0.01) | probabilities, evidence=(), language=language, model="t"
    )


# --- decisions ---


@pytest.mark.parametrize("policy", [DEFAULT, REJECTING], ids=["default", "rejecting"])
def test_a_comment_that_could_not_be_scored_is_held(policy: Policy) -> None:
    assert decide(None, policy) == PolicyDecision("hold", "scoring_failed", "scoring failed", None)


def test_a_harmless_comment_is_published() -> None:
    assert decide(scores(), DEFAULT) == PolicyDecision("publish", "none", "no rule fired", None)
    assert decide(scores(on_topic=0.99), DEFAULT).action == "publish"


@pytest.mark.parametrize(
    ("label", "code"),
    [
        ("hate", "hate_speech"),
        ("spam", "spam"),
        ("threat", "threat"),
        ("antisemitism", "antisemitism"),
        ("personal_attack", "personal_attack"),
        ("toxicity", "toxicity"),
    ],
)
def test_each_label_holds_under_its_code(label: str, code: str) -> None:
    assert decide(scores(**{label: 0.6}), DEFAULT) == PolicyDecision("hold", code, f"{label} >= 0.6", label)
    assert decide(scores(**{label: 0.5999}), DEFAULT).action == "publish"
    assert decide(scores(**{label: 0.95}), REJECTING) == PolicyDecision(
        "reject", code, f"{label} >= 0.9", label
    )


def test_a_label_that_the_policy_leaves_out_never_holds() -> None:
    assert "profanity" not in DEFAULT.thresholds
    assert decide(scores(profanity=1.0), REJECTING).action == "publish"


def test_without_automatic_rejection_what_would_be_rejected_is_held() -> None:
    assert decide(scores(spam=0.99), DEFAULT) == PolicyDecision("hold", "spam", "spam >= 0.6", "spam")
    rejects_only = replace(DEFAULT, thresholds={"spam": Thresholds(hold=None, reject=0.9)})
    assert decide(scores(spam=0.99), rejects_only) == PolicyDecision("hold", "spam", "spam >= 0.9", "spam")


def test_the_label_furthest_above_its_threshold_is_the_reason() -> None:
    assert decide(scores(threat=0.7, spam=0.8), DEFAULT).label == "spam"
    assert decide(scores(threat=0.8, spam=0.7), DEFAULT).label == "threat"
    apart = replace(DEFAULT, thresholds={"spam": Thresholds(hold=0.5), "threat": Thresholds(hold=0.9)})
    # 0.95 is 0.75 log-odds above 0.9, and 0.7 is 0.85 above 0.5.
    assert decide(scores(threat=0.95, spam=0.7), apart).label == "spam"
    assert decide(scores(threat=0.96, spam=0.7), apart).label == "threat"


def test_of_labels_equally_far_the_policys_first_is_the_reason() -> None:
    both = scores(threat=0.7, spam=0.7)
    assert decide(both, DEFAULT).label == "threat"
    turned = replace(DEFAULT, thresholds={label: THRESHOLDS[label] for label in ("spam", "threat")})
    assert decide(both, turned).label == "spam"


def test_a_label_that_rejects_goes_before_one_that_holds() -> None:
    assert decide(scores(threat=0.85, spam=0.95), REJECTING).rule == "spam >= 0.9"
    assert decide(scores(threat=0.96, spam=0.95), DEFAULT).rule == "threat >= 0.6"


def test_a_label_without_thresholds_stands_aside() -> None:
    silent = Policy.load(None, THRESHOLDS | {"spam": Thresholds(hold=None, reject=None)})
    assert decide(scores(spam=1.0), replace(silent, automatic_rejection=True)).action == "publish"


def test_an_unknown_language_is_held() -> None:
    held = decide(scores("ar"), DEFAULT)
    assert (held.action, held.code, held.label) == ("hold", "language", None)
    assert "ar" in held.rule
    assert decide(scores("und"), DEFAULT).action == "publish"
    assert decide(scores("ar"), replace(DEFAULT, unknown_language="publish")).action == "publish"
    assert decide(scores("ar"), Policy.load(None, THRESHOLDS, ("en", "ar"))).action == "publish"


def test_a_label_is_named_before_the_language() -> None:
    assert decide(scores("ar", hate=0.7), DEFAULT).code == "hate_speech"


# --- properties ---

probability = st.floats(0, 1)
thresholds = st.builds(Thresholds, hold=st.none() | probability, reject=st.none() | probability)
policies = st.builds(
    Policy,
    version=st.just("drawn"),
    automatic_rejection=st.booleans(),
    thresholds=st.lists(st.sampled_from(HARMFUL), unique=True).flatmap(
        lambda labels: st.fixed_dictionaries(dict.fromkeys(labels, thresholds))
    ),
    unknown_language=st.sampled_from(("hold", "publish")),
)
drawn_scores = st.builds(
    lambda probabilities, language: scores(language, **probabilities),
    st.fixed_dictionaries(dict.fromkeys(HARMFUL, probability)),
    st.sampled_from(("en", "und", "de")),
)


@given(drawn_scores, policies, st.sampled_from(HARMFUL), probability)
def test_a_worse_score_never_makes_the_decision_looser(
    before: Scores, policy: Policy, label: str, raised: float
) -> None:
    worse = before.probabilities | {label: max(raised, before.probabilities[label])}
    after = replace(before, probabilities=worse)
    assert SEVERITY[decide(after, policy).action] >= SEVERITY[decide(before, policy).action]


@given(drawn_scores, policies)
def test_the_same_scores_get_the_same_decision_and_stay_as_they_are(before: Scores, policy: Policy) -> None:
    kept = dict(before.probabilities)
    assert decide(before, policy) == decide(before, policy)
    assert before.probabilities == kept


@given(drawn_scores, policies)
def test_the_reason_is_true(found: Scores, policy: Policy) -> None:
    decision = decide(found, policy)
    if decision.label is not None:
        threshold = policy.thresholds[decision.label]
        assert found.probabilities[decision.label] >= min(
            bound for bound in (threshold.hold, threshold.reject) if bound is not None
        )
    if not policy.automatic_rejection:
        assert decision.action != "reject"


# --- the policy file ---


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def test_the_default_is_cautious() -> None:
    assert DEFAULT.automatic_rejection is False
    assert DEFAULT.unknown_language == "hold"
    assert next(iter(DEFAULT.thresholds)) == "threat"
    assert DEFAULT.thresholds["spam"] == THRESHOLDS["spam"]
    assert Policy.load(DEFAULT_POLICY, THRESHOLDS) == DEFAULT


def test_what_a_file_leaves_out_keeps_the_default(file: Path) -> None:
    file.write_text('version = "mine"\nautomatic_rejection = true\n', "utf-8")
    assert Policy.load(file, THRESHOLDS) == replace(REJECTING, version="mine")


def test_a_file_sets_labels_and_thresholds(file: Path) -> None:
    file.write_text(
        'version = "mine"\nlabels = ["spam", "hate"]\n[thresholds.spam]\nhold = 0.2\nreject = 0.3\n', "utf-8"
    )
    policy = Policy.load(file, THRESHOLDS)
    assert policy.thresholds == {"spam": Thresholds(hold=0.2, reject=0.3), "hate": THRESHOLDS["hate"]}
    assert list(policy.thresholds) == ["spam", "hate"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("version = ", "not TOML"),
        ("automatic_rejection = yes", "not TOML"),
        ("autoreject = true", "autoreject: "),
        ('version = ""', "version: "),
        ('unknown_language = "reject"', "unknown_language: "),
        ('labels = "spam"', "labels: "),
        ('labels = ["spam", "sarcasm"]', "'sarcasm'"),
        ('labels = ["on_topic"]', "'on_topic'"),
        ("[thresholds.sarcasm]\nhold = 0.5\nreject = 0.9", "'sarcasm'"),
        ("[thresholds.spam]\nhold = 1.5\nreject = 1.0", "thresholds.spam.hold: "),
        ("[thresholds.spam]\nhold = -0.1\nreject = 1.0", "thresholds.spam.hold: "),
        ("[thresholds.spam]\nhold = nan\nreject = 1.0", "thresholds.spam.hold: "),
        ("[thresholds.spam]\nhold = 0.5\nreject = 1.0\nwarn = 0.2", "thresholds.spam.warn: "),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(file: Path, content: str, problem: str) -> None:
    file.write_text(content, "utf-8")
    message = refusal(file)
    assert problem in message


def test_a_file_that_is_not_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    assert "not TOML" in refusal(file)


def test_a_file_that_is_not_there(file: Path) -> None:
    assert "cannot be read" in refusal(file)
    assert "cannot be read" in refusal(file.parent)


def test_a_label_that_the_model_does_not_give(file: Path) -> None:
    file.write_text('labels = ["spam"]\n[thresholds.profanity]\nhold = 0.5\nreject = 0.9\n', "utf-8")
    given = {"spam": THRESHOLDS["spam"]}
    with pytest.raises(PolicyError, match=r"'profanity' .*: spam$"):
        Policy.load(file, given)


def refusal(file: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        Policy.load(file, THRESHOLDS)
    message = str(caught.value)
    assert message.startswith(f"{file}: ")
    assert "\n" not in message
    return message
