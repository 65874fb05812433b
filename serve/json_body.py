"""JSON bodies with lone surrogates: JavaScript's strings can hold half of a character, and its JSON then spells that half out."""

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

_SURROGATES = re.compile(
    rb"(?<!\\)(?P<backslashes>(?:\\\\)*+)"  # an even number of them: the next one begins an escape
    rb"(?:(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|(?P<raw>\xed[\xa0-\xbf][\x80-\xbf])"
)
"""A surrogate pair or a lone surrogate as an escape, or a surrogate as if it were a character of UTF-8."""


def repaired(body: bytes) -> bytes:
    """``body``, which is JSON in UTF-8, with U+FFFD for each lone surrogate. Its length and all offsets in its texts stay the same."""
    return _SURROGATES.sub(_replacement, body)


def _replacement(found: re.Match[bytes]) -> bytes:
    if found["pair"]:
        return found[0]
    return b"\xef\xbf\xbd" if found["raw"] else found["backslashes"] + b"\\ufffd"


class _JsonRequest(Request):
    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = json.loads(repaired(await self.body()))
        return self._json


class JsonRoute(APIRoute):
    """A route whose JSON body is repaired before it is read; the ``route_class`` of routers that take JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, for a request that repairs its JSON."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(_JsonRequest(request.scope, request.receive))

        return handle
