"""What can be compared: a model directory, the TF-IDF baseline of a run, Detoxify, and any address that speaks the Perspective API."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console

from belowline.model import HARMFUL, Scorer, Thresholds, model_directory
from belowline.model.digest import model_digest
from belowline.training.compare.perspective import PER_SECOND, PerspectivePeer
from belowline.training.errors import ContenderError, RunError
from belowline.training.fit.run_directory import run_data
from belowline.training.measure.test_set import Floats, Predict, predictions

Kind = Literal["model", "tfidf", "detoxify", "perspective"]
PUBLISHED = ("original", "unbiased", "multilingual")
"""Detoxify's releases that its package gets by name."""
_HALF = dict.fromkeys(HARMFUL, Thresholds(hold=0.5))
_BATCH = 32
_QUIET = Console(quiet=True)


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that gives probabilities.

    Attributes:
        name: What it is called in tables, as it was named.
        kind: What it is.
        version: A model's version; of others what is known of theirs.
        identity: What its scores may be kept under: the same for the same answers.
        predict: Texts to probabilities by label; NaN where it refuses to answer.
        thresholds: A model's own; one half for others, which have none.
        languages: That it was trained on.
        chunk: Texts that are asked at a time; after each chunk the scores are kept.
        digest: ``model_digest`` of a model directory, None for others.
        size: Bytes on disk, None where nothing lies on this disk.
        scorer: Of a model directory.
    """

    name: str
    kind: Kind
    version: str
    identity: str
    predict: Predict
    thresholds: Mapping[str, Thresholds]
    languages: tuple[str, ...] = ("en",)
    chunk: int = 256
    digest: str | None = None
    size: int | None = None
    scorer: Scorer | None = None

    def forget(self) -> None:
        """Empty what it keeps of earlier answers."""
        if self.scorer is not None:
            self.scorer.forget()


def load_contenders(
    specs: Sequence[str], threads: int, per_second: float = PER_SECOND, console: Console = _QUIET
) -> list[Contender]:
    """Load what ``specs`` name.

    A spec is a model directory (or ``release`` or ``small``, which come with the package), ``tfidf:RUN``, ``detoxify:original`` (or
    another published release), ``detoxify:CHECKPOINT`` or ``perspective:URL``. A repeated name gets a number.

    Args:
        specs: The one to beat first.
        threads: CPU threads that each model may use.
        per_second: Requests a second to a Perspective address.
        console: Where progress is printed.

    Raises:
        ModelError, RunError, ContenderError.
    """
    if len(specs) < 2:
        raise ContenderError("compare: one contender only; name two or more, the one to beat first")
    loaded: list[Contender] = []
    for spec in specs:
        console.print(f"{spec}: loading")
        one = _load(spec.rstrip("/"), threads, per_second)
        named = sum(other.name.split(" #")[0] == one.name for other in loaded)
        loaded.append(replace(one, name=f"{one.name} #{named + 1}") if named else one)
    return loaded


def _load(spec: str, threads: int, per_second: float) -> Contender:
    kind, _, what = spec.partition(":")
    if kind == "perspective":
        peer = PerspectivePeer(what, per_second)
        identity = f"perspective {peer.url} {' '.join(peer.labels)}"
        return Contender(spec, "perspective", "", identity, peer.predict, _HALF, chunk=1)
    if kind == "tfidf":
        return _tfidf(spec, Path(what))
    if kind == "detoxify":
        return (
            _published(spec, what, threads) if what in PUBLISHED else _checkpoint(spec, Path(what), threads)
        )
    return _model(spec, model_directory(Path(spec)), threads)


def _model(name: str, directory: Path, threads: int) -> Contender:
    scorer = Scorer.load(directory, threads=threads)
    digest = model_digest(directory)
    return Contender(
        name=name,
        kind="model",
        version=scorer.version,
        identity=f"model {digest}",
        predict=lambda texts: predictions(scorer, texts, _QUIET, name),
        thresholds=_HALF | scorer.thresholds,
        languages=scorer.config.languages,
        digest=digest,
        size=sum(file.stat().st_size for file in directory.rglob("*") if file.is_file()),
        scorer=scorer,
    )


def _tfidf(name: str, run: Path) -> Contender:
    from belowline.training.measure.baseline import Baseline

    data, labels = run_data(run), run_labels(run)

    @cache
    def trained() -> Baseline:
        return Baseline(data["train"], labels)

    identity = f"tfidf {model_digest(run / 'data' / 'train')}"
    # One call for all: training again after an interruption costs more than predicting does.
    return Contender(
        name, "tfidf", "", identity, lambda texts: trained().predict(texts), _HALF, chunk=1_000_000
    )


def run_labels(run: Path) -> tuple[str, ...]:
    """The labels of a run's dataset, in the order of its columns; raises RunError."""
    try:
        return tuple(json.loads((run / "run.json").read_text("utf-8"))["recipe"]["labels"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{run}: not a run directory; run `belowline-train fit` first") from error


def _checkpoint(name: str, file: Path, threads: int) -> Contender:
    import torch

    from belowline.training.measure.detoxify import DetoxifyPeer

    torch.set_num_threads(threads)
    peer = DetoxifyPeer(file, _QUIET)
    with file.open("rb") as content:
        identity = f"detoxify {hashlib.file_digest(content, 'sha256').hexdigest()}"
    return Contender(
        name, "detoxify", "", identity, peer.predict, _HALF, chunk=_BATCH * 4, size=file.stat().st_size
    )


def _published(name: str, release: str, threads: int) -> Contender:
    """A release by Detoxify's own package, which fetches it unless it lies in torch's cache."""
    import torch
    from detoxify import Detoxify
    from detoxify.detoxify import MODEL_URLS

    torch.set_num_threads(threads)
    try:
        model = Detoxify(release)
    except Exception as error:  # the package lets through what the network, torch and transformers raise
        raise ContenderError(
            f"{name}: its package cannot get it ({type(error).__name__}); where there is no network give a checkpoint, "
            "detoxify:PATH.ckpt, beside config.json and tokenizer files of its encoder"
        ) from error
    url = MODEL_URLS[release]
    file = Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]
    return Contender(
        name=name,
        kind="detoxify",
        version=f"package {version('detoxify')}",
        identity=f"detoxify {url}",
        predict=_by_package(model.predict),
        thresholds=_HALF,
        chunk=_BATCH * 4,
        size=file.stat().st_size if file.is_file() else None,
    )


def _by_package(predict: Callable[[list[str]], Mapping[str, float | list[float]]]) -> Predict:
    """Detoxify's own ``predict``, some texts of like length at a time, in our labels."""
    from belowline.training.measure.detoxify import OURS

    def predicted(texts: Sequence[str]) -> dict[str, Floats]:
        order = sorted(range(len(texts)), key=lambda row: len(texts[row]))
        found: dict[str, Floats] = {}
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            for name, values in predict([texts[row] for row in rows]).items():
                if name in OURS:
                    column = found.setdefault(OURS[name], np.empty(len(texts)))
                    column[rows] = values
        return found

    return predicted
