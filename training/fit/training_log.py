"""What a training writes down as it goes: ``log.jsonl`` to read by program, ``tensorboard/`` to look at."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from belowline.training.files import write_text
from belowline.training.fit.validation import Watched, means

_LOG = "log.jsonl"


class Journal:
    """The journal of a run from step ``first`` on; what a killed process wrote beyond its last checkpoint is dropped."""

    def __init__(self, run: Path, first: int) -> None:
        self.file = run / _LOG
        _keep_before(self.file, first)
        self.board = SummaryWriter(str(run / "tensorboard"), purge_step=first)

    def losses(self, step: int, rate: float, losses: Mapping[str, float]) -> None:
        """Losses, smoothed, and the learning rate of the heads at a step."""
        self._append({"step": step, "rate": rate, **losses})
        self.board.add_scalar("rate", rate, step)
        for name, value in losses.items():
            self.board.add_scalar(f"loss/{name}", value, step)

    def validation(self, step: int, found: Watched) -> None:
        """What was measured on validation after a step: of each label, and of a site's decisions by how they came about."""
        self._append({"step": step, "validation": found})
        for metric in ("loss", "auc"):
            for label, value in means(found, metric).items():
                self.board.add_scalar(f"validation-{metric}/{label}", value, step)
        for label, groups in found.items():
            for group in [name for name in groups if name.startswith("decisions:")]:
                for metric, value in groups[group].items():
                    self.board.add_scalar(f"decisions-{metric}/{label}/{group}", value, step)

    def close(self) -> None:
        """Write what is still in memory."""
        self.board.close()

    def _append(self, entry: Mapping[str, object]) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _keep_before(file: Path, first: int) -> None:
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    kept = [line for line in lines if _step(line) < first]
    if len(kept) < len(lines):
        write_text(file, "".join(line + "\n" for line in kept))


def _step(line: str) -> float:
    """The step of a line; a killed process may have left half a one, which is dropped."""
    try:
        return int(json.loads(line)["step"])
    except ValueError:
        return float("inf")
