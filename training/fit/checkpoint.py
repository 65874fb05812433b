"""Checkpoints of a training: the last two."""

import os
import pickle
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from belowline.training.errors import RunError

_FILE = "state.pt"


def save_checkpoint(run: Path, content: dict[str, Any]) -> None:
    """Write ``content`` as the last checkpoint; the previous one is kept."""
    part, last, before = (run / f"checkpoint{end}" for end in (".part", "", ".old"))
    part.mkdir(exist_ok=True)
    with (part / _FILE).open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    if last.exists():
        shutil.rmtree(before, ignore_errors=True)
        last.rename(before)
    part.rename(last)


def load_checkpoint(run: Path) -> dict[str, Any] | None:
    """Load the last readable checkpoint on the CPU, None without any; raises RunError if none can be read."""
    # Killed between the two renames, only the older one is there; cut off by a power failure, only that one is whole.
    files = [run / f"checkpoint{end}" / _FILE for end in ("", ".old")]
    present = [file for file in files if file.is_file()]
    for file in present:
        with suppress(RuntimeError, EOFError, pickle.UnpicklingError):
            content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            return content
    if present:
        raise RunError(f"{present[0]}: damaged; remove the run's checkpoints to start over")
    return None


def remove_checkpoint(run: Path) -> None:
    """Remove the checkpoints of a finished run."""
    for end in ("", ".part", ".old"):
        shutil.rmtree(run / f"checkpoint{end}", ignore_errors=True)
