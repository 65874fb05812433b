"""The folder of promoted models; each has a subfolder that appears complete, and is verified before use."""

import fcntl
import hashlib
import math
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from belowline.model import ModelError, Scorer
from belowline.model.digest import model_digest
from belowline.serve.scoring.fault_isolation import PROBE, describe
from belowline.serve.settings import Settings

_NAMEABLE = re.compile(r"[^A-Za-z0-9._+-]+")


def models_dir(settings: Settings) -> Path:
    """Returns the folder of promoted models: as set, beside the SQLite database, or in the working directory."""
    if settings.models_dir is not None:
        return settings.models_dir
    url = make_url(settings.database_url)
    file = url.database if url.get_backend_name() == "sqlite" else None
    return (Path(file).parent if file and file != ":memory:" else Path()) / "belowline-models"


def digest_of(directory: Path) -> str:
    """Returns the digest of a model's files; raises ModelError if they cannot be read."""
    try:
        return model_digest(directory)
    except OSError as error:
        raise ModelError(
            f"{error.filename or directory}: cannot be read ({error.strerror}); name a model directory"
        ) from None


def digest_with(digest: str, second_look: Path | None) -> str:
    """Returns one digest for a model with ``digest`` and its second model; ``digest`` itself without one."""
    if second_look is None:
        return digest
    return hashlib.sha256(f"{digest} {digest_of(second_look)}".encode()).hexdigest()


def keep_model(folder: Path, directory: Path, version: str, digest: str) -> str:
    """Copies a model into ``folder`` and returns the name of its subfolder.

    An existing complete copy stays. An error (ModelError, OSError) leaves no usable copy, and a killed process leaves a
    hidden folder, which the next call removes.
    """
    name = f"{_NAMEABLE.sub('-', version).strip('.-')[:60] or 'model'}-{digest[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        target, unfinished = folder / name, folder / f".{name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        if target.is_dir() and digest_of(target) == digest:
            return name
        shutil.copytree(directory, unfinished, ignore=shutil.ignore_patterns(".*"))
        _on_disk(unfinished)
        if digest_of(unfinished) != digest:
            shutil.rmtree(unfinished)
            raise ModelError(
                f"{directory}: its files changed while they were copied; try again once they rest"
            )
        if target.is_dir():  # damaged, or it would have been returned
            shutil.rmtree(target)
        unfinished.rename(target)
        _sync(folder)
    return name


def load_with_digest(directory: Path, threads: int | None, second_look: Path | None) -> tuple[Scorer, str]:
    """Loads the model in ``directory`` with its second model; returns it with the digest of both.

    Raises ModelError if it cannot be used or does not fit the second model.
    """
    scorer = Scorer.load(directory, threads=threads, second_look=second_look)
    return scorer, digest_with(digest_of(directory), second_look)


def load_whole(
    directory: Path, digest: str, threads: int | None = None, second_look: Path | None = None
) -> Scorer:
    """Loads the model in ``directory``, with its second model.

    Raises ModelError if its files do not have this digest, if it does not fit the second model, or if it cannot score.
    """
    present = digest_of(directory)
    if present != digest:
        raise ModelError(
            f"{directory}: its files differ from the promoted model (digest {present[:12]}, not {digest[:12]}); "
            "copy them back, or use belowline models rollback"
        )
    scorer = Scorer.load(directory, threads=threads, second_look=second_look)
    check_scores(scorer, directory)
    return scorer


def check_scores(scorer: Scorer, directory: Path) -> None:
    """Raises ModelError unless the model gives a plain comment a probability for each label.

    It also loads what the model loads at its first comment.
    """
    try:
        [scores] = scorer.score([PROBE])
    except Exception as error:  # whatever a damaged network raises
        raise ModelError(
            f"{directory}: loads but cannot score ({describe(error)}); export the model again"
        ) from None
    for label in scorer.labels:
        probability = scores.probabilities.get(label, math.nan)
        if not 0 <= probability <= 1:  # NaN is not
            raise ModelError(
                f"{directory}: gives {label} no probability ({probability}); export the model again"
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a lock against other processes that copy a model here; the system frees the lock of a killed process."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _on_disk(directory: Path) -> None:
    for path in directory.rglob("*"):
        _sync(path)
    _sync(directory)


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
