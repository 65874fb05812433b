"""A process that promotes a model and is killed during the promotion."""

from pathlib import Path

from belowline.serve.active.loading import active_at_start
from belowline.serve.active.promotion import promote
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database


def victim(folder: Path, candidate: Path, compare: Path) -> None:
    """Promote a model; the parent kills this process meanwhile."""
    url = f"sqlite:///{folder / 'belowline.sqlite3'}"
    settings = Settings(
        database_url=url, models_dir=folder / "belowline-models", model_dir=folder / "old", threads=1
    )
    database = Database.open(url)
    active_at_start(settings, database)  # the slow imports are done
    print("ready", flush=True)
    promote(settings, database, candidate, compare, None)
