"""Labels that are likely wrong: a simple model trained on other rows contradicts them (Northcutt et al. 2021)."""

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from belowline.data.example import Example
from belowline.training.dataset.mix import is_decision

_MOST = 10_000
"""Rows of corpora that are looked at for a label, drawn by the seed, beside every decision of a site."""
_FEWEST = 20
_FOLDS = 4
_SURE = 0.25
"""Votes nearer to one half than this are no verdict that could be wrong."""


def wrong_labels(examples: Sequence[Example], target: npt.NDArray[np.float64], seed: int) -> list[int]:
    """Return the numbers of the examples whose ``target`` [n] (NaN: unknown) is likely wrong, likeliest first."""
    rows = _rows(examples, target, seed)
    truth = (target[rows] >= 0.5).astype(int)
    if min(truth.sum(), len(truth) - truth.sum()) < _FEWEST:
        return []
    from cleanlab.filter import find_label_issues

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=4.0, solver="liblinear", random_state=seed),
    )
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    texts = [examples[row].text for row in rows]
    probabilities = cross_val_predict(model, texts, truth, cv=folds, method="predict_proba")
    issues = find_label_issues(
        truth, probabilities, filter_by="both", return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return [int(rows[at]) for at in issues]


def _rows(examples: Sequence[Example], target: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.int64]:
    sure = np.flatnonzero(np.abs(target - 0.5) >= _SURE).tolist()  # never true of NaN
    own = [row for row in sure if is_decision(examples[row].source)]
    others = [row for row in sure if not is_decision(examples[row].source)]
    if len(others) > _MOST:
        others = random.Random(seed).sample(others, _MOST)  # reproducible, not secret
    return np.array(sorted(own + others), dtype=np.int64)
