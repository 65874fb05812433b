"""Loads the model that the store names as the active one."""

import logging
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row

from belowline.model import ModelError, PolicyError, Scorer
from belowline.serve.active import model_history as models
from belowline.serve.active.active import Active
from belowline.serve.active.files import digest_of, digest_with, load_whole, load_with_digest, models_dir
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database

logger = logging.getLogger(__name__)
UNUSABLE = (ModelError, PolicyError, OSError)
"""Errors that keep a model from becoming active: of its files, or of the active policy."""


def load_model(row: Row[Any], settings: Settings) -> Scorer:
    """Loads and verifies a promoted model, with the second model of the settings; raises ModelError or OSError."""
    directory = models_dir(settings) / row.folder
    return load_whole(directory, row.digest, settings.threads, settings.second_model_dir)


def active_at_start(settings: Settings, database: Database) -> Active:
    """Returns the newest usable model under the newest policy; ``behind`` has the reason if it is not the newest.

    Raises ModelError or PolicyError if not even the model of the settings can be used.
    """
    why: str | None = None
    for row in _newest_first(database):
        try:
            scorer, digest = load_model(row, settings), digest_with(row.digest, settings.second_model_dir)
            active = Active(scorer, digest, settings.policy, database, row.id)
        except UNUSABLE as error:
            logger.error(
                "the active model, number %d, cannot be used, trying the one before: %s", row.id, error
            )
            why = why or str(error)
        else:
            _warn_of_other_model(settings, active.pipeline)
            active.behind = why
            return active
    scorer, digest = load_with_digest(settings.model_directory, settings.threads, settings.second_model_dir)
    active = Active(scorer, digest, settings.policy, database)
    active.behind = why
    return active


def _newest_first(database: Database) -> Iterator[Row[Any]]:
    """Yields the active model and those that rollbacks would return to."""
    with database.read() as tx:
        row = models.active(tx)
        rows = [row] if row is not None else []
        while rows and rows[-1].previous and (row := models.read(tx, rows[-1].previous)) is not None:
            rows.append(row)
    yield from rows


def _warn_of_other_model(settings: Settings, pipeline: ModerationPipeline) -> None:
    """Logs a warning if BELOWLINE_MODEL_DIR names another model than the promoted one, which wins."""
    if settings.model_dir is None:
        return
    try:
        same = digest_with(digest_of(settings.model_dir), settings.second_model_dir) == pipeline.digest
    except ModelError:
        same = False
    if not same:
        logger.warning(
            "the promoted model %s serves, not %s; to change it: belowline models promote",
            pipeline.model,
            settings.model_dir,
        )
