"""Builds the service as an ASGI app."""

import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from belowline.model import Scorer
from belowline.serve.active.active import Active
from belowline.serve.active.follower import Follower, Poller
from belowline.serve.active.loading import active_at_start
from belowline.serve.api import acts, admin, authors, comments, queue, score
from belowline.serve.console.routes import ROUTERS, as_page
from belowline.serve.console.try_page import pages
from belowline.serve.http.auth import require_known_host
from belowline.serve.http.errors import Problem, add_error_handlers
from belowline.serve.http.health import health
from belowline.serve.http.service import Service
from belowline.serve.metrics import Metrics
from belowline.serve.protocols.routes import PROTOCOLS, in_own_shape, protocol_at
from belowline.serve.protocols.text_classification import PredictAtRoot
from belowline.serve.scoring.score_queue import ScoreQueue
from belowline.serve.server.middleware import RequestMiddleware
from belowline.serve.settings import Settings
from belowline.serve.store.database import Database
from belowline.serve.webhooks.sender import Sender

STATIC = Path(__file__).parent.parent / "static"
_SCORED_PATHS = ("/v1/score", "/v1/comments")


def create_app(settings: Settings, scorer: Scorer | None = None) -> FastAPI:
    """Builds the service with all its parts; loads the active model unless ``scorer`` is given.

    Raises SettingsError, ModelError, PolicyError or StoreError.
    """
    settings.check_exposure()
    service = _service(settings, scorer)

    database, score_queue = service.database, service.score_queue
    follower = Follower(service.active, settings, database, service.metrics.model_failures.inc)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sender = Sender(database, private=settings.webhook_private_addresses)
        poller = Poller(follower.look)
        score_queue.start()
        sender.start()
        poller.start()
        yield
        await run_in_threadpool(poller.close)
        await sender.close()
        await score_queue.close()
        database.close()

    app = FastAPI(
        title="belowline",
        summary="Self-hosted moderation for reader comments",
        version=service.pipeline.scorer.version,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from other sites
        redoc_url=None,
        dependencies=[Depends(require_known_host)],
        telemetry={"tracing": False, "metrics": False, "logs": False},  # it is looked up for every request
    )
    app.state.service = service
    service.active.changed = functools.partial(_note_change, app, service)
    _note_change(app, service)
    add_error_handlers(app, _rendered)
    app.include_router(score.router)  # first, because routes are tried in order
    app.add_middleware(
        RequestMiddleware, service=service, scores=_scores, keeps_when_full=_keeps_when_full, render=_rendered
    )
    app.add_middleware(PredictAtRoot)  # outermost, because RequestMiddleware goes by the path
    for router in (
        *ROUTERS,
        comments.router,
        queue.router,
        acts.router,
        authors.router,
        admin.router,
        health,
        pages,
    ):
        app.include_router(router)
    for protocol in PROTOCOLS:
        app.include_router(protocol.router)
    app.mount("/static", StaticFiles(directory=STATIC, follow_symlink=True), name="static")
    return app


def _rendered(request: Request, problem: Problem) -> Response | None:
    """Returns a problem as a page of the console or in another service's shape; None for our own API."""
    return as_page(request, problem) or in_own_shape(request, problem)


def _scores(request: Request) -> bool:
    """True if the request has comments for the model; all others are answered even when the queue is full."""
    path: str = request.scope["path"]
    return request.method == "POST" and (path in _SCORED_PATHS or protocol_at(path) is not None)


def _keeps_when_full(request: Request) -> bool:
    """True if the comments of the request are stored without scores while the queue is full."""
    protocol = protocol_at(request.scope["path"])
    return protocol is not None and protocol.answers_when_full


def _service(settings: Settings, scorer: Scorer | None) -> Service:
    database = Database.open(settings.database_url)
    active = (
        Active(scorer, None, settings.policy, database) if scorer else active_at_start(settings, database)
    )
    metrics = Metrics(lambda: score_queue.queued)
    if active.behind:
        metrics.model_failures.inc()
    score_queue = ScoreQueue(
        queue_comments=settings.queue_comments,
        threads=settings.cores + 1,
        ahead=settings.cores + 1,
        writers=database.writers,
        on_scored=metrics.scored,
    )
    return Service(settings, active, score_queue, metrics, database)


def _note_change(app: FastAPI, service: Service) -> None:
    """Updates the metrics and the OpenAPI document with the active model and policy."""
    pair, behind = service.active.pair, service.active.behind is not None
    service.metrics.active(
        pair.pipeline.scorer.version, pair.pipeline.digest or "", pair.policy_number, behind=behind
    )
    app.version = pair.pipeline.scorer.version
    if app.openapi_schema:
        app.openapi_schema["info"]["version"] = app.version
