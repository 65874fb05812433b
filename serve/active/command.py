"""What the command ``belowline models`` does and prints."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import Row

from belowline.model import model_directory
from belowline.serve.active import model_history as models
from belowline.serve.active import shadow_counts as shadow
from belowline.serve.active.files import models_dir
from belowline.serve.active.promotion import model_in_force, promote, roll_back
from belowline.serve.settings import load_settings
from belowline.serve.store.database import Database


def promote_command(candidate: Path, compare: Path | None, reason: str | None) -> None:
    """Promotes; raises PromotionRefused, ModelError, PolicyError or StoreError, and then nothing is changed."""
    settings = load_settings()
    with _database(settings.database_url) as database:
        _tell(promote(settings, database, model_directory(candidate), compare, reason))


def rollback_command(reason: str | None) -> None:
    """Goes back; raises as ``promote_command`` does."""
    settings = load_settings()
    with _database(settings.database_url) as database:
        _tell(roll_back(settings, database, reason))


def list_command() -> None:
    """Prints the model in force with its directory, and every change of it."""
    settings = load_settings()
    with _database(settings.database_url) as database:
        present = model_in_force(database, settings)
        with database.read() as tx:
            rows = models.history(tx)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"in force: {present.name} in {present.directory}", markup=False)
    if not rows:
        console.print("no model was promoted; this is the one of the settings", markup=False)
        return
    console.print(f"models lie in {models_dir(settings)}; times are in UTC", markup=False)
    for row in rows:
        gates = f", gates {told}" if (told := models.gates_in_words(row)) else ""
        console.print(
            f"{row.id:>4}  {row.at:%Y-%m-%d %H:%M}  {row.kind} {row.version} ({row.digest[:12]}){gates}",
            markup=False,
        )
        why = f": {row.reason}" if row.reason else ""
        console.print(f"      by {row.actor}{why}", markup=False)


def shadow_command() -> None:
    """Prints what candidates would have decided beside what was decided."""
    with _database(load_settings().database_url) as database, database.read() as tx:
        found = shadow.compared(tx)
    console = Console(highlight=False)
    if not found:
        console.print("nothing was compared; set BELOWLINE_SHADOW_MODEL_DIR for the service")
    for one in found:
        share = one.agreed / one.comments
        console.print(
            f"\n{one.candidate} beside {one.model}: {one.comments} comments, {share:.1%} decided alike",
            markup=False,
        )
        actions = Table("model", "candidate", "comments", box=None)
        for row in one.actions:
            actions.add_row(row.action, row.candidate_action, str(row.comments))
        labels = Table("label", "comments", "mean difference", "mean distance", box=None)
        for row in one.labels:
            labels.add_row(row.label, str(row.comments), f"{row.difference:+.4f}", f"{row.distance:.4f}")
        console.print(actions, labels)
        if one.disagreements:
            told = (f"{row.comment_id} ({row.action}, {row.candidate_action})" for row in one.disagreements)
            console.print("newest kept comments they disagree on:", ", ".join(told), markup=False)


def _tell(row: Row[Any]) -> None:
    """The change, now in the store."""
    print(
        f"{row.version} ({row.digest[:12]}) is in force as number {row.id}; running services take it over within seconds, "
        "see promotion in /readyz"
    )


@contextmanager
def _database(url: str) -> Iterator[Database]:
    database = Database.open(url)
    try:
        yield database
    finally:
        database.close()
