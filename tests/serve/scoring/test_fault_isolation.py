import logging
from dataclasses import replace
from pathlib import Path

import pytest

from belowline.model import PolicyDecision, ScoreInput
from belowline.serve.scoring.fault_isolation import article_context, describe, score_each
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.results import Result, make_result
from tests.support.serve_fakes import FakeScorer, fake_scorer


def inputs(*texts: str) -> list[ScoreInput]:
    return [ScoreInput(text) for text in texts]


@pytest.mark.parametrize(
    ("title", "text", "context"),
    [
        (None, None, None),
        ("", "  ", None),
        ("Title", None, "Title"),
        (" Title ", "One.\nStill one.\n \nTwo.\n", "Title\nOne.\nStill one.\n \nTwo."),
        (None, "\n\nOne.\n\nTwo.", "One.\n\nTwo."),
        ("Title", "x" * 5000, "Title\n" + "x" * 3994),
        ("t" * 5000, "One.", "t" * 4000),
    ],
)
def test_article_context(title: str | None, text: str | None, context: str | None) -> None:
    assert article_context(title, text) == context


def test_scores_come_in_order() -> None:
    scores = score_each(FakeScorer(), inputs("spam", "fine", "hate"))
    assert [one.probabilities["spam"] for one in scores if one] == [0.9, 0.01, 0.01]


def test_a_comment_that_fails_takes_no_others_down(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        scores = score_each(FakeScorer(), inputs("a", "b", "explode secret", "spam", "c"))
    assert [one is None for one in scores] == [False, False, True, False, False]
    assert "RuntimeError at tests.support.serve_fakes:" in caplog.text
    assert "secret" not in caplog.text


def test_a_model_that_answers_too_few_is_not_believed() -> None:
    class Short(FakeScorer):
        def score(self, comments):
            return super().score(comments)[1:]

    assert score_each(Short(), inputs("a", "b")) == [None, None]


def test_nothing_is_not_sent_to_the_model() -> None:
    scorer = FakeScorer()
    assert score_each(scorer, []) == []
    assert scorer.calls == []


def test_describe_without_a_trace_is_the_type() -> None:
    assert describe(ValueError("secret")) == "ValueError"


def test_result_has_the_one_shape() -> None:
    [scores] = score_each(FakeScorer(), inputs("so much spam"))
    result = make_result("c1", scores, PolicyDecision("hold", "spam", "spam >= 0.5", "spam"), "9.9.9")
    assert result.model_dump() == {
        "id": "c1",
        "scores": {label: 0.9 if label == "spam" else 0.01 for label in FakeScorer.labels},
        "relevance": None,
        "action": "hold",
        "reason": {"code": "spam", "rule": "spam >= 0.5", "label": "spam"},
        "evidence": [{"label": "spam", "start": 8, "end": 12, "strength": 0.8765}],
        "language": "en",
        "model": "9.9.9",
    }
    assert Result.model_validate(result.model_dump()) == result


def test_a_result_has_the_relevance_of_a_comment_with_context_in_four_decimals() -> None:
    [scores] = score_each(FakeScorer(), [ScoreInput("fine", article="Harbour")])
    assert scores is not None
    assert scores.relevance == 0.75
    decision = PolicyDecision("publish", "none", "no rule fired", None)
    assert make_result("c1", replace(scores, relevance=0.123456), decision, "9.9.9").relevance == 0.1235
    assert make_result("c1", None, decision, "9.9.9").relevance is None


def test_judge_holds_what_failed() -> None:
    scorer = fake_scorer()
    results = ModerationPipeline.of(scorer, None)(["1", "2", "3"], inputs("spam", "fine", "explode"))
    assert [(result.id, result.action, result.reason.code) for result in results] == [
        ("1", "hold", "spam"),
        ("2", "publish", "none"),
        ("3", "hold", "scoring_failed"),
    ]
    assert (results[2].scores, results[2].evidence, results[2].language) == ({}, [], "und")


def test_identity_tells_models_and_policies_of_one_version_apart(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text('labels = ["spam"]')
    scorer, other = fake_scorer(), fake_scorer()
    other.config = scorer.config.model_copy(update={"corpora_fingerprint": "other"})
    one, stricter, retrained = (
        ModerationPipeline.of(scorer, None),
        ModerationPipeline.of(scorer, tmp_path / "policy.toml"),
        ModerationPipeline.of(other, None),
    )
    assert one.identity == ModerationPipeline.of(fake_scorer(), None).identity
    [trained_again, copied, same] = [
        ModerationPipeline.of(scorer, None, digest).identity for digest in ("0" * 64, "1" * 64, "1" * 64)
    ]
    assert trained_again["model"] != copied["model"] == same["model"]
    assert one.identity["model"].startswith("9.9.9 (")
    assert one.identity["model"] == stricter.identity["model"] != retrained.identity["model"]
    assert one.identity["policy"] == retrained.identity["policy"] != stricter.identity["policy"]
