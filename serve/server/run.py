"""Runs the service with uvicorn, in this process or in several that share its port."""

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
_AT_ONCE = 16
"""New connections that are taken before any of them is looked at: few enough for the files that connections leave to the service."""
_IDLE_S = 75
"""How long a connection lies idle after an answer: longer than most proxies and clients keep theirs (nginx: 60 s), or now and then they
would send a comment on one that is just being closed."""
_SWITCH_S = 0.001
"""How long a thread of the model keeps Python from the one that takes requests; Python's own 5 ms add up in what callers wait."""


class ServerError(BelowlineError):
    """The service cannot listen where it was told to, or not with so many workers; the message is one line."""


def run_server(settings: Settings) -> None:
    """Serves until interrupted; raises Settings-, Server-, Worker-, Model-, Policy- or StoreError before it serves."""
    settings.check_exposure()
    hint = "press Ctrl+C to stop"
    if settings.workers == 1:
        with _listening(settings.host, settings.port) as listener:
            serve(settings, listener, lambda: _say(f"{_url(listener)} ({hint})"))
        return
    _log(settings)
    with _reserved(settings.host, settings.port) as place:
        each = of_each_worker(settings.model_copy(update={"port": place.getsockname()[1]}))
        run_workers(
            functools.partial(_serve_beside, each),
            settings.workers,
            serving=lambda: _say(f"{_url(place)} with {settings.workers} workers ({hint})"),
            ending=place.close,
        )


def _serve_beside(settings: Settings, serving: Callable[[], None]) -> None:
    """Serves in a worker, on a socket of its own at the port of all: the system spreads connections evenly over those, while of workers
    that take connections from one queue the quickest takes nearly all."""
    with _bound(
        settings.host, settings.port, beside=True
    ) as place:  # listens once it is ready, or would be given connections before
        serve(settings, place, serving)


def serve(settings: Settings, listener: socket.socket, serving: Callable[[], None]) -> None:
    """Serves in this process until it is told to end; calls ``serving`` once it answers."""
    _log(settings)
    sys.setswitchinterval(_SWITCH_S)
    app = create_app(settings)
    # What the model loads at its first comment should not make the first caller wait.
    score_each(app.state.service.pipeline.scorer, [PROBE])
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level=settings.log_level,
        server_header=False,
        access_log=False,  # it would write down keys that clients put into addresses; /metrics counts requests
        timeout_graceful_shutdown=3,
        timeout_keep_alive=_IDLE_S,
        backlog=_AT_ONCE,  # asyncio takes as many at a time as it lets wait; _Server lets more wait
        http=connections(settings.request_timeout_s),
    )
    _Server(config, serving).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it serves; a worker leaves Ctrl+C to its parent, which ends all."""

    def __init__(self, config: uvicorn.Config, serving: Callable[[], None]) -> None:
        super().__init__(config)
        self._serving = serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            for place in sockets or ():
                place.listen(_BACKLOG)
            self._serving()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if not (sig == signal.SIGINT and _is_worker()):
            super().handle_exit(sig, frame)


def _log(settings: Settings) -> None:
    process = "[%(process)d] " if settings.workers > 1 else ""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLineFormatter(f"%(levelname)s {process}%(name)s: %(message)s"))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])


def _is_worker() -> bool:
    return multiprocessing.parent_process() is not None


def of_each_worker(settings: Settings) -> Settings:
    """The settings of one of several workers: its share of the cores; raises ServerError where each would have a store of its own."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise ServerError(
            "several workers cannot share a database in memory; name a file in BELOWLINE_DATABASE_URL"
        )
    share = max(1, (os.cpu_count() or 1) // settings.workers)
    return settings.model_copy(update={"threads": settings.threads or share})


def _say(where: str) -> None:
    print(f"belowline listens on {where}", flush=True)


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens from now on, so that who is told of the service can reach it."""
    listener = _bound(host, port)
    try:
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    return listener


def _reserved(host: str, port: int) -> socket.socket:
    """A socket that holds the port for workers and does not listen; raises ServerError where anybody else has it, workers too."""
    if not hasattr(socket, "SO_REUSEPORT"):
        raise ServerError("several workers cannot share a port on this system; use --workers 1")
    with _bound(host, port) as alone:
        free = alone.getsockname()[1]
    return _bound(host, free, beside=True)


def _bound(host: str, port: int, *, beside: bool = False) -> socket.socket:
    """A socket at the port, ``beside`` others of ours there."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # Named by its protocol, for asyncio switches Nagle's algorithm off only then: 40 ms a request.
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if beside:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
    except OSError as error:
        made.close()
        raise _cannot_listen(host, port, error) from None
    return made


def _cannot_listen(host: str, port: int, error: OSError) -> ServerError:
    why = (error.strerror or str(error)).lower()
    return ServerError(
        f"cannot listen on {host} port {port}: {why}; free it, or choose another with --host and --port"
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
