"""Contenders: model directories, the TF-IDF baseline of a run, and Detoxify."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from datasets import Dataset
from rich.console import Console
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from belowline.data.corpora.fetch import checksum_of
from belowline.model import HARMFUL, Scorer, Thresholds, model_directory
from belowline.model.digest import model_digest
from belowline.model.normalise import normalise
from belowline.training.errors import ContenderError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.intervals import Floats
from belowline.training.measure.rows import predictions
from belowline.training.score_cache import Predict

Kind = Literal["model", "tfidf", "detoxify"]
_HALF = dict.fromkeys(HARMFUL, Thresholds(hold=0.5))
_QUIET = Console(quiet=True)


@dataclass(frozen=True, slots=True)
class Contender:
    """A source of probabilities."""

    name: str  # name in tables, as given by the user
    kind: Kind  # kind of contender
    version: str  # A model's version; of Detoxify the version of its package
    identity: str  # key of cached scores; contenders with equal identity give equal scores
    predict: Predict  # texts to probabilities by label; NaN for a text that cannot be scored
    thresholds: Mapping[str, Thresholds]  # A model's own; one half for others
    languages: tuple[str, ...] = ("en",)  # languages that it was trained on
    chunk: int = 256  # texts per call; scores are cached after each
    digest: str | None = None  # ``model_digest`` of a model directory, None for others
    size: int | None = None  # bytes on this disk, None if unknown
    scorer: Scorer | None = None  # the scorer of a model directory

    def forget(self) -> None:
        """Empty the cache of earlier answers."""
        if self.scorer is not None:
            self.scorer.forget()


def load_contenders(specs: Sequence[str], threads: int, console: Console = _QUIET) -> list[Contender]:
    """Load what ``specs`` name, the baseline first.

    A spec is a model directory (or ``release`` or ``small``, which come with the package), ``tfidf:RUN``,
    ``detoxify:original`` (or another published release) or ``detoxify:CHECKPOINT``. A repeated name gets a number.

    Raises:
        ModelError, RunError, ContenderError.
    """
    if len(specs) < 2:
        raise ContenderError("compare: one contender only; name two or more, the baseline first")
    loaded: list[Contender] = []
    for spec in specs:
        console.print(f"{spec}: loading")
        contender = _load(spec.rstrip("/"), threads)
        same = sum(other.name.split(" #")[0] == contender.name for other in loaded)
        loaded.append(replace(contender, name=f"{contender.name} #{same + 1}") if same else contender)
    return loaded


def _load(spec: str, threads: int) -> Contender:
    kind, _, source = spec.partition(":")
    if kind == "tfidf":
        return tfidf(spec, Path(source))
    if kind == "detoxify":
        return detoxify(spec, source, threads)
    directory = model_directory(Path(spec))
    return model(spec, directory, Scorer.load(directory, threads=threads))


def model(name: str, directory: Path, scorer: Scorer, console: Console = _QUIET) -> Contender:
    """Return the model in ``directory``, which ``scorer`` has loaded."""
    digest = model_digest(directory)
    return Contender(
        name=name,
        kind="model",
        version=scorer.version,
        identity=f"model {digest}",
        predict=lambda texts: predictions(scorer, texts, console, name),
        thresholds=_HALF | scorer.thresholds,
        languages=scorer.config.languages,
        digest=digest,
        size=sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()),
        scorer=scorer,
    )


def tfidf(name: str, run: Path, labels: Sequence[str] | None = None) -> Contender:
    """Return the TF-IDF baseline, which the first prediction trains on the run's training split; raises RunError."""
    directory = RunDirectory(run)
    data, columns = directory.data(), labels or directory.labels

    @cache
    def trained() -> Baseline:
        return Baseline(data["train"], columns)

    identity = f"tfidf {model_digest(run / 'data' / 'train')}"
    # One call for all: training again after an interruption costs more than predicting does.
    return Contender(
        name, "tfidf", "", identity, lambda texts: trained().predict(texts), _HALF, chunk=1_000_000
    )


def detoxify(name: str, release: str, threads: int | None = None, console: Console = _QUIET) -> Contender:
    """Load one of Detoxify's published releases by name, or a checkpoint file; raises ContenderError."""
    import torch

    from belowline.training.measure.detoxify import BATCH, DetoxifyModel

    if threads is not None:
        torch.set_num_threads(threads)
    peer = DetoxifyModel(release, console)
    return Contender(
        name=name,
        kind="detoxify",
        version=f"package {version('detoxify')}",
        identity=f"detoxify {checksum_of(peer.file)}",
        predict=peer.predict,
        thresholds=_HALF,
        chunk=BATCH * 4,
        size=peer.file.stat().st_size,
    )


class Baseline:
    """TF-IDF of words and word pairs with logistic regression, trained on the network's training split."""

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

    def predict(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Return label to probabilities [n], without labels that had one class only in training."""
        features = self.vectorizer.transform(_plain(texts))
        return {label: model.predict_proba(features)[:, 1] for label, model in self.models.items()}


def _plain(texts: Sequence[str]) -> list[str]:
    return [normalise(text).text for text in texts]
