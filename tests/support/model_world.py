"""Fixtures for promoted models: tiny models with their own versions, and reports of comparisons."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from belowline.model.digest import model_digest
from belowline.serve.active import model_history as models
from belowline.serve.active.promotion import promote, roll_back
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database
from tests.support.sqlite_store import sqlite_url
from tests.support.tiny_model import build_tiny_model


@dataclass
class World:
    """A store in ``folder`` for a service that starts with the model ``old``, and a candidate ``new``."""

    folder: Path
    old: Path
    new: Path
    settings: Settings
    database: Database

    @classmethod
    def of(cls, folder: Path, url: str | None = None) -> "World":
        old = build_tiny_model(folder / "old", version="1.0-old", seed=7)
        new = build_tiny_model(folder / "new", version="2.0-new", seed=8)
        url = url or sqlite_url(folder / "belowline.sqlite3")
        known: dict[str, Any] = {
            "database_url": url,
            "models_dir": folder / "belowline-models",
            "model_dir": old,
        }
        settings = Settings(**known, threads=1)
        return cls(folder, old, new, settings, Database.open(url))

    def compared(self, baseline: Path, candidate: Path, **changes: Any) -> Path:
        """Write a ``compare.json`` in which the candidate passes."""
        gate = {
            "name": "slice_loss",
            "passed": True,
            "outcome": "passed",
            "why": "at most 0.001",
            "limit": 0.02,
        }
        report = {"baseline": model_digest(baseline), "candidate": model_digest(candidate), "name": "b"}
        report |= {"version": "x", "passed": True, "results": [gate]} | changes
        file = self.folder / "compare.json"
        file.write_text(json.dumps({"facts": {}, "contenders": [], "pairs": [], "gates": [report]}), "utf-8")
        return file

    def promote(self, candidate: Path | None = None, reason: str | None = None) -> Row[Any]:
        """Promote a candidate, by default the new model, that passed against the active model."""
        wanted = candidate or self.new
        row = self.in_force
        baseline = self.old if row is None else self.folder / "belowline-models" / row.folder
        return promote(self.settings, self.database, wanted, self.compared(baseline, wanted), reason)

    def roll_back(self, reason: str | None = None) -> Row[Any]:
        return roll_back(self.settings, self.database, reason)

    @property
    def in_force(self) -> Row[Any] | None:
        with self.database.read() as tx:
            return models.active(tx)

    @property
    def history(self) -> list[tuple[str, str, int | None]]:
        """Return kind, version and the number to which a rollback returns, oldest first."""
        with self.database.read() as tx:
            return [(row.kind, row.version, row.previous) for row in reversed(models.history(tx))]


def damage(directory: Path) -> None:
    """Change one byte of the model's weights."""
    file = directory / "model.onnx"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def without(directory: Path, label: str, target: Path) -> Path:
    """Return a copy of the model in which ``label`` has no threshold and holds nothing."""
    copied = shutil.copytree(directory, target)
    config = json.loads((copied / "config.json").read_text("utf-8"))
    del config["thresholds"][label]
    (copied / "config.json").write_text(json.dumps(config), "utf-8")
    return copied
