"""Runs the service with uvicorn."""

import logging
import socket

import uvicorn

from belowline.serve.app import create_app
from belowline.serve.settings import Settings


class ServerError(Exception):
    """The service cannot listen where it was told to; the message is one line."""


def run_server(settings: Settings) -> None:
    """Serves until interrupted; raises Settings-, Server-, Model-, Policy- or StoreError before it serves."""
    settings.check_exposure()
    with _listening(settings.host, settings.port) as listener:
        logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
        app = create_app(settings)
        print(f"belowline listens on {_url(listener)} (press Ctrl+C to stop)", flush=True)
        config = uvicorn.Config(app, log_config=None, log_level=settings.log_level, server_header=False)
        uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = (error.strerror or str(error)).split(" (while")[0].lower()
        raise ServerError(
            f"cannot listen on {host} port {port}: {why}; free it, or choose another with --host and --port"
        ) from None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
