"""A run directory: everything that one training writes, and that export and measuring read.

- ``run.json``: the whole recipe, versions, fingerprint, decisions; written by ``RunDirectory`` alone.
- ``data_checks.json``: problems of the data. ``data/``: the dataset.
- ``start-config.json``: configuration of the released model that the training started from.
- ``checkpoint/``, ``checkpoint.old/``: the last two checkpoints.
- ``log.jsonl``, ``tensorboard/``: losses and validation.
- ``model/``: weights and tokenizer, once the training is finished.
"""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datasets import DatasetDict, load_from_disk

from belowline.training.errors import RunError
from belowline.training.files import write_json
from belowline.training.recipes.recipe import Recipe

_ANEW = "give the run another --name, or --force to replace it"


class RunDirectory:
    """One run directory.

    Attributes:
        path: The folder.
        model: The folder of the trained weights, which exists once the training is finished.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.model = path, path / "model"
        self._file = path / "run.json"

    @property
    def info(self) -> dict[str, Any]:
        """The content of ``run.json``; raises RunError for a folder without one."""
        try:
            info: dict[str, Any] = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path}: not a run directory; run `belowline-train fit` first") from error
        return info

    @property
    def recipe(self) -> Recipe:
        """The recipe that the run was begun with, with the default gates; raises RunError."""
        return Recipe.model_validate(_without_gates(self.info["recipe"]))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the dataset, in the order of its columns; raises RunError."""
        try:
            return tuple(self.info["recipe"]["labels"])
        except (KeyError, TypeError) as error:
            raise RunError(f"{self.path}: not a run directory; run `belowline-train fit` first") from error

    def data(self) -> DatasetDict:
        """Load the dataset; raises RunError if there is none."""
        folder = self.path / "data"
        if not folder.is_dir():
            raise RunError(f"{self.path}: no dataset; run `belowline-train fit` first")
        data = load_from_disk(str(folder))
        if not isinstance(data, DatasetDict):
            raise RunError(f"{folder}: not a dataset of belowline-train; remove it")
        return data

    def belongs_to(self, recipe: Recipe, decisions: Mapping[str, str] | None = None) -> bool:
        """Return False for a directory that no training has begun.

        ``decisions`` are file names and checksums. Raises RunError for a directory of another recipe or of other
        decisions.
        """
        if not self._file.exists():
            return False
        try:
            begun = self.recipe
        except ValueError:  # written by a version whose recipes had other fields
            begun = None
        if begun is None or begun.model_copy(update={"gates": recipe.gates}) != recipe:
            raise RunError(f"{self.path}: begun with another recipe; {_ANEW}")
        if decisions is None:
            return True
        before: Mapping[str, str] = self.info.get("decisions", decisions)
        if sorted(before.values()) != sorted(decisions.values()):
            raise RunError(
                f"{self.path}: begun with other decisions ({_listed(before)}), not with {_listed(decisions)}; {_ANEW}"
            )
        return True

    def claim(self, recipe: Recipe) -> None:
        """Begin ``run.json`` for ``recipe``; raises RunError for a directory of another recipe."""
        self.path.mkdir(parents=True, exist_ok=True)
        if not self.belongs_to(recipe):
            names = ("belowline", "torch", "transformers", "datasets", "tokenizers", "numpy")
            versions = {"python": platform.python_version(), **{name: version(name) for name in names}}
            recipe_fields = recipe.model_dump(mode="json")
            write_json(
                self._file, {"recipe": recipe_fields, "versions": versions, "machine": platform.machine()}
            )

    def record(self, **facts: object) -> None:
        """Add ``facts`` to ``run.json``."""
        info = self.info
        if info | facts != info:
            write_json(self._file, info | facts)

    def record_start(self, origin: Mapping[str, str]) -> None:
        """Record the weights that the run starts from; raises RunError if it was begun from others."""
        if self.info.get("start", origin) != origin:
            raise RunError(f"{self.path}: begun from other weights; start from the same; or {_ANEW}")
        self.record(start=origin)


def _listed(checksums: Mapping[str, str]) -> str:
    return ", ".join(f"{name}, sha256 {checksum[:12]}" for name, checksum in checksums.items()) or "none"


def _without_gates(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recorded recipe, and the one that it starts from, with the default gates."""
    # Gates say what a candidate must reach afterwards, nothing about how it is trained, and their fields have changed.
    start = recipe.get("start")
    return {**recipe, "gates": {}, "start": _without_gates(start) if isinstance(start, dict) else start}
