"""Micro-batching across requests: what waits is scored in calls to the model, a few comments in each and a few calls at a time."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic

from belowline.model import BelowlineError, ScoreInput, Scores
from belowline.serve.scoring.fault_isolation import Scoring, score_each

_LATELY = 64
"""Over about how many requests their pace and size are averaged."""
_FEW = 4
"""Requests that are let in however slow those before them were."""


class QueueFull(BelowlineError):
    """As many comments wait as may; ``retry_after`` is how many seconds to wait before asking again."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("too many comments are waiting to be scored")
        self.retry_after = retry_after


class ScoreQueueClosed(BelowlineError):
    """The service is shutting down."""


@dataclass(slots=True)
class _Job:
    """A request's comments, of which ``asked`` have gone to the model and the rest waits, and what came back of each."""

    scorer: Scoring
    comments: Sequence[ScoreInput]
    answer: asyncio.Future[list[Scores | None]]
    asked: int = 0
    scores: dict[int, Scores | None] = field(default_factory=dict)

    @property
    def rest(self) -> int:
        """How many comments wait still."""
        return len(self.comments) - self.asked

    def keep(self, places: range, scores: Sequence[Scores | None]) -> None:
        """Takes in the scores of comments at ``places``, and answers if they are the last."""
        self.scores.update(zip(places, scores, strict=True))
        if len(self.scores) == len(self.comments) and not self.answer.cancelled():
            self.answer.set_result([self.scores[place] for place in range(len(self.comments))])


@dataclass(frozen=True, slots=True)
class _Part:
    """Comments of a job that go to the model in one call."""

    job: _Job
    places: range


