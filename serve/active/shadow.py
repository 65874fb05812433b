"""A candidate beside the model: it scores what was answered, under the same policy, and what it would have decided is counted."""

import logging
import multiprocessing
import queue
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from belowline.model import ModelError, PolicyError
from belowline.serve.active import candidate
from belowline.serve.active.candidate import Seen
from belowline.serve.metrics import Metrics
from belowline.serve.scoring.fault_isolation import describe
from belowline.serve.settings import Settings
from belowline.serve.store.database import StoreError

logger = logging.getLogger(__name__)
_WAITING = 1024
_EVERY_S = 2.0
_LATER_S = 0.02
"""How long the candidate leaves a comment alone, so that the answer is out first."""


class Shadow:
    """One process of the lowest priority, in front of it a bounded queue: what does not fit is dropped and counted.

    Nothing that happens here reaches a caller: a candidate that does not load or score is logged and counted.
    """

    def __init__(self, directory: Path, settings: Settings, metrics: Metrics) -> None:
        self._directory = directory
        self._settings = settings
        self._metrics = metrics
        self._waiting: queue.Queue[Seen] = queue.Queue(_WAITING)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="belowline-shadow", daemon=True)
        self.problem: str | None = None
        """Why the candidate does not score; None while it does, or is loading."""

    @property
    def waiting(self) -> int:
        """How many comments wait for the candidate."""
        return self._waiting.qsize()

    def start(self) -> None:
        """Begins to load the candidate and then to score."""
        self._thread.start()

    def close(self) -> None:
        """Keeps what was compared, and stops; what waits is left."""
        self._closing.set()
        self._thread.join(10)

    def offer(self, seen: Iterable[Seen]) -> None:
        """Lines comments up for the candidate; returns at once and never raises."""
        try:
            for one in seen:
                self._line_up(one)
        except Exception as error:  # never a caller's harm
            logger.error("the candidate was not asked: %s", describe(error))

    def _line_up(self, one: Seen) -> None:
        if self.problem is not None:
            return
        try:
            self._waiting.put_nowait(one)
        except queue.Full:
            self._metrics.shadow_dropped()

    def _run(self) -> None:
        spawn = multiprocessing.get_context("spawn")  # threads of onnxruntime do not survive a fork
        with ProcessPoolExecutor(1, spawn) as process:
            try:
                self._work(process)
            except BrokenProcessPool:
                self._give_up(f"{self._directory}: the candidate's process ended; was it killed for memory?")
            except (ModelError, PolicyError, StoreError, OSError) as error:
                self._give_up(str(error))
            except Exception as error:  # by its type and place alone: its message may quote a comment
                self._give_up(f"{self._directory}: unexpected {describe(error)}; please report it")

    def _work(self, process: ProcessPoolExecutor) -> None:
        name = process.submit(candidate.load, self._directory, self._settings).result()
        logger.info("the candidate %s scores beside the model", name)
        kept = time.monotonic()
        while not self._closing.is_set():
            self._next(process)
            if time.monotonic() - kept >= _EVERY_S:
                self._keep(process)
                kept = time.monotonic()
        self._keep(process)

    def _next(self, process: ProcessPoolExecutor) -> None:
        """Compares the next comment, if one comes soon."""
        try:
            one = self._waiting.get(timeout=0.2)
        except queue.Empty:
            return
        time.sleep(_LATER_S)
        action = process.submit(candidate.compare, one).result()
        if action is not None:
            self._metrics.shadow(one.action, action)

    def _keep(self, process: ProcessPoolExecutor) -> None:
        try:
            process.submit(candidate.keep).result()
        except StoreError as error:
            logger.error("what the candidate said is not kept yet: %s", error)

    def _give_up(self, why: str) -> None:
        self.problem = why
        logger.error("BELOWLINE_SHADOW_MODEL_DIR does not score: %s", why)
        while not self._waiting.empty():
            self._waiting.get_nowait()
