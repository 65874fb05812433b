"""Repairs JSON bodies with lone surrogates.

A string of JavaScript can contain half of a character, and its JSON then has that half as an escape.
"""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""The beginning of a surrogate, as an escape or encoded in UTF-8."""


def repaired(body: bytes) -> bytes:
    """Returns a JSON body in UTF-8 with U+FFFD for each lone surrogate; unreadable JSON stays as it is."""
    if not _SURROGATE.search(body):
        return body
    try:
        value = json.loads(body.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return body
    text = json.dumps(value, ensure_ascii=False)
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


class _JsonRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = json.loads(repaired(await self.body()))
        return self._json


class JsonRoute(APIRoute):
    """The ``route_class`` of routers with JSON bodies; it repairs a body before FastAPI parses it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns FastAPI's handler for a request that repairs its JSON."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return handle
