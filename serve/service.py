"""What one running service is made of, and the one way from comments to results over HTTP."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from belowline.model import ScoreInput
from belowline.serve.batcher import Batcher, BatcherClosed, QueueFull
from belowline.serve.errors import Problem
from belowline.serve.judge import Judge
from belowline.serve.metrics import Metrics
from belowline.serve.results import Result
from belowline.serve.settings import Settings
from belowline.serve.store import Store, StoreError

logger = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that the routes share."""

    settings: Settings
    verdict: Judge
    batcher: Batcher
    metrics: Metrics
    store: Store

    async def judge(self, ids: Sequence[str | None], comments: Sequence[ScoreInput]) -> list[Result]:
        """One result for each comment, in order; raises Problem while no more can wait."""
        try:
            scores = await self.batcher.submit(comments)
        except QueueFull as full:
            raise Problem(
                "queue-full",
                "try again after Retry-After seconds",
                headers={"Retry-After": str(full.retry_after)},
            ) from None
        except BatcherClosed:
            raise Problem("shutting-down", "try again in a moment") from None
        results = self.verdict.results(ids, scores)
        for result in results:
            self.metrics.decision(result.action, result.reason.code)
        return results

    async def hold(self, site: str, comments: Sequence[ScoreInput], results: Sequence[Result]) -> None:
        """Puts what is not to be published into the queue; raises Problem if it could not be kept."""
        held = [
            (comment.text, result)
            for comment, result in zip(comments, results, strict=True)
            if result.action != "publish"
        ]
        await in_store(self.store.enqueue, site, held, self.verdict.policy.version)


async def in_store(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Runs a call of the store in a thread; a store that fails becomes a problem and a line in the log."""
    try:
        return await run_in_threadpool(call, *args, **kwargs)
    except StoreError as error:
        logger.error("%s", error)
        raise Problem("store-unavailable", "nothing was kept; send the request again later") from None


def service_of(request: Request) -> Service:
    """The service that answers ``request``."""
    service: Service = request.app.state.service
    return service
