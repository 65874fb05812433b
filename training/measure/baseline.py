"""The baseline of every model: TF-IDF of words and word pairs with logistic regression."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from datasets import Dataset
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from belowline.model.normalise import normalise


class Baseline:
    """One logistic regression per label over shared features, trained on the network's training split."""

    def __init__(self, train: Dataset, labels: Sequence[str], seed: int = 0) -> None:
        self.vectorizer = TfidfVectorizer(
            ngram_range=(1, 2), min_df=3, max_features=300_000, sublinear_tf=True
        )
        features = self.vectorizer.fit_transform(_plain(train["text"]))
        targets = np.array(train["labels"], dtype=np.float64)
        self.models = {}
        for column, label in enumerate(labels):
            known = ~np.isnan(targets[:, column])
            truth = targets[known, column] >= 0.5
            if truth.any() and not truth.all():
                model = LogisticRegression(C=4.0, solver="liblinear", random_state=seed)
                self.models[label] = model.fit(features[known], truth)

    def predict(self, texts: Sequence[str]) -> dict[str, npt.NDArray[np.float64]]:
        """Return label to probabilities [n], without labels that had one class only in training."""
        features = self.vectorizer.transform(_plain(texts))
        return {label: model.predict_proba(features)[:, 1] for label, model in self.models.items()}


def _plain(texts: Sequence[str]) -> list[str]:
    return [normalise(text).text for text in texts]
