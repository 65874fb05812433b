"""Repairs JSON bodies with lone surrogates.

A string of JavaScript can contain half of a character, and its JSON then has that half as an escape.
"""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

_SURROGATES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
    rb"|\xed[\xa0-\xbf][\x80-\xbf]"
)
"""A surrogate pair or a lone surrogate as an escape, or a surrogate encoded in UTF-8."""
_ESCAPE = len(rb"\ud800")


def repaired(body: bytes) -> bytes:
    """Returns a JSON body in UTF-8 with U+FFFD for each lone surrogate; length and all offsets in texts stay."""
    return _SURROGATES.sub(_replacement, body)


def _replacement(match: re.Match[bytes]) -> bytes:
    matched = match[0]
    if matched[0] == 0xED:
        return b"\xef\xbf\xbd"
    first, second = matched[:_ESCAPE], matched[_ESCAPE:]
    if _is_escaped(match.string, match.start()):  # the text contains a backslash and "ud800"
        return first + (rb"\ufffd" if second else b"")
    return matched if second else rb"\ufffd"


def _is_escaped(body: bytes, at: int) -> bool:
    """True if the backslash at a place is itself escaped: an odd number of backslashes comes before it."""
    start = at
    while start and body[start - 1] == 0x5C:
        start -= 1
    return (at - start) % 2 == 1


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
