"""What surrounds every request: the size limit of a body, security headers, metrics, and the last resort."""

import logging
from time import perf_counter

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from belowline.serve.errors import Problem, Render
from belowline.serve.metrics import Metrics
from belowline.serve.scoring import describe

logger = logging.getLogger(__name__)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class Surround:
    """ASGI middleware around all routes; an unanswered error becomes a problem without its message."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, max_body_bytes: int, render: Render) -> None:
        self._app = app
        self._render = render
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = perf_counter(), 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(SECURITY_HEADERS)
            await send(message)

        try:
            await self._answer(scope, receive, send_and_note)
        except Exception as error:
            logger.error("request failed: %s", describe(error))
            if not status:
                problem = Problem(
                    "internal-error", "nothing was kept; try again, and see the service's log if it lasts"
                )
                await self._refuse(problem, scope, receive, send_and_note)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.request(method, _route(scope), status, perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        too_large = Problem("body-too-large", f"send at most {self._max_body_bytes} bytes in one request")
        if int(Headers(scope=scope).get("content-length") or 0) > self._max_body_bytes:
            await self._refuse(too_large, scope, receive, send)
            return
        received = 0

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:
                raise too_large
            return message

        await self._app(scope, receive_and_count, send)

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._render(Request(scope), problem) or problem.response()
        await answer(scope, receive, send)


def _route(scope: Scope) -> str:
    return getattr(scope.get("route"), "path", None) or "other"
