"""The author line changes the spam probability by the fitted weights, and nothing else."""

import json
import math
from pathlib import Path

import pytest

from belowline.model import ModelError, ScoreInput, Scorer, Thresholds
from belowline.model.author_line import author_line
from belowline.model.directory import AuthorWeights, EvidenceChannel, read_config
from tests.support.tiny_model import build_tiny_model

WEIGHTS = AuthorWeights(text=0.5, line=2.0, shift=-0.25)


@pytest.mark.parametrize(
    ("author", "url", "line"),
    [
        ("Ann Smith", None, "by Ann Smith"),
        ("  cheap\n watches ", "", "by cheap watches"),
        (None, "https://www.cheap-watches.example/men?x=1", "site cheap watches example men x 1"),
        ("Ann", "cheapwatches.example", "by Ann, site cheapwatches example"),
        ("x" * 500, "//" + "y" * 500, f"by {'x' * 200}, site {'y' * 200}"),
        (" ", "https://", None),
        (None, None, None),
    ],
)
def test_name_and_words_of_the_address(author: str | None, url: str | None, line: str | None) -> None:
    assert author_line(author, url) == line


def weighted(scorer: Scorer, **changes: object) -> Scorer:
    """Return ``scorer`` with weights of the author line and other changes to its configuration."""
    config = scorer.config.model_copy(update={"author": WEIGHTS} | changes)
    return Scorer(config, scorer._session, scorer.tokenizer, threads=1)


@pytest.fixture
def scorer(tiny_scorer: Scorer) -> Scorer:
    return weighted(tiny_scorer)


def logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


def test_spam_combines_both_readings_and_other_labels_stay(scorer: Scorer) -> None:
    text, line = (
        one.probabilities for one in scorer.score([ScoreInput("you there"), ScoreInput("by the link")])
    )
    [both] = scorer.score([ScoreInput("you there", author="the link")])
    expected = 0.5 * logit(text["spam"]) + 2.0 * logit(line["spam"]) - 0.25
    assert logit(both.probabilities["spam"]) == pytest.approx(expected, rel=1e-4)
    assert {**both.probabilities, "spam": 0} == {**text, "spam": 0}


def test_a_model_without_weights_and_a_comment_without_author_read_the_text_alone(
    scorer: Scorer, tiny_scorer: Scorer
) -> None:
    plain = ScoreInput("you there")
    named = ScoreInput("you there", author="the link", author_url="http://shop.example")
    assert tiny_scorer.score([named]) == tiny_scorer.score([plain])
    assert scorer.score([plain]) == tiny_scorer.score([plain])


def test_the_same_author_is_read_once(scorer: Scorer) -> None:
    scorer.forget()
    runs: list[int] = []
    run = scorer._run
    scorer._run = lambda ids: runs.append(1) or run(ids)  # type: ignore[method-assign,func-returns-value]
    scorer.score([ScoreInput(text, author="the one") for text in ("a", "b", "c")])
    scorer._run = run  # type: ignore[method-assign]
    assert len(runs) == 4


def test_spam_has_evidence_only_where_the_combined_probability_holds(tiny_scorer: Scorer) -> None:
    never = AuthorWeights(text=0.0, line=0.0, shift=-9.0)
    for hold, shown in ((0.0, True), (0.01, False)):
        bounds = {
            label: Thresholds(hold=hold if label == "spam" else None) for label in tiny_scorer.thresholds
        }
        evidence = {"spam": EvidenceChannel(channel="spam", floor=0.0)}
        scorer = weighted(tiny_scorer, author=never, thresholds=bounds, evidence=evidence)
        [scores] = scorer.score([ScoreInput("you the link", author="Ann")])
        assert bool(scores.evidence) == shown


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"author": {"text": -1.0, "line": 1.0, "shift": 0.0}}, r"author\.text"),
        ({"author": WEIGHTS.model_dump(), "labels": ["hate"], "harmful": ["hate"]}, "spam is missing"),
    ],
)
def test_wrong_weights_are_named(tmp_path: Path, changes: dict[str, object], named: str) -> None:
    directory = build_tiny_model(tmp_path)
    file = directory / "config.json"
    config = json.loads(file.read_text()) | changes
    config["evidence"] = {}
    file.write_text(json.dumps(config))
    with pytest.raises(ModelError, match=named):
        read_config(directory)
