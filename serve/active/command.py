"""The commands ``belowline models promote|rollback|list|compare``."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Row

from belowline.model import model_directory
from belowline.model.directory import read_config
from belowline.serve.active import model_history as models
from belowline.serve.active.compare import compare_models
from belowline.serve.active.files import models_dir
from belowline.serve.active.promotion import active_model, promote, roll_back
from belowline.serve.settings import load_settings
from belowline.serve.store.database import Database

_SHOWN = 20


def promote_command(candidate: Path, compare: Path | None, reason: str | None) -> None:
    """Promotes a model; raises as ``promote`` does, and then nothing has changed."""
    settings = load_settings()
    with Database.open(settings.database_url) as database:
        _print_change(promote(settings, database, model_directory(candidate), compare, reason))


def rollback_command(reason: str | None) -> None:
    """Rolls back; raises as ``roll_back`` does, and then nothing has changed."""
    settings = load_settings()
    with Database.open(settings.database_url) as database:
        _print_change(roll_back(settings, database, reason))


def list_command() -> None:
    """Prints the active model with its directory, and every change of it."""
    settings = load_settings()
    with Database.open(settings.database_url) as database:
        present = active_model(database, settings)
        with database.read() as tx:
            rows = models.history(tx)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"active: {present.name} in {present.directory}", markup=False)
    if second := settings.second_model_dir:
        console.print(f"second model: {read_config(second).version} in {second}", markup=False)
    if not rows:
        console.print("no model was promoted; this is the model of the settings", markup=False)
        return
    console.print(f"folder of models: {models_dir(settings)}; times are in UTC", markup=False)
    for row in rows:
        gates = f", gates {words}" if (words := models.gates_in_words(row)) else ""
        console.print(
            f"{row.id:>4}  {row.at:%Y-%m-%d %H:%M}  {row.kind} {row.version} ({row.digest[:12]}){gates}",
            markup=False,
        )
        why = f": {row.reason}" if row.reason else ""
        console.print(f"      by {row.actor}{why}", markup=False)


def compare_command(candidate: Path, last: int) -> None:
    """Prints how a candidate's decisions on stored comments differ from the active model's."""
    settings = load_settings()
    with Database.open(settings.database_url) as database:
        comparison = compare_models(settings, database, model_directory(candidate), last)
    console = Console(highlight=False)
    if not comparison.actions:
        console.print("the store holds no comments to compare on")
        return
    console.print(
        f"{comparison.candidate} and the active {comparison.active}: {comparison.actions.total()} comments, "
        f"same action on {comparison.agreement:.1%}",
        markup=False,
    )
    actions = Table("active", "candidate", "comments", box=None)
    for (active, other), number in sorted(comparison.actions.items()):
        actions.add_row(active, other, str(number))
    labels = Table("label", "comments", "mean difference", "mean absolute difference", box=None)
    for label, number, difference, distance in comparison.labels():
        labels.add_row(label, str(number), f"{difference:+.4f}", f"{distance:.4f}")
    console.print(actions, labels)
    if comparison.disagreements:
        listed = (
            f"{comment} ({active}, {other})" for comment, active, other in comparison.disagreements[:_SHOWN]
        )
        console.print("newest comments with different actions:", ", ".join(listed), markup=False)


def _print_change(row: Row[Any]) -> None:
    print(
        f"{row.version} ({row.digest[:12]}) is active as number {row.id}; "
        "running services take it over within seconds; see promotion in /readyz"
    )
