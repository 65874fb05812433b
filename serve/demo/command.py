"""The command ``belowline demo``."""

import shutil
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from belowline.model import BelowlineError
from belowline.serve.batch.terminal import counting
from belowline.serve.demo.replay import fill
from belowline.serve.demo.week import read_week
from belowline.serve.server.run import run_server
from belowline.serve.settings import Settings, load_settings


class DemoError(BelowlineError):
    """The demo cannot have the store that was named; the message is one line."""


def run_demo(store: Path | None, **overrides: Any) -> None:
    """Fill a new store and serve it until interrupted.

    The store is a temporary file, or ``store``, which stays; raises DemoError if that exists or has no folder.
    """
    if store is not None and not store.parent.is_dir():
        raise DemoError(f"the folder {store.parent} does not exist; make it, or name another file")
    if store is not None and store.exists():
        raise DemoError(
            f"{store} exists, and the demo fills only a new store; name another file, or serve this one: "
            f"BELOWLINE_DATABASE_URL={_url(store)} belowline serve"
        )
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # so that the temporary store is deleted
    with TemporaryDirectory(prefix="belowline-demo-") as folder:
        file = Path(folder) / "demo.sqlite3"
        settings = load_settings(database_url=_url(file), **overrides)
        settings.check_exposure()  # before the seconds that the filling takes
        fill_store(settings)
        if store is not None:  # moved only when it is complete
            shutil.move(file, store)
            file = store
        run_server(load_settings(database_url=_url(file), **overrides), "/console")


def fill_store(settings: Settings) -> None:
    """Fill the new store of the settings with the invented week, and print the numbers."""
    week = read_week()
    with counting(len(week.comments), "filling the demo") as count:
        refused = fill(settings, week, count)
    authors = {comment["author"] for comment in week.comments}
    acts = len(week.events) - len(week.comments) - len(refused)
    print(
        f"filled: {len(week.comments)} comments by {len(authors)} authors, {acts} acts of moderators and authors"
    )
    for why in refused:
        print(f"left out, because this model decides otherwise: {why}")


def _url(file: Path) -> str:
    return f"sqlite:///{file.resolve()}"
