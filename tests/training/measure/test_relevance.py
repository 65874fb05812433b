"""Fitting and measuring relevance: true pairs against unrelated pairs, at a stated prior."""

import pytest
from datasets import Dataset

from belowline.model import ModelError, Scorer
from belowline.model.directory import Calibration
from belowline.training.measure.relevance import (
    NEUTRAL,
    PRIOR,
    Pairs,
    fit_pairs,
    fit_relevance,
    relevances,
    reply_pairs,
)

WORDS = ("the", "you", "link", *"0123456789")
REPLIES = [
    (" ".join((word, word, other)), " ".join((word, other, other, "b", "c")))
    for word in WORDS
    for other in WORDS
]
"""A reply shares its words with its parent."""


def with_relevance(scorer: Scorer, relevance: Calibration | None) -> Scorer:
    config = scorer.config.model_copy(update={"relevance": relevance})
    return Scorer(config, scorer._session, scorer.tokenizer, threads=1)


def contexts(pairs: Pairs, related: bool) -> list[tuple[str, str | None]]:
    return [
        (one.text, one.parent)
        for one, own in zip(pairs.comments, pairs.related, strict=True)
        if own == related
    ]


def test_each_reply_stands_once_with_its_parent_and_once_with_a_stranger() -> None:
    pairs = reply_pairs(REPLIES)
    assert contexts(pairs, related=True) == REPLIES
    strangers = contexts(pairs, related=False)
    assert sorted(text for text, _ in strangers) == sorted(text for text, _ in REPLIES)
    assert sorted(str(parent) for _, parent in strangers) == sorted(parent for _, parent in REPLIES)
    assert not set(strangers) & set(REPLIES)
    assert contexts(reply_pairs(REPLIES), related=False) == strangers
    assert contexts(reply_pairs(REPLIES, seed=1), related=False) != strangers


def test_the_same_parent_is_no_stranger() -> None:
    pairs = reply_pairs([("a", "same"), ("b", "same"), ("c", "other")])
    assert ("a", "same") not in contexts(pairs, related=False)
    assert len(contexts(pairs, related=False)) == 2


def test_fitted_probabilities_have_the_stated_prior_and_the_right_order(tiny_scorer: Scorer) -> None:
    pairs = reply_pairs(REPLIES)
    fitted = fit_pairs(with_relevance(tiny_scorer, NEUTRAL), pairs)
    assert fitted is not None
    values = relevances(with_relevance(tiny_scorer, fitted), pairs.comments)
    related, strangers = values[pairs.related].mean(), values[~pairs.related].mean()
    assert related > strangers
    assert PRIOR * related + (1 - PRIOR) * strangers == pytest.approx(PRIOR, abs=1e-3)


def test_what_the_model_had_before_plays_no_part(tiny_scorer: Scorer) -> None:
    pairs = reply_pairs(REPLIES)
    first = fit_pairs(with_relevance(tiny_scorer, NEUTRAL), pairs)
    again = fit_pairs(with_relevance(tiny_scorer, Calibration(scale=7.0, shift=-2.0)), pairs)
    assert first is not None
    assert again is not None
    assert (again.scale, again.shift) == pytest.approx((first.scale, first.shift), abs=0.01)


def test_a_cosine_that_tells_nothing_gives_no_relevance(tiny_scorer: Scorer) -> None:
    replies = [("the same words", parent) for _, parent in REPLIES]
    assert fit_pairs(tiny_scorer, reply_pairs(replies)) is None


def dataset(source: str, replies: list[tuple[str, str]]) -> Dataset:
    return Dataset.from_dict(
        {
            "source": [source] * len(replies),
            "text": [text for text, _ in replies],
            "context": [context for _, context in replies],
        }
    )


def test_a_run_is_fitted_on_its_replies(tiny_scorer: Scorer) -> None:
    expected = fit_pairs(tiny_scorer, reply_pairs(REPLIES))
    assert expected is not None
    assert fit_relevance(tiny_scorer, dataset("cat", REPLIES)) == expected


def test_headlines_under_bodies_are_no_replies(tiny_scorer: Scorer) -> None:
    assert fit_relevance(tiny_scorer, dataset("fnc1", REPLIES)) is None


def test_too_few_replies_and_older_runs_give_no_relevance(tiny_scorer: Scorer) -> None:
    assert fit_relevance(tiny_scorer, dataset("cat", REPLIES[:99])) is None
    assert fit_relevance(tiny_scorer, dataset("cat", [(text, "") for text, _ in REPLIES])) is None
    assert fit_relevance(tiny_scorer, dataset("cat", REPLIES).remove_columns("context")) is None


def test_a_model_without_relevance_is_refused(tiny_scorer: Scorer) -> None:
    with pytest.raises(ModelError, match="no relevance"):
        relevances(with_relevance(tiny_scorer, None), reply_pairs(REPLIES).comments)
