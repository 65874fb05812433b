"""Keeps the active model and the active policy of a process up to date with the store."""

import logging
import threading
import time
from collections.abc import Callable

from belowline.serve.active import model_history as models
from belowline.serve.active.active import Active
from belowline.serve.active.files import digest_with
from belowline.serve.active.loading import UNUSABLE, load_model
from belowline.serve.scoring.fault_isolation import describe
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database, StoreError

logger = logging.getLogger(__name__)
EVERY_S = 0.25
_AGAIN_S = 30.0
_CLOSING_S = 5.0


class Poller:
    """Calls ``look`` several times a second, in a thread of its own.

    The threads of the requests will not do: a slow database may keep all of them.
    """

    def __init__(self, look: Callable[[], object]) -> None:
        self._look = look
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="belowline-active", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread; gives up after a few seconds if the database does not answer."""
        self._closing.set()
        self._thread.join(_CLOSING_S)

    def _run(self) -> None:
        failing = False
        while not self._closing.wait(EVERY_S):
            try:
                self._look()
                failing = False
            except Exception as error:  # the thread must go on
                if not failing:
                    why = str(error) if isinstance(error, StoreError) else describe(error)
                    logger.error("cannot read the active model and policy, the last ones stay: %s", why)
                failing = True


class Follower:
    """Follows the store: a policy is taken over at once, a model loads in a thread while the one before answers."""

    def __init__(
        self,
        active: Active,
        settings: Settings,
        database: Database,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._active = active
        self._settings = settings
        self._database = database
        self._on_failure = on_failure
        self._loading: threading.Thread | None = None
        self._newest = 0
        self._failed, self._again = 0, 0.0

    def look(self) -> None:
        """Takes over the newest policy, and starts to load the newest model if it changed; raises StoreError.

        A model that cannot be used is tried again after half a minute.
        """
        self._newest = self._active.follow()
        if self._newest in (0, self._active.pair.model_number) or (
            self._loading and self._loading.is_alive()
        ):
            return
        if self._newest != self._failed or time.monotonic() >= self._again:
            self._loading = threading.Thread(
                target=self._load, args=(self._newest,), name="belowline-model", daemon=True
            )
            self._loading.start()

    def catch_up(self) -> None:
        """Looks, and returns once no model is loading."""
        self.look()
        if self._loading:
            self._loading.join()

    def _load(self, number: int) -> None:
        try:
            self._take_over(number)
        except UNUSABLE as error:
            self._stay(number, str(error))
        except StoreError:  # the next look reports it, or tries again
            return
        except Exception as error:
            self._failed, self._again = number, time.monotonic() + _AGAIN_S
            logger.error("model %d: could not be loaded: %s", number, describe(error))

    def _take_over(self, number: int) -> None:
        with self._database.read() as tx:
            row = models.read(tx, number)
        if row is None:
            return
        scorer = load_model(row, self._settings)
        if number != self._newest:  # changed while it was loading, perhaps because it is a bad one
            return
        digest = digest_with(row.digest, self._settings.second_model_dir)
        self._active.take_over(scorer, digest, number)
        logger.info("model %d, %s, is active", number, self._active.pipeline.model)

    def _stay(self, number: int, why: str) -> None:
        if self._failed != number:
            logger.error(
                "model %d cannot be used, %s stays active: %s", number, self._active.pipeline.model, why
            )
        self._failed, self._again = number, time.monotonic() + _AGAIN_S
        self._on_failure()
        self._active.stay(why)
