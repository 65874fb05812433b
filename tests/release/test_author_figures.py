"""Figures of the author line on a miniature of the blog that was left out, and the list of names."""

import csv
from pathlib import Path

import pytest
from rich.console import Console

from belowline.model import Scorer
from belowline.model.directory import AuthorWeights
from belowline.training.dataset.author_lines import origins
from tests.release.author_figures import blog_figures, names, names_figure

QUIET = Console(quiet=True)
COLUMNS = ("id", "source", "post", "date", "label", "near", "text", "spam_author", "spam_url")


def with_weights(scorer: Scorer, weights: AuthorWeights | None) -> Scorer:
    config = scorer.config.model_copy(update={"author": weights})
    return Scorer(config, scorer._session, scorer.tokenizer, threads=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [
        (n, "mademistakes", "p", "", "spam" if n % 2 else "ham", n, f"nice page {n}", "link" * (n % 2), "")
        for n in range(20)
    ]
    (tmp_path / "blog-spam").mkdir()
    with (tmp_path / "blog-spam" / "comments.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])
    return tmp_path


def test_a_thousand_names_of_ten_origins_that_training_does_not_have() -> None:
    assert [len(set(own)) for own in names().values()] == [100] * 10
    trained = {f"{a} {b}" for own in origins().values() for a in own["first"] for b in own["last"]}
    assert not trained & {name for own in names().values() for name in own}


@pytest.mark.slow
def test_names_differ_by_the_weight_of_their_line(tiny_scorer: Scorer) -> None:
    even = names_figure(with_weights(tiny_scorer, AuthorWeights(text=1.0, line=0.0, shift=0.0)))
    assert (even.value, even.n) == (pytest.approx(0.0), 1000)
    assert names_figure(with_weights(tiny_scorer, AuthorWeights(text=1.0, line=2.0, shift=0.0))).value > 0.001
    assert names_figure(tiny_scorer).n == 0


@pytest.mark.slow
def test_the_blog_is_measured_with_and_without_author_lines(tiny_scorer: Scorer, root: Path) -> None:
    scorer = with_weights(tiny_scorer, AuthorWeights(text=1.0, line=0.5, shift=0.0))
    both, alone = blog_figures(scorer, root, QUIET)
    assert both.n == alone.n == 20
    assert both.value != alone.value
    unread, same = blog_figures(tiny_scorer, root, QUIET)
    assert (unread.n, same.value) == (0, alone.value)
    assert [figure.n for figure in blog_figures(scorer, root / "none", QUIET)] == [0, 0]
