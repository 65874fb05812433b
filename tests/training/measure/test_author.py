"""Weights of the author line: which comments get which lines, and what the regression finds."""

import numpy as np
import pytest
from datasets import Dataset
from rich.console import Console

from belowline.model import ScoreInput, Scorer
from belowline.model.directory import Calibration
from belowline.training.measure.author import author_pairs, fit_author, fitted

QUIET = Console(quiet=True)


def validation(spammers: int = 30) -> Dataset:
    rows = [("blog-spam", f"s{n}", f"nice page {n}", 1.0) for n in range(40)]
    rows += [("author-lines", f"s{n}", f"by shop {n}", 1.0) for n in range(spammers)]
    rows += [("author-lines", f"n{n}", f"by reader {n}", 0.0) for n in range(25)]
    rows += [("cad", f"c{n}", f"I disagree {n}", 0.0) for n in range(60)]
    rows += [("cad", "c-unknown", "who knows", None)]
    names = ("source", "row", "text")
    return Dataset.from_list([dict(zip(names, row, strict=False)) | {"labels": [row[3]]} for row in rows])


def test_spammers_have_their_own_line_and_every_comment_an_ordinary_one() -> None:
    pairs = author_pairs(validation(), 0)
    assert pairs is not None
    found = set(zip(pairs.texts, pairs.lines, pairs.spam, strict=True))
    assert {pair for pair in found if "shop" in pair[1]} == {
        (f"nice page {n}", f"by shop {n}", 1.0) for n in range(30)
    }
    ordinary = {text: spam for text, line, spam in found if "reader" in line}
    assert ordinary == {f"nice page {n}": 1.0 for n in range(40)} | {
        f"I disagree {n}": 0.0 for n in range(60)
    }
    shares = [pairs.weights[pairs.spam == value].sum() for value in (0, 1)]
    assert shares == pytest.approx([0.5, 0.5])


def test_too_few_lines_fit_nothing(tiny_scorer: Scorer) -> None:
    assert author_pairs(validation(spammers=5), 0) is None
    rows = validation(spammers=5)
    assert fit_author(tiny_scorer, Calibration(scale=1, shift=0), rows, QUIET) is None


def test_the_regression_finds_the_weights_and_allows_none_below_zero() -> None:
    rng = np.random.default_rng(1)
    own, by = rng.normal(0, 2, (2, 20_000))
    spam = (rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * own + 1.2 * by - 0.5)))).astype(np.float64)
    weights = np.full(20_000, 1 / 20_000)
    found = fitted(own, by, spam, weights)
    assert (found.text, found.line, found.shift) == pytest.approx((0.7, 1.2, -0.5), abs=0.1)
    against = fitted(own, -by, spam, weights)
    assert against.line == 0.0
    assert against.text > 0.3


def test_a_fit_reads_texts_and_lines_with_the_calibration_of_spam(tiny_scorer: Scorer) -> None:
    rows = validation()
    data = rows.map(lambda row: {"labels": [row["labels"][0]] + [None] * 7})
    weights = fit_author(tiny_scorer, Calibration(scale=2.0, shift=-1.0), data, QUIET)
    assert weights is not None
    config = tiny_scorer.config.model_copy(update={"author": weights})
    scorer = Scorer(config, tiny_scorer._session, tiny_scorer.tokenizer, threads=1)
    [scores] = scorer.score([ScoreInput("nice page", author="shop 1")])
    assert 0 < scores.probabilities["spam"] < 1
