"""How a service is: alive, ready, and what it measures."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from fastapi import APIRouter, Depends, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

from belowline.serve.http.auth import allowed
from belowline.serve.http.service import Service, ServiceDep
from belowline.serve.scoring.fault_isolation import PROBE
from belowline.serve.scoring.score_queue import QueueFull, ScoreQueueClosed
from belowline.serve.store.database import Database, StoreError

health = APIRouter()
Store = Literal["ok", "failing", "unreachable"]
_PATIENCE_S = 5.0
# Threads of their own: while a database does not answer, those of the requests are all taken by it.
_ASKING = ThreadPoolExecutor(2, thread_name_prefix="belowline-readiness")


class Readiness(BaseModel):
    """Whether each part can do its work."""

    ready: bool
    model: Literal["ok", "failing"]
    batcher: Literal["ok", "stopped"]
    store: Store = Field(
        description="`failing`: it can be read but keeps nothing, as on a full or a read-only disk; the log says why. "
        "`unreachable`: it cannot be read either."
    )
    promotion: Literal["ok", "failing"] = Field(
        description="`failing` while the model in force cannot be used and one before it serves; the service is ready all the same."
    )
    active_policy: int = Field(
        description="Number of the policy by which this worker decides; 0 is the file that it was started with."
    )


@health.get("/healthz", summary="Is the process alive?")
async def healthz() -> dict[str, str]:
    """Answers as long as the event loop runs."""
    return {"status": "ok"}


@health.get("/readyz", summary="Can it score and keep comments?", responses={503: {"model": Readiness}})
async def readyz(service: ServiceDep, response: Response) -> Readiness:
    """503 while the model fails, the batcher is stopped, or the store is out of reach or keeps nothing."""
    found = await readiness(service)
    response.status_code = 200 if found.ready else 503
    return found


@health.get(
    "/metrics",
    summary="Metrics for Prometheus",
    dependencies=[Depends(allowed("read the log"))],
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(service: ServiceDep) -> Response:
    """Counts and times, never text."""
    return Response(service.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def readiness(service: Service) -> Readiness:
    """How each part is, asked anew."""
    model: Literal["ok", "failing"] = "failing" if await _model_fails(service) else "ok"
    batcher: Literal["ok", "stopped"] = "ok" if service.score_queue.alive else "stopped"
    store = await _store(service.database)
    return Readiness(
        ready=(model, batcher, store) == ("ok",) * 3,
        model=model,
        batcher=batcher,
        store=store,
        promotion="failing" if service.active.behind else "ok",
        active_policy=service.pair.policy_number,
    )


async def _store(database: Database) -> Store:
    asked = asyncio.get_running_loop().run_in_executor(_ASKING, _ask, database)
    try:
        return await asyncio.wait_for(asked, _PATIENCE_S)
    except TimeoutError:
        return "unreachable"


def _ask(database: Database) -> Store:
    try:
        database.ping()
    except StoreError:
        return "unreachable"
    return "ok" if database.keeps() else "failing"


async def _model_fails(service: Service) -> bool:
    """Asks again after a failure, so that one odd comment does not take the service out of rotation."""
    if not service.score_queue.failing:
        return False
    try:
        return await service.score_queue.submit([PROBE], service.pipeline.scorer) == [None]
    except (QueueFull, ScoreQueueClosed):
        return True
