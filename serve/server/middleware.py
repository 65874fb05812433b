"""Middleware around all routes: limits of a body's size and time, security headers, metrics, and unexpected errors."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from http import HTTPStatus
from time import perf_counter

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from belowline.serve.http.errors import Problem, Render, queue_full
from belowline.serve.http.service import Service
from belowline.serve.scoring.fault_isolation import describe
from belowline.serve.server.body import Body

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


class RequestMiddleware:
    """ASGI middleware that limits bodies, refuses work while the queue is full, and counts answers.

    An unexpected error becomes a problem without the error's message.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: Service,
        scores: Callable[[Request], bool],
        keeps_when_full: Callable[[Request], bool],
        render: Render,
    ) -> None:
        self._app = app
        self._metrics = service.metrics
        self._settings = service.settings
        self._score_queue = service.score_queue
        self._scores = scores
        self._keeps_when_full = keeps_when_full
        self._render = render

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
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                if status == HTTPStatus.REQUEST_TIMEOUT:
                    headers["Connection"] = "close"  # do not wait for the rest of the body
            await send(message)

        try:
            await self._answer(scope, receive, send_and_note)
        except ClientDisconnect:
            pass  # nobody is left to be answered
        except Exception as error:
            logger.error("request failed: %s", describe(error))
            if not status:
                problem = Problem(
                    "internal-error",
                    "nothing was stored; try again, and see the log of the service if it happens again",
                )
                await self._refuse(problem, scope, receive, send_and_note)
        finally:
            route = getattr(scope.get("route"), "path", None) or "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.request(method, route, status, perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        scores = self._scores(request)
        with ExitStack() as answered:

            def arrived() -> None:
                # Not earlier, or clients that never send the whole body would take the slots of others.
                if scores:
                    self._require_room(request)
                    answered.enter_context(self._score_queue.reserve_slot())

            settings = self._settings
            body = Body(receive, settings.max_body_bytes, settings.request_timeout_s, arrived)
            try:
                body.check_length(request.headers)
                if scores:
                    self._require_room(request)
            except Problem as problem:
                await self._refuse(problem, scope, receive, send)
            else:
                await self._app(scope, body.receive, send)

    def _require_room(self, request: Request) -> None:
        queue = self._score_queue
        if queue.overrun if self._keeps_when_full(request) else queue.full:
            raise queue_full(queue.retry_after)

    async def _refuse(self, problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._render(Request(scope), problem) or problem.response()
        await answer(scope, receive, send)
