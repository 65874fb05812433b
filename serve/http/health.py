"""Health of the service: alive, ready, and its metrics."""

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
_TIMEOUT_S = 5.0
# Separate threads: while a database does not answer, it blocks all threads of the requests.
_EXECUTOR = ThreadPoolExecutor(2, thread_name_prefix="belowline-readiness")


class Readiness(BaseModel):
    """State of each part."""

    ready: bool
    model: Literal["ok", "failing"]
    batcher: Literal["ok", "stopped"]
    store: Store = Field(
        description="`failing`: it can be read but not written, as on a full or read-only disk; see the log. "
        "`unreachable`: it cannot be read either."
    )
    promotion: Literal["ok", "failing"] = Field(
        description="`failing` while the active model cannot be used and an earlier one serves; "
        "this does not affect `ready`."
    )
    active_model: str = Field(
        description="Version and beginning of the digest of this worker's model; with a second model of both, such as "
        "`0.6.0+0.5.0-large`."
    )
    active_policy: int = Field(
        description="Number of this worker's active policy; 0 is the policy file of the settings."
    )


@health.get("/healthz", summary="Check that the process is alive")
async def healthz() -> dict[str, str]:
    """Answers while the event loop runs."""
    return {"status": "ok"}


@health.get(
    "/readyz",
    summary="Check that the service can score and store comments",
    responses={503: {"model": Readiness}},
)
async def readyz(service: ServiceDep, response: Response) -> Readiness:
    """503 while the model fails, the queue (`batcher`) is stopped, or the store cannot be read or written."""
    state = await readiness(service)
    response.status_code = 200 if state.ready else 503
    return state


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
    """Checks each part now."""
    model: Literal["ok", "failing"] = "failing" if await _model_fails(service) else "ok"
    batcher: Literal["ok", "stopped"] = "ok" if service.score_queue.alive else "stopped"
    store = await _store(service.database)
    return Readiness(
        ready=(model, batcher, store) == ("ok",) * 3,
        model=model,
        batcher=batcher,
        store=store,
        promotion="failing" if service.active.behind else "ok",
        active_model=service.pipeline.model,
        active_policy=service.pair.policy_number,
    )


async def _store(database: Database) -> Store:
    check = asyncio.get_running_loop().run_in_executor(_EXECUTOR, _check, database)
    try:
        return await asyncio.wait_for(check, _TIMEOUT_S)
    except TimeoutError:
        return "unreachable"


def _check(database: Database) -> Store:
    try:
        database.ping()
    except StoreError:
        return "unreachable"
    return "ok" if database.keeps() else "failing"


async def _model_fails(service: Service) -> bool:
    """Scores a plain comment after a failure, so that one odd comment does not take the service out of rotation."""
    if not service.score_queue.failing:
        return False
    try:
        return await service.score_queue.submit([PROBE], service.pipeline.scorer) == [None]
    except (QueueFull, ScoreQueueClosed):
        return True
