"""Runs the service with uvicorn."""

import logging
import socket

import uvicorn

from belowline.serve.app import create_app
from belowline.serve.scoring import PROBE, score_each
from belowline.serve.settings import Settings


class ServerError(Exception):
    """The service cannot listen where it was told to; the message is one line."""


def run_server(settings: Settings) -> None:
    """Serves until interrupted; raises Settings-, Server-, Model-, Policy- or StoreError before it serves."""
    settings.check_exposure()
    with _listening(settings.host, settings.port) as listener:
        logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
        app = create_app(settings)
        # What the model loads at its first comment should not make the first caller wait.
        score_each(app.state.service.verdict.scorer, [PROBE])
        print(f"belowline listens on {_url(listener)} (press Ctrl+C to stop)", flush=True)
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level=settings.log_level,
            server_header=False,
            access_log=False,  # it would write down keys that clients put into addresses; /metrics counts requests
            timeout_graceful_shutdown=3,
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # Named by its protocol, for asyncio switches Nagle's algorithm off only then: 40 ms a request.
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot_listen(host, port, error) from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise _cannot_listen(host, port, error) from None
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> ServerError:
    why = (error.strerror or str(error)).lower()
    return ServerError(
        f"cannot listen on {host} port {port}: {why}; free it, or choose another with --host and --port"
    )


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
