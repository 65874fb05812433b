"""The parts of a running service, and the one path from comments to results over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from belowline.model import Context, ScoreInput, Scores
from belowline.serve.active.active import Active, ActivePair
from belowline.serve.http.errors import Problem, queue_full
from belowline.serve.http.throttle import FailedKeyLimiter
from belowline.serve.metrics import Metrics
from belowline.serve.queue.comments import last_decision
from belowline.serve.queue.intake import IncomingComment, IngestResult, Thread, ingest
from belowline.serve.queue.moderator_decisions import ModeratorDecision, record_decision
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.results import Result
from belowline.serve.scoring.score_queue import QueueFull, ScoreQueue, ScoreQueueClosed
from belowline.serve.settings import Settings
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database


@dataclass(slots=True)
class Service:
    """The parts that routes share. Each request gets a copy that keeps the model with which the request began.

    ``request_pair`` is that model with its policy; None outside of requests.
    """

    settings: Settings
    active: Active
    score_queue: ScoreQueue
    metrics: Metrics
    database: Database
    failed_keys: FailedKeyLimiter = field(default_factory=FailedKeyLimiter)
    request_pair: ActivePair | None = None

    @property
    def pair(self) -> ActivePair:
        """The model and policy of this request; outside of requests the active ones."""
        return self.request_pair or self.active.pair

    @property
    def pipeline(self) -> ModerationPipeline:
        """The pipeline of ``pair``."""
        return self.pair.pipeline

    def pair_in(self, tx: Connection) -> ActivePair:
        """Returns the model of this request under the policy that is active in the transaction."""
        return self.active.within(tx, self.pair)

    async def scores(self, comments: Sequence[ScoreInput]) -> list[Scores | None]:
        """Returns scores in order, None where scoring failed; raises Problem if the queue is full or closed."""
        try:
            return await self.score_queue.submit(comments, self.pipeline.scorer)
        except QueueFull as full:
            raise queue_full(full.retry_after) from None
        except ScoreQueueClosed:
            raise Problem("shutting-down", "try again in a moment") from None

    async def moderate(
        self,
        ids: Sequence[str | None],
        comments: Sequence[ScoreInput],
        contexts: Sequence[Context] | None = None,
    ) -> list[Result]:
        """Returns a result for each comment, in order, and stores nothing; raises Problem as ``scores`` does."""
        return self.results(ids, comments, await self.scores(comments), contexts)

    def results(
        self,
        ids: Sequence[str | None],
        comments: Sequence[ScoreInput],
        scores: Sequence[Scores | None],
        contexts: Sequence[Context] | None = None,
    ) -> list[Result]:
        """Returns a result for each scored comment and stores nothing; scores are None where scoring failed."""
        if self.request_pair:  # the policy may have changed while the comments waited for the model
            self.request_pair = self.active.newest(self.request_pair)
        results = self.pipeline.results(ids, comments, scores, contexts)
        self._count(results)
        return results

    async def ingest(
        self,
        site: str,
        thread: Thread | None,
        incoming: Sequence[IncomingComment],
        *,
        held_only: bool = False,
    ) -> list[IngestResult]:
        """Stores scored comments in one transaction, in their turn; see ``queue.intake.ingest``."""

        def write() -> list[IngestResult]:
            with self.database.write() as tx:
                return ingest(tx, self.pair_in(tx).pipeline, site, thread, incoming, held_only=held_only)

        async with self.score_queue.reserve_write(len(incoming)):
            ingested = await run_in_threadpool(write)
        self._count([comment.result for comment in ingested])
        return ingested

    async def report(
        self,
        who: Actor,
        site: str,
        thread: Thread | None,
        comment: IncomingComment,
        decision: ModeratorDecision,
    ) -> str:
        """Records a decision that was made elsewhere and returns the action before it; stores an unknown comment first.

        Repeating the last decision adds nothing. Raises Refusal as ``record_decision`` does.
        """

        def write() -> str:
            with self.database.write() as tx:
                pipeline = self.pair_in(tx).pipeline
                [ingested] = ingest(tx, pipeline, site, thread, [comment])
                last = last_decision(tx, ingested.comment)
                reported = (who.name, decision.action, decision.code, list(decision.labels))
                if last is None or (last.actor, last.action, last.code, last.labels) != reported:
                    elsewhere = replace(decision, elsewhere=True)
                    record_decision(tx, who, ingested.comment, elsewhere, pipeline.policy)
                return ingested.action

        return await run_in_threadpool(write)

    def _count(self, results: Sequence[Result]) -> None:
        for result in results:
            self.metrics.decisions.labels(result.action, result.reason.code).inc()


def service_of(request: Request) -> Service:
    """Returns the service that answers ``request``."""
    service: Service = request.app.state.service
    return service


async def _service(request: Request) -> Service:  # async, because FastAPI calls a plain function in a thread
    service = service_of(request)
    return replace(service, request_pair=service.active.pair)


ServiceDep = Annotated[Service, Depends(_service)]
"""The parameter type by which routes get the service."""
