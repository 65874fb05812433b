"""A bounded, fair queue in front of the model."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic

from belowline.model import BelowlineError, ScoreInput, Scores
from belowline.serve.scoring.fault_isolation import Scoring, score_each

_AVERAGED = 64
"""Number of requests over which pace and size are averaged, roughly."""
_ALWAYS_ADMITTED = 4
"""Requests that are admitted however slow the ones before them were."""


class QueueFull(BelowlineError):
    """The queue is full; ``retry_after`` is the number of seconds after which to try again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many comments are waiting to be scored")
        self.retry_after = retry_after


class ScoreQueueClosed(BelowlineError):
    """The service is shutting down."""


@dataclass(slots=True)
class _Job:
    """The comments of one request; ``taken`` of them went to the model so far."""

    scorer: Scoring
    comments: Sequence[ScoreInput]
    answer: asyncio.Future[list[Scores | None]]
    taken: int = 0
    scores: dict[int, Scores | None] = field(default_factory=dict)

    def add(self, index: int, scores: Scores | None) -> None:
        """Adds the scores of one comment; the last one completes the answer."""
        self.scores[index] = scores
        if len(self.scores) == len(self.comments) and not self.answer.cancelled():
            self.answer.set_result([self.scores[i] for i in range(len(self.comments))])


class ScoreQueue:
    """Gives comments to the model one by one; start it inside the event loop that submits to it.

    A request with many comments gives up its turn after each of them, so an import of an archive does not delay other
    requests. Each request names its scorer, so requests from before a change of the model finish with the old one.

    ``threads`` comments are scored at a time, best one more than there are cores. ``ahead`` more are handed to the
    threads in advance, so that no core waits for a busy event loop.

    The queue refuses requests in two cases: ``queue_comments`` wait already, for the model or for the store, or a
    request would probably wait longer than ``longest_s``. The expected wait of one comment depends on the requests in
    the service; that of several comments on the comments in the queue, because each of them takes its own turn.
    """

    def __init__(
        self,
        *,
        queue_comments: int,
        threads: int = 1,
        ahead: int = 0,
        writers: int = 1,
        longest_s: float = 10.0,
        on_scored: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._queue_comments = queue_comments
        self._longest_s = longest_s
        self._on_scored = on_scored
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="belowline-scorer")
        self._calls = threads + ahead
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False
        self._writers = asyncio.Semaphore(writers)
        self._pace_s = self._last_answer = 0.0
        self._size = 1.0
        self.queued = 0
        self.unwritten = 0
        self.requests = 0
        self.failing = False

    @property
    def alive(self) -> bool:
        """True if comments that are submitted now will be answered."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks) and not self._closing

    @property
    def full(self) -> bool:
        """True if another request should be refused: too many are in the service, or it would wait too long."""
        return self.requests >= self._queue_comments or self._too_slow(self.requests)

    @property
    def overrun(self) -> bool:
        """True if there are too many requests even for those that can do without the model."""
        return self.requests >= 2 * self._queue_comments

    @property
    def retry_after(self) -> int:
        """Seconds after which the present requests are probably answered, from 1 to 60."""
        return min(60, max(1, math.ceil(self._expected_s(max(self.requests, self._waiting)))))

    @property
    def _waiting(self) -> int:
        return self.queued + self.unwritten

    def _too_slow(self, comments: int) -> bool:
        return comments >= _ALWAYS_ADMITTED and self._expected_s(comments) > self._longest_s

    def _expected_s(self, comments: int) -> float:
        return comments * self._pace_s / self._size

    def start(self) -> None:
        """Starts to score what is submitted."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._calls)]

    async def close(self) -> None:
        """Answers what waits, then stops; later submissions raise ScoreQueueClosed."""
        self._closing = True
        if self._tasks:
            all_answered = asyncio.create_task(self._jobs.join())
            await asyncio.wait({all_answered, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in (all_answered, *self._tasks):
                task.cancel()
        self._threads.shutdown()

    async def submit(self, comments: Sequence[ScoreInput], scorer: Scoring) -> list[Scores | None]:
        """Returns scores in order, None where scoring failed; raises QueueFull or ScoreQueueClosed."""
        if not self.alive:
            raise ScoreQueueClosed
        after = self._waiting + len(comments)
        several_in_line = self._waiting > 0 and len(comments) > 1
        if after > self._queue_comments or (several_in_line and self._too_slow(after)):
            raise QueueFull(self.retry_after)
        self._size += (len(comments) - self._size) / _AVERAGED
        job = _Job(scorer, comments, asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        self.queued += len(comments)
        return await job.answer

    @contextmanager
    def reserve_slot(self) -> Iterator[None]:
        """Counts a request with comments until it is answered: under load many have not reached ``submit`` yet."""
        arrived = monotonic()
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1
            answered = monotonic()
            # The time from one answer to the next, without the time in which there was no request.
            self._pace_s += (answered - max(arrived, self._last_answer) - self._pace_s) / _AVERAGED
            self._last_answer = answered

    @asynccontextmanager
    async def reserve_write(self, comments: int) -> AsyncIterator[None]:
        """Waits for a turn to write scored comments, in order of arrival; they count as waiting until the block ends.

        Otherwise a slow store would let requests pile up without a limit.
        """
        self.unwritten += comments
        try:
            async with self._writers:
                yield
        finally:
            self.unwritten -= comments

    async def _work(self) -> None:
        while True:
            job = await self._jobs.get()
            try:
                await self._score_next(job)
            finally:
                self._jobs.task_done()

    async def _score_next(self, job: _Job) -> None:
        """Scores the next comment of a job and puts the job with its rest at the end of the queue."""
        index, comments = job.taken, job.comments
        if job.answer.cancelled():  # the caller has gone
            self.queued -= len(comments) - index
            return
        job.taken += 1
        self.queued -= 1
        if job.taken < len(comments):
            self._jobs.put_nowait(job)
        loop = asyncio.get_running_loop()
        started = loop.time()
        [scores] = await loop.run_in_executor(
            self._threads, score_each, job.scorer, comments[index : index + 1]
        )
        self.failing = scores is None
        self._on_scored(loop.time() - started)
        job.add(index, scores)
