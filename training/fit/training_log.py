"""The log of a training: ``log.jsonl`` for programs, ``tensorboard/`` for people."""

import json
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from belowline.training.files import write_text
from belowline.training.fit.validation import Validation, means

_LOG = "log.jsonl"


class TrainingLog:
    """The log of a run from step ``first`` on; later lines of a killed process are dropped."""

    def __init__(self, run: Path, first: int) -> None:
        self.file = run / _LOG
        _keep_before(self.file, first)
        self.board = SummaryWriter(str(run / "tensorboard"), purge_step=first)

    def losses(self, step: int, rate: float, losses: Mapping[str, float]) -> None:
        """Log smoothed losses and the heads' learning rate of a step."""
        self._append({"step": step, "rate": rate, **losses})
        self.board.add_scalar("rate", rate, step)
        for name, value in losses.items():
            self.board.add_scalar(f"loss/{name}", value, step)

    def validation(self, step: int, measured: Validation) -> None:
        """Log the validation of a step: each label, and a site's decisions by the way they were drawn."""
        self._append({"step": step, "validation": measured})
        for metric in ("loss", "auc"):
            for label, value in means(measured, metric).items():
                self.board.add_scalar(f"validation-{metric}/{label}", value, step)
        for label, groups in measured.items():
            for group in [name for name in groups if name.startswith("decisions:")]:
                for metric, value in groups[group].items():
                    self.board.add_scalar(f"decisions-{metric}/{label}/{group}", value, step)

    def close(self) -> None:
        """Write buffered entries."""
        self.board.close()

    def _append(self, entry: Mapping[str, object]) -> None:
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def _keep_before(file: Path, first: int) -> None:
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    earlier = [line for line in lines if _step(line) < first]
    if len(earlier) < len(lines):
        write_text(file, "".join(line + "\n" for line in earlier))


def _step(line: str) -> float:
    """Return the step of a line; an incomplete line of a killed process counts as later than any."""
    try:
        return int(json.loads(line)["step"])
    except ValueError:
        return float("inf")
