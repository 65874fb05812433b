"""HTTP connections with time limits, so that slow clients cannot use up all connections."""

import asyncio
import functools
import resource
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_OWN_FILES = 160
"""Open files reserved for the store, the model and the rest of the service."""
_MOST_FILES = 65_536


def connections(timeout_s: float) -> type[asyncio.Protocol]:
    """Returns a factory of ``Connection`` for ``uvicorn.Config(http=...)``, limited by the number of open files.

    Raises the process's limit of open files as far as the system allows, up to 65,536.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    made = functools.partial(Connection, timeout_s=timeout_s, most=max(32, most - _OWN_FILES))
    return cast(type[asyncio.Protocol], made)  # uvicorn only calls it


class Connection(H11Protocol):
    """Closes a connection if the head of a request does not arrive in time, or the client does not receive an answer.

    The timer of a head starts when the connection opens, or when data arrive while no request is in progress, such as
    the rest of a body that was answered early. ``Body`` limits the time of a body, because it can still answer.
    Connections beyond ``most`` are closed at once.
    """

    # uvicorn's own timeout only covers the time between an answer and the first byte of the next request, and its
    # limit_concurrency answers 503 instead of closing.

    def __init__(self, *rest: Any, timeout_s: float, most: int, **named: Any) -> None:
        super().__init__(*rest, **named)
        self._timeout_s = timeout_s
        self._most = most
        self._head: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the timer of the first head, or closes one connection too many."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()
        else:
            self._head = self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timers."""
        super().connection_lost(exc)
        for timer in (self._head, self._sending):
            if timer:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Receives part of a request; closes the connection if data after an answer are not HTTP."""
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            self.transport.abort()
        if self.cycle and not self.cycle.response_complete:
            if self._head:
                self._head.cancel()
            self._head = None
        elif not self._head:
            self._head = self._start_timer()

    def send_400_response(self, msg: str) -> None:
        """Answers 400, and keeps the app, which may have got the head of the request, from answering as well."""
        super().send_400_response(msg)
        if self.cycle:
            self.cycle.disconnected = True

    def pause_writing(self) -> None:
        """Starts the timer within which the client must receive the answer."""
        super().pause_writing()
        self._sending = self._start_timer()

    def resume_writing(self) -> None:
        """Stops that timer."""
        super().resume_writing()
        if self._sending:
            self._sending.cancel()

    def _start_timer(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self._timeout_s, self.transport.abort)
