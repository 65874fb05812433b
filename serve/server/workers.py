"""Runs several worker processes of one service: starts, supervises, restarts and ends them.

uvicorn's supervisor breaks promises of DEPLOY.md: it ends the service if a restarted worker cannot start, waits for its
workers without a limit, leaves them running if it is killed, gives all of them one socket, and has no hook for a death.
"""

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
_POLL_S = 0.2
_EXIT_S = 5.0
_LONGEST_PAUSE_S = 30.0
LONGEST_END_S = 25.0
"""Seconds for workers to answer open requests once they are told to end; Kubernetes kills after 30 s."""

Work = Callable[[Callable[[], None]], None]
"""The picklable task of a worker: it calls its argument once it serves, and returns when it is told to end."""


class WorkerError(BelowlineError):
    """Workers cannot start, or one exited unexpectedly; the message is one line."""


def run_workers(work: Work, number: int, *, serving: Callable[[], None], ending: Callable[[], None]) -> None:
    """Runs ``work`` in ``number`` processes until SIGTERM or SIGINT.

    Calls ``serving`` once the first worker serves, and ``ending`` before the workers are ended. The first worker starts
    alone, because its error would be that of all; this error is raised. A worker that exits later is restarted: at once
    if it had served, otherwise after a growing pause.
    """
    workers = [_Worker(index + 1, work) for index in range(number)]
    with _signals() as received, _shared_metrics() as metrics:
        try:
            _start_first(workers[0], received)
            if not received:
                serving()
            while not received:
                _supervise(workers, metrics)
        finally:
            ending()
            _end([worker.process for worker in workers if worker.process])
    signal.raise_signal(received[0])


class _Worker:
    """A worker: its process, or the time at which the next one starts."""

    process: SpawnProcess | None = None
    messages: Connection
    serves = False
    pause = due = 0.0

    def __init__(self, number: int, work: Work) -> None:
        self.number = number
        self._work = work

    def start(self) -> None:
        """Starts a process, which reports through ``messages``."""
        spawn = multiprocessing.get_context("spawn")  # threads of onnxruntime do not survive a fork
        self.messages, sender = spawn.Pipe(duplex=False)
        self.serves = False
        self.process = spawn.Process(target=_run_worker, args=(self._work, sender))
        self.process.start()
        sender.close()  # otherwise the end of the process would not close the pipe

    def poll(self) -> Exception | None:
        """Reads a message of the process; returns the error if the process has ended."""
        if self.process is None or not self.messages.poll():
            return None
        try:
            error: Exception | None = self.messages.recv()
        except (EOFError, OSError):
            self.process.join(_EXIT_S)
            error = WorkerError(f"exited unexpectedly with status {self.process.exitcode}")
        if error is None:
            self.serves, self.pause = True, 0.0
            logger.info("worker %d serves, process %d", self.number, self.process.pid)
        else:
            self._clean_up(self.process)
        return error

    def _clean_up(self, process: SpawnProcess) -> None:
        process.join(_EXIT_S)
        process.kill()
        process.join()
        self.process = None
        self.messages.close()
        if not self.serves:
            self.pause = min(_LONGEST_PAUSE_S, max(1.0, 2 * self.pause))
        self.due = time.monotonic() + self.pause


def _start_first(first: _Worker, received: list[int]) -> None:
    first.start()
    while not received and not first.serves:
        wait([first.messages], _POLL_S)
        if error := first.poll():
            raise error


def _supervise(workers: list[_Worker], metrics: Path) -> None:
    """Starts workers that are due and waits a moment for messages."""
    for worker in workers:
        if worker.process is None and time.monotonic() >= worker.due:
            worker.start()
    wait([worker.messages for worker in workers if worker.process], _POLL_S)
    for worker in workers:
        process = worker.process
        error = worker.poll()
        if error and process and process.pid:
            forget_worker(metrics, process.pid)
            restart = f"restarting in {worker.pause:.0f} s"
            logger.error("worker %d, process %d: %s; %s", worker.number, process.pid, error, restart)


def _end(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + LONGEST_END_S
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            logger.error("process %s did not end within %.0f s; killing it", process.pid, LONGEST_END_S)
            process.kill()
            process.join()


def _run_worker(work: Work, sender: Connection) -> None:
    follow_parent()
    try:
        work(lambda: sender.send(None))
    except (BelowlineError, OSError) as error:
        sender.send(error)
        sys.exit(1)
    except Exception as error:
        sender.send(WorkerError(f"unexpected {describe(error)}; please report it"))
        sys.exit(1)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects the signals to end, which have no other effect meanwhile."""
    received: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shared_metrics() -> Iterator[Path]:
    """Creates the folder in which workers share their metrics; they find it by the environment."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="belowline-metrics-", ignore_cleanup_errors=True)
    except OSError:
        raise WorkerError("workers need a writable folder for temporary files; name one in TMPDIR") from None
    with folder as name:
        os.environ[TOGETHER] = name
        try:
            yield Path(name)
        finally:
            del os.environ[TOGETHER]
