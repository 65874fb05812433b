"""Several processes of one service: begun, watched, begun again where they die, and ended together."""

import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from belowline.model import BelowlineError
from belowline.serve.metrics import TOGETHER, forget_worker
from belowline.serve.scoring.child_process import follow_parent
from belowline.serve.scoring.fault_isolation import describe

logger = logging.getLogger(__name__)
_LOOK_S = 0.2
_LEAVE_S = 5.0
_LONGEST_PAUSE_S = 30.0
LONGEST_END_S = 25.0
"""How long workers may take to answer what waits once they are told to end; Kubernetes kills after 30 s."""

Work = Callable[[Callable[[], None]], None]
"""What a worker does, picklable: it calls what it is given once it serves, and returns once it was told to end."""


class WorkerError(BelowlineError):
    """Workers cannot be begun, or one ended unasked; the message is one line."""


def run_workers(work: Work, number: int, *, serving: Callable[[], None], ending: Callable[[], None]) -> None:
    """Has ``number`` processes do ``work`` until SIGTERM or SIGINT; calls ``serving`` once one serves, ``ending`` before all are ended.

    The first begins alone: what keeps it from serving would keep all of them. That is raised: an error of ours, OSError or WorkerError.
    Later one that dies is begun again, at once if it had served, after a growing pause if not.
    """
    places = [_Place(one + 1, work) for one in range(number)]
    with _signals() as told, _numbers_together() as numbers:
        try:
            _begin_first(places[0], told)
            if not told:
                serving()
            while not told:
                _look(places, numbers)
        finally:
            ending()
            _end([place.process for place in places if place.process])
    signal.raise_signal(told[0])


class _Place:
    """The place of one worker: the process that has it, or when the next one begins."""

    process: SpawnProcess | None = None
    said: Connection
    serves = False
    pause = due = 0.0

    def __init__(self, number: int, work: Work) -> None:
        self.number = number
        self._work = work

    def begin(self) -> None:
        """Begins a process, which is heard of through ``said``."""
        spawn = multiprocessing.get_context("spawn")  # threads of onnxruntime do not survive a fork
        self.said, says = spawn.Pipe(duplex=False)
        self.serves = False
        self.process = spawn.Process(target=_be_worker, args=(self._work, says))
        self.process.start()
        says.close()  # or the end of the process would not be read as an end

    def listen(self) -> Exception | None:
        """Takes in what the process says; returns why it is over, if it is, and then the place is free."""
        if self.process is None or not self.said.poll():
            return None
        try:
            told: Exception | None = self.said.recv()
        except (EOFError, OSError):
            self.process.join(_LEAVE_S)
            told = WorkerError(f"it ended unasked, with status {self.process.exitcode}")
        if told is None:
            self.serves, self.pause = True, 0.0
            logger.info("worker %d serves, process %d", self.number, self.process.pid)
        else:
            self._leave(self.process)
        return told

    def _leave(self, over: SpawnProcess) -> None:
        over.join(_LEAVE_S)
        over.kill()
        over.join()
        self.process = None
        self.said.close()
        if not self.serves:
            self.pause = min(_LONGEST_PAUSE_S, max(1.0, 2 * self.pause))
        self.due = time.monotonic() + self.pause


def _begin_first(first: _Place, told: list[int]) -> None:
    first.begin()
    while not told and not first.serves:
        wait([first.said], _LOOK_S)
        if error := first.listen():
            raise error


def _look(places: list[_Place], numbers: Path) -> None:
    """Begins the workers that are due and waits a moment for news of the others."""
    for place in places:
        if place.process is None and time.monotonic() >= place.due:
            place.begin()
    wait([place.said for place in places if place.process], _LOOK_S)
    for place in places:
        process = place.process
        error = place.listen()
        if error and process and process.pid:
            forget_worker(numbers, process.pid)
            logger.error(
                "worker %d, process %d: %s; the next begins in %.0f s",
                place.number, process.pid, error, place.pause,
            )  # fmt: skip


def _end(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()
    last = time.monotonic() + LONGEST_END_S
    for process in processes:
        process.join(max(0.0, last - time.monotonic()))
        if process.is_alive():
            logger.error("process %s did not end within %.0f s and is killed", process.pid, LONGEST_END_S)
            process.kill()
            process.join()


def _be_worker(work: Work, says: Connection) -> None:
    follow_parent()
    try:
        work(lambda: says.send(None))
    except Exception as error:
        foreseen = isinstance(error, BelowlineError | OSError)
        says.send(error if foreseen else WorkerError(f"unexpected {describe(error)}; please report it"))
        sys.exit(1)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals to end that came, none at first; they do nothing else meanwhile."""
    told: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: told.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _numbers_together() -> Iterator[Path]:
    """The folder in which the workers keep their metrics, named to them by the environment."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="belowline-metrics-", ignore_cleanup_errors=True)
    except OSError:
        raise WorkerError(
            "workers need a folder for temporary files that can be written to; name one in TMPDIR"
        ) from None
    with folder as name:
        os.environ[TOGETHER] = name
        try:
            yield Path(name)
        finally:
            del os.environ[TOGETHER]
