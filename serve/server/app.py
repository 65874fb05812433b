"""The service as an object that a test can build."""

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
from belowline.serve.api import admin, comments, queue, score
from belowline.serve.console.routes import add_console, as_page
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
_FOR_THE_MODEL = ("/v1/score", "/v1/comments")


def create_app(settings: Settings, scorer: Scorer | None = None) -> FastAPI:
    """The service with all its parts; loads the model in force unless a scorer is given to begin with.

    Raises SettingsError, ModelError, PolicyError or StoreError, each with one clear line.
    """
    settings.check_exposure()
    service = _service(settings, scorer)

    database, score_queue = service.database, service.score_queue
    follower = Follower(service.active, settings, database, service.metrics.model_failed)

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
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere
        redoc_url=None,
        dependencies=[Depends(require_known_host)],
        telemetry={"tracing": False, "metrics": False, "logs": False},  # looked up anew for every request
    )
    app.state.service = service
    service.active.changed = functools.partial(_note_change, app, service)
    _note_change(app, service)
    add_error_handlers(app, _in_its_shape)
    app.include_router(score.router)  # first: the way to each route leads past those before it
    add_console(app)
    app.add_middleware(
        RequestMiddleware,
        metrics=service.metrics,
        max_body_bytes=settings.max_body_bytes,
        timeout_s=settings.request_timeout_s,
        score_queue=score_queue,
        scores=_scores,
        keeps_when_full=_keeps_when_full,
        render=_in_its_shape,
    )
    app.add_middleware(PredictAtRoot)  # around Surround, which tells protocols apart by their addresses
    for router in (comments.router, queue.router, admin.router, health, pages):
        app.include_router(router)
    for protocol in PROTOCOLS:
        app.include_router(protocol.router)
    app.mount("/static", StaticFiles(directory=STATIC, follow_symlink=True), name="static")
    return app


def _in_its_shape(request: Request, problem: Problem) -> Response | None:
    """A problem as who asks expects it: a page of the console, or another service's own errors; None for our own API."""
    return as_page(request, problem) or in_own_shape(request, problem)


def _scores(request: Request) -> bool:
    """Whether it brings comments for the model. What moderators and monitors ask is answered however many wait."""
    path: str = request.scope["path"]
    return request.method == "POST" and (path in _FOR_THE_MODEL or protocol_at(path) is not None)


def _keeps_when_full(request: Request) -> bool:
    """Whether its comments are kept without scores while no more can wait for the model."""
    protocol = protocol_at(request.scope["path"])
    return protocol is not None and protocol.answers_when_full


def _service(settings: Settings, scorer: Scorer | None) -> Service:
    database = Database.open(settings.database_url)
    active = (
        Active.of(scorer, None, settings.policy, database) if scorer else active_at_start(settings, database)
    )
    metrics = Metrics(lambda: score_queue.queued)
    if active.behind:
        metrics.model_failed()
    score_queue = ScoreQueue(
        queue_comments=settings.queue_comments,
        threads=settings.cores + 1,
        ahead=settings.cores + 1,
        writers=database.writers,
        on_scored=metrics.scored,
    )
    return Service(settings, active, score_queue, metrics, database)


def _note_change(app: FastAPI, service: Service) -> None:
    """Shows the active model and policy in the metrics and the API's description."""
    pair, behind = service.active.pair, service.active.behind is not None
    service.metrics.active(
        pair.pipeline.scorer.version, pair.pipeline.digest or "", pair.policy_number, behind=behind
    )
    app.version = pair.pipeline.scorer.version
    if app.openapi_schema:
        app.openapi_schema["info"]["version"] = app.version
