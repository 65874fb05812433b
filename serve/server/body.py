"""Limits the size of a request body and the time in which it arrives."""

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from belowline.serve.http.errors import Problem


class Body:
    """Receives the messages of a request and calls ``arrived`` when the body is complete; raises Problem."""

    def __init__(
        self, receive: Receive, max_bytes: int, timeout_s: float, arrived: Callable[[], None]
    ) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._deadline = asyncio.get_running_loop().time() + timeout_s
        self._arrived = arrived
        self._received = 0
        self._complete = False

    def check_length(self, headers: Headers) -> None:
        """Raises Problem (body-too-large) for the length in the headers."""
        self._check(int(headers.get("content-length") or 0))

    async def receive(self) -> Message:
        """Returns the next message; raises Problem (body-too-large, slow-body) and the errors of ``arrived``."""
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise Problem("slow-body", f"send the whole body within {self._timeout_s:g} seconds") from None
        self._received += len(message.get("body", b""))
        self._check(self._received)
        self._complete = not message.get("more_body", False)
        if self._complete and message["type"] == "http.request":
            self._arrived()
        return message

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise Problem("body-too-large", f"send at most {self._max_bytes} bytes in one request")
