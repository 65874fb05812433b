"""Figures of the author line: spam on the blog that was left out, and the spam probability of names by origin."""

import tomllib
from itertools import product
from pathlib import Path

import numpy as np
from rich.console import Console

from belowline.data.corpora import CORPORA, read_corpus
from belowline.data.corpora.spam import blog_spam_authors
from belowline.model import ScoreInput, Scorer
from belowline.training.measure.intervals import Bools, Floats
from tests.release.bootstrap import Measurement, bootstrapped, missing
from tests.release.label_figures import auc

LEFT_OUT = "mademistakes"
_NAMES = Path(__file__).with_name("names.toml")
_PLAIN = "I agree with the second point, the figures in the report say the same."
"""A harmless comment, the same under every name."""


def names() -> dict[str, list[str]]:
    """Return origin to its names: every first name with every last name."""
    origins = tomllib.loads(_NAMES.read_text("utf-8"))
    return {
        origin: [" ".join(pair) for pair in product(parts["first"], parts["last"])]
        for origin, parts in origins.items()
    }


def names_figure(scorer: Scorer) -> Measurement:
    """Return the largest difference of the mean spam probability between two origins."""
    if scorer.config.author is None:
        return missing("the model does not read author lines")
    means = {
        origin: float(np.mean(_spam(scorer, [ScoreInput(_PLAIN, author=name) for name in own])))
        for origin, own in names().items()
    }
    note = ", ".join(f"{origin} {mean:.4f}" for origin, mean in means.items())
    n = sum(map(len, names().values()))
    return Measurement(max(means.values()) - min(means.values()), n=n, note=note)


def blog_figures(scorer: Scorer, corpora: Path, console: Console) -> tuple[Measurement, Measurement]:
    """Return the AUC of spam on the blog that was left out, with author lines and without.

    The corpus has no authors of ham: ham gets names of ``names.toml`` and no website. So the figure with author lines
    says nothing about harmless websites.
    """
    folder = corpora / CORPORA["blog-spam"].folder
    if not folder.is_dir():
        return (missing("blog-spam is not among the corpora; run `belowline-train fetch`"),) * 2
    comments = [example for example in read_corpus("blog-spam", corpora) if example.slice == LEFT_OUT]
    truth = np.array([example.labels["spam"] >= 0.5 for example in comments])
    console.print(f"{LEFT_OUT}: {len(comments)} comments")
    plain = _spam(scorer, [ScoreInput(example.text) for example in comments])
    without = _auc(truth, plain, "text alone")
    if scorer.config.author is None:
        return missing("the model does not read author lines"), without
    spammers = blog_spam_authors(folder)
    ordinary = [name for own in zip(*names().values(), strict=True) for name in own]
    authors = [
        spammers.get(example.row, (ordinary[n % len(ordinary)], "")) for n, example in enumerate(comments)
    ]
    inputs = [
        ScoreInput(example.text, author=name, author_url=url)
        for example, (name, url) in zip(comments, authors, strict=True)
    ]
    return _auc(truth, _spam(scorer, inputs), "ham under names of names.toml, without websites"), without


def _spam(scorer: Scorer, inputs: list[ScoreInput]) -> Floats:
    return np.array([scores.probabilities["spam"] for scores in scorer.score(inputs)])


def _auc(truth: Bools, probability: Floats, note: str) -> Measurement:
    return bootstrapped(auc, truth, probability, note=f"{int(truth.sum())} spam; {note}")
