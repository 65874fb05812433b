"""What one running service is made of, and the one way from comments to results over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from belowline.model import Context, ScoreInput, Scores
from belowline.serve.batcher import Batcher, BatcherClosed, QueueFull
from belowline.serve.errors import Problem
from belowline.serve.judge import Judge
from belowline.serve.metrics import Metrics
from belowline.serve.policy_in_force import PolicyInForce
from belowline.serve.results import Result
from belowline.serve.settings import Settings
from belowline.serve.store.comments import last_decision
from belowline.serve.store.database import Database
from belowline.serve.store.intake import Incoming, Kept, Thread, take_in
from belowline.serve.store.rulings import Moderator, Ruling, rule


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that the routes share."""

    settings: Settings
    policy: PolicyInForce
    batcher: Batcher
    metrics: Metrics
    database: Database

    @property
    def verdict(self) -> Judge:
        """The model under the policy in force, as far as this worker knows."""
        return self.policy.judge

    async def scores(self, comments: Sequence[ScoreInput]) -> list[Scores | None]:
        """Scores in order, None where scoring failed; raises Problem while no more can wait."""
        try:
            return await self.batcher.submit(comments)
        except QueueFull as full:
            raise Problem(
                "queue-full",
                "try again after Retry-After seconds",
                headers={"Retry-After": str(full.retry_after)},
            ) from None
        except BatcherClosed:
            raise Problem("shutting-down", "try again in a moment") from None

    async def judge(
        self,
        ids: Sequence[str | None],
        comments: Sequence[ScoreInput],
        contexts: Sequence[Context] | None = None,
    ) -> list[Result]:
        """One result for each comment, in order, of which nothing is kept; raises Problem while no more can wait."""
        results = self.verdict.results(ids, comments, await self.scores(comments), contexts)
        self._count(results)
        return results

    async def keep(
        self, site: str, thread: Thread | None, incoming: Sequence[Incoming], *, held_only: bool = False
    ) -> list[Kept]:
        """Keeps comments that were scored; see ``take_in``."""
        kept = await run_in_threadpool(self._keep, site, thread, incoming, held_only=held_only)
        self._count([one.result for one in kept])
        return kept

    async def report(
        self, who: Moderator, site: str, thread: Thread | None, comment: Incoming, ruling: Ruling
    ) -> str:
        """Records what was decided elsewhere about a comment, which is kept first if it is not known; raises Refusal, see ``rule``.

        The same told again adds nothing. Returns the action that stood before.
        """
        return await run_in_threadpool(self._report, who, site, thread, comment, ruling)

    def _report(
        self, who: Moderator, site: str, thread: Thread | None, comment: Incoming, ruling: Ruling
    ) -> str:
        with self.database.write() as tx:
            judge = self.policy.refresh(tx)
            [kept] = take_in(tx, judge, site, thread, [comment])
            last = last_decision(tx, kept.comment)
            told = (who.name, ruling.action, ruling.code, list(ruling.labels))
            if last is None or (last.actor, last.action, last.code, last.labels) != told:
                rule(tx, who, kept.comment, replace(ruling, elsewhere=True), judge.policy)
            return kept.action

    def _keep(
        self, site: str, thread: Thread | None, incoming: Sequence[Incoming], *, held_only: bool
    ) -> list[Kept]:
        with self.database.write() as tx:
            judge = self.policy.refresh(tx)
            return take_in(tx, judge, site, thread, incoming, held_only=held_only)

    def _count(self, results: Sequence[Result]) -> None:
        for result in results:
            self.metrics.decision(result.action, result.reason.code)


def service_of(request: Request) -> Service:
    """The service that answers ``request``."""
    service: Service = request.app.state.service
    return service


Parts = Annotated[Service, Depends(service_of)]
"""What routes ask for to get the service."""
