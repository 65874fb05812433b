"""Contenders: model directories, the TF-IDF baseline of a run, Detoxify, and services with the Perspective API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from rich.console import Console

from belowline.data.corpora.fetch import checksum_of
from belowline.model import HARMFUL, Scorer, Thresholds, model_directory
from belowline.model.digest import model_digest
from belowline.training.compare.perspective import PER_SECOND, PerspectiveClient
from belowline.training.errors import ContenderError
from belowline.training.fit.run_directory import RunDirectory
from belowline.training.measure.test_set import Predict, predictions

Kind = Literal["model", "tfidf", "detoxify", "perspective"]
_HALF = dict.fromkeys(HARMFUL, Thresholds(hold=0.5))
_QUIET = Console(quiet=True)


@dataclass(frozen=True, slots=True)
class Contender:
    """A source of probabilities.

    Attributes:
        name: Name in tables, as given by the user.
        kind: Kind of contender.
        version: A model's version; of others what is known of theirs.
        identity: Key of cached scores; contenders with equal identity give equal scores.
        predict: Texts to probabilities by label; NaN where it refuses to answer.
        thresholds: A model's own; one half for others.
        languages: Languages that it was trained on.
        chunk: Texts per call; scores are cached after each.
        digest: ``model_digest`` of a model directory, None for others.
        size: Bytes on this disk, None if unknown.
        scorer: The scorer of a model directory.
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
        """Empty the cache of earlier answers."""
        if self.scorer is not None:
            self.scorer.forget()


def load_contenders(
    specs: Sequence[str], threads: int, per_second: float = PER_SECOND, console: Console = _QUIET
) -> list[Contender]:
    """Load what ``specs`` name.

    A spec is a model directory (or ``release`` or ``small``, which come with the package), ``tfidf:RUN``,
    ``detoxify:original`` (or another published release), ``detoxify:CHECKPOINT`` or ``perspective:URL``. A repeated
    name gets a number.

    Args:
        specs: The one to beat first.
        threads: CPU threads that each model may use.
        per_second: Requests a second to a Perspective address.
        console: Where progress is printed.

    Raises:
        ModelError, RunError, ContenderError.
    """
    if len(specs) < 2:
        raise ContenderError("compare: one contender only; name two or more, the baseline first")
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
        peer = PerspectiveClient(what, per_second)
        identity = f"perspective {peer.url} {' '.join(peer.labels)}"
        return Contender(spec, "perspective", "", identity, peer.predict, _HALF, chunk=1)
    if kind == "tfidf":
        return _tfidf(spec, Path(what))
    if kind == "detoxify":
        return _detoxify(spec, what, threads)
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

    directory = RunDirectory(run)
    data, labels = directory.data(), directory.labels

    @cache
    def trained() -> Baseline:
        return Baseline(data["train"], labels)

    identity = f"tfidf {model_digest(run / 'data' / 'train')}"
    # One call for all: training again after an interruption costs more than predicting does.
    return Contender(
        name, "tfidf", "", identity, lambda texts: trained().predict(texts), _HALF, chunk=1_000_000
    )


def _detoxify(name: str, release: str, threads: int) -> Contender:
    """Load a published release by name, or a checkpoint file."""
    import torch

    from belowline.training.measure.detoxify import BATCH, PUBLISHED, DetoxifyModel

    torch.set_num_threads(threads)
    if release in PUBLISHED:
        peer = DetoxifyModel.published(release, _QUIET)
        package, identity = f"package {version('detoxify')}", f"detoxify {release} {version('detoxify')}"
    else:
        peer = DetoxifyModel.from_checkpoint(Path(release), _QUIET)
        package, identity = "", f"detoxify {checksum_of(Path(release))}"
    return Contender(
        name=name,
        kind="detoxify",
        version=package,
        identity=identity,
        predict=peer.predict,
        thresholds=_HALF,
        chunk=BATCH * 4,
        size=peer.file.stat().st_size if peer.file else None,
    )
