"""The model that counts now: the newest in the store, or the one of the settings; and how a running service follows a change."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Row
from starlette.concurrency import run_in_threadpool

from belowline.model import ModelError, PolicyError, Scorer
from belowline.serve.judge import Judge
from belowline.serve.models.files import digest_of, load_whole, models_dir
from belowline.serve.policy_in_force import PolicyInForce, under_policy
from belowline.serve.scoring import describe
from belowline.serve.service import Service
from belowline.serve.settings import Settings
from belowline.serve.store import models
from belowline.serve.store.database import Database, StoreError

logger = logging.getLogger(__name__)
_EVERY_S = 1.0
_AGAIN_S = 30.0
_UNUSABLE = (ModelError, PolicyError, OSError)
"""What keeps a model from taking over: its files, or the policy in force."""


@dataclass(frozen=True, slots=True)
class Serving:
    """A model under the policy in force, its number in the store (0: that of the settings), and why it is not the newest if it is not."""

    policy: PolicyInForce
    number: int
    behind: str | None = None


def serving_model(settings: Settings, database: Database) -> Serving:
    """What a service begins with: the model in force, or else the nearest before it that can serve.

    Raises ModelError or PolicyError where not even that of the settings can.
    """
    why: str | None = None
    for row in _newest_first(database):
        try:
            policy = _load(row, settings, database)
        except _UNUSABLE as error:
            logger.error("model %d in force cannot serve, going back to one before it: %s", row.id, error)
            why = why or str(error)
        else:
            _note_what_is_set(settings, policy.judge)
            return Serving(policy, row.id, why)
    directory = settings.model_directory
    scorer = Scorer.load(directory, threads=settings.threads)
    return Serving(under_policy(scorer, digest_of(directory), settings, database), 0, why)


class Follower:
    """Puts the model that the store says is in force into the service of an app; each worker has one.

    A model is loaded and verified in a thread while the one before answers. Then the app's service is replaced, which is one assignment:
    who began with the old one ends with it, and the last of these lets go of it.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._failed, self._again = 0, 0.0

    @property
    def _service(self) -> Service:
        service: Service = self._app.state.service
        return service

    def start(self) -> None:
        """Begins to look whether the model was changed, once a second."""
        self._task = asyncio.create_task(self._run(), name="belowline-model")

    async def close(self) -> None:
        """Stops looking."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> bool:
        """Takes a changed model over; whether there was one that could be. One that cannot is tried again after half a minute."""
        moment = asyncio.get_running_loop().time()
        row = await run_in_threadpool(_newest, self._service.database)
        if row is None or row.id == self._service.promotion:
            return False
        if row.id == self._failed and moment < self._again:
            return False
        try:
            policy = await asyncio.to_thread(_load, row, self._service.settings, self._service.database)
        except _UNUSABLE as error:
            self._stay(row, str(error), moment)
            return False
        self._take_over(policy, row)
        return True

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            try:
                await self.look()
            except StoreError:  # whoever needs the store says so
                continue
            except Exception as error:  # never the end of following
                logger.error("could not look for a changed model: %s", describe(error))

    def _stay(self, row: Row[Any], why: str, moment: float) -> None:
        if self._failed != row.id:
            logger.error(
                "model %d cannot take over, %s goes on: %s", row.id, self._service.verdict.model, why
            )
        self._failed, self._again = row.id, moment + _AGAIN_S
        self._service.metrics.model_failed()
        self._app.state.service = replace(self._service, behind=why)

    def _take_over(self, policy: PolicyInForce, row: Row[Any]) -> None:
        self._app.state.service = replace(self._service, policy=policy, promotion=row.id, behind=None)
        self._service.metrics.serves(policy.judge.scorer.version, policy.judge.digest or "")
        self._app.version = policy.judge.scorer.version
        if self._app.openapi_schema:
            self._app.openapi_schema["info"]["version"] = self._app.version
        logger.info("model %d, %s, has taken over", row.id, policy.judge.model)


def _load(row: Row[Any], settings: Settings, database: Database) -> PolicyInForce:
    directory = models_dir(settings) / row.folder
    scorer = load_whole(directory, row.digest, settings.threads)
    return under_policy(scorer, row.digest, settings, database)


def _newest(database: Database) -> Row[Any] | None:
    with database.read() as tx:
        return models.in_force(tx)


def _newest_first(database: Database) -> Iterator[Row[Any]]:
    """The model in force, and those that rollbacks would return to."""
    with database.read() as tx:
        row = models.in_force(tx)
        rows = [row] if row is not None else []
        while rows and rows[-1].previous and (row := models.read(tx, rows[-1].previous)) is not None:
            rows.append(row)
    yield from rows


def _note_what_is_set(settings: Settings, judge: Judge) -> None:
    """Says where BELOWLINE_MODEL_DIR names another model than the promoted one, which wins."""
    if settings.model_dir is None:
        return
    try:
        same = digest_of(settings.model_dir) == judge.digest
    except ModelError:
        same = False
    if not same:
        logger.warning(
            "the promoted model %s serves, not %s; to change it: belowline models promote",
            judge.model,
            settings.model_dir,
        )
