"""Runs the service with uvicorn, in this process or in several that share a port."""

import functools
import logging
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from sqlalchemy import make_url

from belowline.model import BelowlineError
from belowline.serve.scoring.fault_isolation import PROBE, score_each
from belowline.serve.server.app import create_app
from belowline.serve.server.connection import connections
from belowline.serve.server.log_format import OneLineFormatter
from belowline.serve.server.workers import run_workers
from belowline.serve.settings import Settings

_BACKLOG = 2048
# Connections that asyncio accepts at a time before it handles one: few enough for the open files that are reserved.
_ACCEPT = 16
# Seconds after which an idle connection is closed. Most proxies and clients close theirs earlier (nginx: 60 s);
# otherwise they would now and then send a comment on a connection that is just being closed.
_IDLE_S = 75
# Seconds for which a thread of the model may hold Python's lock while others wait; 5 ms, the default, slow answers.
_SWITCH_S = 0.001


class ServerError(BelowlineError):
    """The service cannot listen at the address, or not with several workers; the message is one line."""


def run_server(settings: Settings, page: str = "") -> None:
    """Serves until interrupted, and prints the address of ``page``; raises a BelowlineError if it cannot start."""
    settings.check_exposure()
    hint = "press Ctrl+C to stop"
    if settings.workers == 1:
        with _bound(settings.host, settings.port, listen=True) as listener:
            serve(settings, listener, lambda: _say(f"{_url(listener)}{page} ({hint})"))
        return
    _log(settings)
    with _reserved(settings.host, settings.port) as reserved:
        each = of_each_worker(settings.model_copy(update={"port": reserved.getsockname()[1]}))
        run_workers(
            functools.partial(_serve_in_worker, each),
            settings.workers,
            serving=lambda: _say(f"{_url(reserved)}{page} with {settings.workers} workers ({hint})"),
            ending=reserved.close,
        )


def _serve_in_worker(settings: Settings, serving: Callable[[], None]) -> None:
    # Each worker has its own socket at the shared port, and the system spreads connections evenly over them. With one
    # shared socket the quickest worker would take nearly all. It listens when it is ready, not earlier.
    with _bound(settings.host, settings.port, shared=True) as listener:
        serve(settings, listener, serving)


def serve(settings: Settings, listener: socket.socket, serving: Callable[[], None]) -> None:
    """Serves in this process until it is told to end; calls ``serving`` once it is ready."""
    _log(settings)
    sys.setswitchinterval(_SWITCH_S)
    app = create_app(settings)
    # The model loads some parts at its first comment; the first client should not wait for that.
    score_each(app.state.service.pipeline.scorer, [PROBE])
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=settings.log_level,
        server_header=False,
        access_log=False,  # some clients put keys into addresses; /metrics counts requests
        timeout_graceful_shutdown=3,
        timeout_keep_alive=_IDLE_S,
        backlog=_ACCEPT,  # asyncio accepts as many at a time as its backlog; _Server enlarges the backlog
        http=connections(settings.request_timeout_s),
    )
    _Server(config, serving).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Calls ``serving`` when it serves; a worker ignores Ctrl+C, because its parent ends all."""

    def __init__(self, config: uvicorn.Config, serving: Callable[[], None]) -> None:
        super().__init__(config)
        self._serving = serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            for listener in sockets or ():
                listener.listen(_BACKLOG)
            self._serving()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig != signal.SIGINT or multiprocessing.parent_process() is None:
            super().handle_exit(sig, frame)


def _log(settings: Settings) -> None:
    process = "[%(process)d] " if settings.workers > 1 else ""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLineFormatter(f"%(levelname)s {process}%(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    # The store logs an upgrade in one line; Alembic takes seven for a new database.
    logging.getLogger("alembic").setLevel(logging.WARNING)


def of_each_worker(settings: Settings) -> Settings:
    """Returns the settings of one of several workers, with its share of cores; refuses a database in memory."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ServerError(
            "several workers cannot share a database in memory; name a file in BELOWLINE_DATABASE_URL"
        )
    share = max(1, (os.cpu_count() or 1) // settings.workers)
    return settings.model_copy(update={"threads": settings.threads or share})


def _say(where: str) -> None:
    print(f"belowline listens on {where}", flush=True)


def _reserved(host: str, port: int) -> socket.socket:
    """Returns a socket that reserves the port for workers without listening; raises ServerError if it is taken."""
    with _bound(host, port) as alone:
        free = alone.getsockname()[1]
    return _bound(host, free, shared=True)


def _bound(host: str, port: int, *, shared: bool = False, listen: bool = False) -> socket.socket:
    """Returns a socket at the port; ``shared`` allows other sockets of ours at it. Raises ServerError."""
    made = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # With its protocol, because asyncio then switches Nagle's algorithm off, which costs 40 ms per request.
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        if listen:
            made.listen(_BACKLOG)
    except OSError as error:
        if made:
            made.close()
        why = (error.strerror or str(error)).lower()
        raise ServerError(
            f"cannot listen on {host} port {port}: {why}; free it, or choose another with --host and --port"
        ) from None
    return made


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
