"""Best possible results on the votes of few workers."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.release.ceilings import ceilings, vote_ceiling, worker_f1

SEVEN = [(0, 7)]


def votes(chance: np.ndarray) -> Counter[int]:
    return Counter(np.random.default_rng(1).binomial(3, chance).tolist())


def test_votes_that_always_agree_allow_everything() -> None:
    found = vote_ceiling({0: 500, 3: 500})
    assert found.majority > 0.999
    assert found.undisputed > 0.999


def test_votes_that_do_not_depend_on_the_comment_allow_nothing() -> None:
    assert vote_ceiling(votes(np.full(20_000, 0.5))).majority == pytest.approx(0.5, abs=0.06)


def test_the_ceiling_is_what_the_true_chances_reach() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    chance = rng.beta(1.5, 2.5, 50_000)
    drawn = rng.binomial(3, chance)
    found = vote_ceiling(Counter(drawn.tolist()))
    assert found.majority == pytest.approx(roc_auc_score(drawn >= 2, chance), abs=0.01)
    clear = drawn != 1
    assert found.undisputed == pytest.approx(roc_auc_score(drawn[clear] >= 2, chance[clear]), abs=0.01)
    assert found.undisputed > found.majority


def test_too_few_votes_tell_nothing() -> None:
    assert np.isnan(vote_ceiling({0: 40, 3: 40}).majority)


def test_workers_against_each_other() -> None:
    same = worker_f1([([SEVEN, SEVEN, SEVEN], 10), ([(), ()], 4)])
    assert (same.others, same.all) == (1.0, 1.0)
    # One of three marked nothing: the other two agree with each other half of the time, with the majority always.
    split = worker_f1([([SEVEN, SEVEN, ()], 10)])
    assert split.all == pytest.approx(2 / 3)
    assert split.others == pytest.approx(2 / 3)
    assert np.isnan(worker_f1([([SEVEN], 10)]).others)


@pytest.mark.slow
def test_the_corpus_on_disk(corpora: Path) -> None:
    vote, worker = ceilings(corpora / "toxic-spans")
    assert vote.majority == pytest.approx(0.780, abs=0.003)
    assert vote.undisputed == pytest.approx(0.865, abs=0.003)
    assert worker.others == pytest.approx(0.430, abs=0.002)
    assert worker.all == pytest.approx(0.644, abs=0.002)
