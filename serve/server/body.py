"""The body of a request as it arrives: it may be only so large, and has to be there in time."""

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import Message, Receive

from belowline.serve.http.errors import Problem


class Body:
    """Receives a request's messages for its app; calls ``arrived`` when the body is whole. What is wrong with it is raised as Problem."""

    def __init__(
        self, receive: Receive, most_bytes: int, patience_s: float, arrived: Callable[[], None]
    ) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._patience_s = patience_s
        self._until = asyncio.get_running_loop().time() + patience_s
        self._arrived = arrived
        self._bytes = 0
        self._over = False

    def check_length(self, headers: Headers) -> None:
        """Raises Problem (body-too-large) for the length that the caller gives."""
        self._count(int(headers.get("content-length") or 0))

    async def receive(self) -> Message:
        """The next message; raises Problem (body-too-large, slow-body) and what ``arrived`` raises."""
        if self._over:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise Problem("slow-body", f"send the whole body within {self._patience_s:g} seconds") from None
        self._bytes += len(message.get("body", b""))
        self._count(self._bytes)
        self._over = not message.get("more_body", False)
        if self._over and message["type"] == "http.request":
            self._arrived()
        return message

    def _count(self, size: int) -> None:
        if size > self._most_bytes:
            raise Problem("body-too-large", f"send at most {self._most_bytes} bytes in one request")