class ScoreQueue:
    """A bounded queue in front of the model; must be started inside the event loop that submits to it.

    Answers of a call go out together, so calls are small and several are under way: nobody waits for the longest comment of many others,
    and the cores are busy while answers go out. ``calls`` should be one more than the cores, and as many handed over ``ahead``, for which
    nobody need come back to the event loop: it is busy with the requests of others just when there is most to do.
    Meanwhile arriving comments gather and make up the next call, so an idle service adds no wait. Of a long request each call takes a part,
    and then it is the turn of others: who imports an archive keeps nobody waiting who writes now. Each request names its model, and
    a call is of one model: while a model takes another's place, none is asked for what the other was to score.
    What is scored and waits for the store counts against the bound as well, or a slow store would let requests pile up without end; and
    nobody is let in to wait longer than ``longest_s``, for callers give up then, and the work for them would be done for nobody. That is
    told for one comment from the requests that are here, and for several from the comments that wait: each has its turn after theirs.
    """

    def __init__(
        self,
        *,
        queue_comments: int,
        batch_comments: int,
        wait_s: float = 0.0,
        calls: int = 1,
        ahead: int = 0,
        writers: int = 1,
        longest_s: float = 10.0,
        on_batch: Callable[[int, float], None] | None = None,
    ) -> None:
        self._queue_comments = queue_comments
        self._batch_comments = batch_comments
        self._wait_s = wait_s
        self._on_batch = on_batch
        self._waiting: deque[_Job] = deque()
        self._arrived = asyncio.Event()
        self._threads = ThreadPoolExecutor(calls, thread_name_prefix="belowline-scorer")
        self._free = asyncio.Semaphore(calls + ahead)
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self._writers = asyncio.Semaphore(writers)
        self._longest_s = longest_s
        self._pace_s = self._last_gone = 0.0
        self._size = 1.0
        self.queued = 0
        self.unkept = 0
        self.requests = 0
        self.failing = False

    @property
    def alive(self) -> bool:
        """Whether comments that are submitted now will be answered."""
        return self._task is not None and not self._task.done() and not self._closing

    @property
    def full(self) -> bool:
        """Whether another request is better refused at once: as many are on their way as comments may wait, or it would wait too long."""
        return self.requests >= self._queue_comments or self._late(self.requests)

    @property
    def overrun(self) -> bool:
        """Whether there are too many requests even for those that can do without the model."""
        return self.requests >= 2 * self._queue_comments

    @property
    def retry_after(self) -> int:
        """In how many seconds what is here now should be answered, a minute at most."""
        return min(60, max(1, math.ceil(self._expected_s(max(self.requests, self._here)))))

    @property
    def _here(self) -> int:
        return self.queued + self.unkept

    def _late(self, comments: int) -> bool:
        """Whether it takes too long until as many are answered; a few never do, however slow the last ones were."""
        return comments >= _FEW and self._expected_s(comments) > self._longest_s

    def _expected_s(self, comments: int) -> float:
        return comments * self._pace_s / self._size

    def start(self) -> None:
        """Begins to take jobs."""
        self._task = asyncio.create_task(self._run(), name="belowline-batcher")

    async def close(self) -> None:
        """Answers what waits, then stops; further submissions raise BatcherClosed."""
        self._closing = True
        self._arrived.set()
        if self._task:
            await self._task
        self._threads.shutdown()

    async def submit(self, comments: Sequence[ScoreInput], scorer: Scoring) -> list[Scores | None]:
        """Scores by ``scorer`` in order, None where scoring a comment failed; raises QueueFull or BatcherClosed."""
        if not self.alive:
            raise ScoreQueueClosed
        after_others = self._here > 0 and len(comments) > 1
        if self._here + len(comments) > self._queue_comments or (
            after_others and self._late(self._here + len(comments))
        ):
            raise QueueFull(self.retry_after)
        self._size += (len(comments) - self._size) / _LATELY
        job = _Job(scorer, comments, asyncio.get_running_loop().create_future())
        self._waiting.append(job)
        self.queued += len(comments)
        self._arrived.set()
        return await job.answer

    @contextmanager
    def place(self) -> Iterator[None]:
        """Counts a request that brings comments until it is answered: under load many are still on their way to ``submit``."""
        came = monotonic()
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1
            gone = monotonic()
            # From one answer to the next, but not what passed while nobody asked.
            self._pace_s += (gone - max(came, self._last_gone) - self._pace_s) / _LATELY
            self._last_gone = gone

    @asynccontextmanager
    async def keeping(self, comments: int) -> AsyncIterator[None]:
        """A turn to keep so many comments that were scored, in the order of asking; until its end they count as waiting."""
        self.unkept += comments
        try:
            async with self._writers:
                yield
        finally:
            self.unkept -= comments

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as calls:
            while self._waiting or not self._closing:
                await self._arrived.wait()
                if self._wait_s and self.queued < self._batch_comments and not self._closing:
                    await asyncio.sleep(self._wait_s)
                await self._free.acquire()
                parts = self._take()
                if parts:
                    calls.create_task(self._answer(parts))
                else:
                    self._free.release()

    def _take(self) -> list[_Part]:
        """Comments of one model up to the limit, in the order of their jobs; jobs whose caller has gone away are dropped."""
        parts: list[_Part] = []
        room = self._batch_comments
        while room and self._waiting and (not parts or self._waiting[0].scorer is parts[0].job.scorer):
            job = self._waiting.popleft()
            if job.answer.cancelled():
                self.queued -= job.rest
                continue
            taken = min(room, job.rest)
            parts.append(_Part(job, range(job.asked, job.asked + taken)))
            job.asked += taken
            self.queued -= taken
            room -= taken
            if job.rest:
                self._waiting.append(job)
        if not self._waiting and not self._closing:
            self._arrived.clear()
        return parts

    async def _answer(self, parts: Sequence[_Part]) -> None:
        loop = asyncio.get_running_loop()
        scorer = parts[0].job.scorer
        comments = [part.job.comments[place] for part in parts for place in part.places]
        started = loop.time()
        try:
            scores = await loop.run_in_executor(self._threads, score_each, scorer, comments)
        finally:
            self._free.release()
        seconds = loop.time() - started
        self.failing = all(score is None for score in scores)
        if self._on_batch:
            self._on_batch(len(comments), seconds)
        each = iter(scores)
        for part in parts:
            part.job.keep(part.places, list(islice(each, len(part.places))))
