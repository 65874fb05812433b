"""What an interrupted training goes on with: its last two states, and the plan of its batches."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from belowline.training.errors import RunError
from belowline.training.files import replacing

_FILE = "state.pt"
_PLANS = "plans.pt"


def save_checkpoint(run: Path, content: dict[str, Any]) -> None:
    """Make ``content`` the run's last checkpoint; the one before it is kept."""
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
    """The content of the last checkpoint that can be read, on the CPU, None where there is none; raises RunError where none can be read."""
    # Killed between the two renames, only the older one is there; cut off by a power failure, only that one is whole.
    files = [run / f"checkpoint{end}" / _FILE for end in ("", ".old")]
    there = [file for file in files if file.is_file()]
    for file in there:
        try:
            content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, pickle.UnpicklingError):
            continue
        return content
    if there:
        raise RunError(f"{there[0]}: damaged; remove the run's checkpoints to begin anew")
    return None


def save_plans(run: Path, counts: list[int], plans: list[list[list[int]]]) -> None:
    """Keep the batches of every pass, which show ``counts`` texts: hundreds of thousands of texts take minutes to measure."""
    with replacing(run / _PLANS) as part:
        torch.save({"counts": counts, "plans": plans}, part)


def load_plans(run: Path, counts: list[int]) -> list[list[list[int]]] | None:
    """What ``save_plans`` kept; None where nothing was, or for passes that show another number of texts."""
    file = run / _PLANS
    content = torch.load(file, weights_only=True) if file.is_file() else {}
    return content["plans"] if content.get("counts") == counts else None


def remove_checkpoint(run: Path) -> None:
    """A finished run needs none, and no plan."""
    (run / _PLANS).unlink(missing_ok=True)
    for end in ("", ".part", ".old"):
        shutil.rmtree(run / f"checkpoint{end}", ignore_errors=True)
