"""The last state of an interrupted training: there whole, or the one before it."""

import shutil
from pathlib import Path
from typing import Any

import torch

_FILE = "state.pt"


def save_checkpoint(run: Path, content: dict[str, Any]) -> None:
    """Put ``content`` where the run's last checkpoint was."""
    part, old, aside = (run / f"checkpoint{end}" for end in (".part", "", ".old"))
    part.mkdir(exist_ok=True)
    torch.save(content, part / _FILE)
    shutil.rmtree(aside, ignore_errors=True)
    if old.exists():
        old.rename(aside)
    part.rename(old)
    shutil.rmtree(aside, ignore_errors=True)


def load_checkpoint(run: Path) -> dict[str, Any] | None:
    """The content of the last checkpoint, on the CPU, None where there is none."""
    # Killed between the two renames, only the older one is there.
    for file in (run / "checkpoint" / _FILE, run / "checkpoint.old" / _FILE):
        if file.is_file():
            content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
            return content
    return None


def remove_checkpoint(run: Path) -> None:
    """A finished run needs none."""
    for end in ("", ".part", ".old"):
        shutil.rmtree(run / f"checkpoint{end}", ignore_errors=True)
