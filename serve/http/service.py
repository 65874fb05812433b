"""What one running service is made of, and the one way from comments to results over HTTP."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from belowline.model import Context, ScoreInput, Scores
from belowline.serve.active.active import Active, ActivePair
from belowline.serve.active.candidate import Seen
from belowline.serve.active.shadow import Shadow
from belowline.serve.http.errors import Problem, queue_full
from belowline.serve.http.throttle import FailedKeyLimiter
from belowline.serve.metrics import Metrics
from belowline.serve.queue.comments import last_decision
from belowline.serve.queue.intake import IncomingComment, IngestResult, Thread, ingest
from belowline.serve.queue.moderator_decisions import ModeratorDecision, record_decision
from belowline.serve.scoring.fault_isolation import article_context
from belowline.serve.scoring.pipeline import ModerationPipeline
from belowline.serve.scoring.results import Result
from belowline.serve.scoring.score_queue import QueueFull, ScoreQueue, ScoreQueueClosed
from belowline.serve.settings import Settings
from belowline.serve.store.accounts import Actor
from belowline.serve.store.database import Database


@dataclass(slots=True)
class RequestState:
    """The pair that answers a request: its model stays the one that the request began with."""

    pair: ActivePair


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that the routes share. Each request has a copy, which keeps the model that the request began with.

    Attributes:
        settings: What the service was started with.
        active: The active model and the active policy of this worker.
        batcher: What waits for the model.
        metrics: What is measured.
        database: The store.
        shadow: The candidate that scores beside the model, None where there is none.
        guesses: Wrong keys by the address that they came from.
        begun: The pair that answers the request; None outside of requests.
    """

    settings: Settings
    active: Active
    score_queue: ScoreQueue
    metrics: Metrics
    database: Database
    shadow: Shadow | None = None
    failed_keys: FailedKeyLimiter = field(default_factory=FailedKeyLimiter)
    begun: RequestState | None = None

    @property
    def pair(self) -> ActivePair:
        """The pair of this request, or else the active one."""
        return self.begun.pair if self.begun else self.active.pair

    @property
    def pipeline(self) -> ModerationPipeline:
        """The model and the policy of ``pair``."""
        return self.pair.pipeline

    def pair_in(self, tx: Connection) -> ActivePair:
        """The model of this request under the policy that is active in the transaction."""
        return self.active.within(tx, self.pair)

    async def scores(self, comments: Sequence[ScoreInput]) -> list[Scores | None]:
        """Scores in order, None where scoring failed; raises Problem while no more can wait."""
        return await self._scored(comments, self.pipeline)

    async def _scored(
        self, comments: Sequence[ScoreInput], pipeline: ModerationPipeline
    ) -> list[Scores | None]:
        try:
            return await self.score_queue.submit(comments, pipeline.scorer)
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
        """One result for each comment, in order, of which nothing is kept; raises Problem while no more can wait."""
        begun = self.pair
        scores = await self._scored(comments, begun.pipeline)
        return self.results(ids, comments, scores, contexts, begun)

    def results(
        self,
        ids: Sequence[str | None],
        comments: Sequence[ScoreInput],
        scores: Sequence[Scores | None],
        contexts: Sequence[Context] | None = None,
        begun: ActivePair | None = None,
    ) -> list[Result]:
        """One result for each comment with its scores, which are None where scoring failed; nothing is kept.

        ``begun`` is the pair whose model gave the scores, None for that of the request.
        """
        known = contexts or [Context(text=comment.text) for comment in comments]
        pair = self.active.newest(begun or self.pair)  # the policy may have changed while the comments waited
        if self.begun:
            self.begun.pair = pair
        pipeline = pair.pipeline
        results = pipeline.results(ids, comments, scores, known)
        self._count(results)
        if self.shadow:
            seen = (
                Seen(pipeline.model, comment, context, one, result.action)
                for comment, context, one, result in zip(comments, known, scores, results, strict=True)
                if one is not None
            )
            self.shadow.offer(seen)
        return results

    async def keep(
        self,
        site: str,
        thread: Thread | None,
        incoming: Sequence[IncomingComment],
        *,
        held_only: bool = False,
    ) -> list[IngestResult]:
        """Keeps comments that were scored; see ``ingest``."""
        async with self.score_queue.keeping(len(incoming)):
            kept = await run_in_threadpool(self._keep, site, thread, incoming, held_only=held_only)
        self._count([one.result for one in kept])
        if self.shadow:
            self.shadow.offer(_seen(self.pipeline.model, thread, incoming, kept))
        return kept

    async def report(
        self,
        who: Actor,
        site: str,
        thread: Thread | None,
        comment: IncomingComment,
        ruling: ModeratorDecision,
    ) -> str:
        """Records what was decided elsewhere about a comment, which is kept first if it is not known; raises Refusal, see ``rule``.

        The same told again adds nothing. Returns the action that stood before.
        """
        return await run_in_threadpool(self._report, who, site, thread, comment, ruling)

    def _report(
        self,
        who: Actor,
        site: str,
        thread: Thread | None,
        comment: IncomingComment,
        ruling: ModeratorDecision,
    ) -> str:
        with self.database.write() as tx:
            pipeline = self.pair_in(tx).pipeline
            [kept] = ingest(tx, pipeline, site, thread, [comment])
            last = last_decision(tx, kept.comment)
            told = (who.name, ruling.action, ruling.code, list(ruling.labels))
            if last is None or (last.actor, last.action, last.code, last.labels) != told:
                record_decision(tx, who, kept.comment, replace(ruling, elsewhere=True), pipeline.policy)
            return kept.action

    def _keep(
        self, site: str, thread: Thread | None, incoming: Sequence[IncomingComment], *, held_only: bool
    ) -> list[IngestResult]:
        with self.database.write() as tx:
            return ingest(tx, self.pair_in(tx).pipeline, site, thread, incoming, held_only=held_only)

    def _count(self, results: Sequence[Result]) -> None:
        for result in results:
            self.metrics.decision(result.action, result.reason.code)


def _seen(
    model: str, thread: Thread | None, incoming: Sequence[IncomingComment], kept: Sequence[IngestResult]
) -> Iterator[Seen]:
    """What the policy decided just now, for a candidate to decide as well."""
    article = article_context(thread.title, thread.lead) if thread else None
    for one, decided in zip(incoming, kept, strict=True):
        if decided.context is not None and one.scores is not None:
            comment = ScoreInput(one.text, article, one.parent_text)
            yield Seen(model, comment, decided.context, one.scores, decided.action, decided.comment or None)


def service_of(request: Request) -> Service:
    """The service that answers ``request``."""
    service: Service = request.app.state.service
    return service


async def _service(request: Request) -> Service:  # FastAPI would call a plain function in a thread
    service = service_of(request)
    return replace(service, begun=RequestState(service.active.pair))


ServiceDep = Annotated[Service, Depends(_service)]
"""What routes ask for to get the service."""
