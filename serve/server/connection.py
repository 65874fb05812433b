"""Connections of callers who keep the service waiting: each has a limit, so that none is held for ever and there is room for others."""

import asyncio
import functools
import resource
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_OWN_FILES = 160
"""Open files that are left to the store, the model and the rest of the service."""
_MOST_FILES = 65_536


def connections(patience_s: float) -> type[asyncio.Protocol]:
    """What ``uvicorn.Config`` takes as ``http``: connections as ``Connection`` describes them, as many as the process may open files for.

    Has the process open as many files as it may, up to 65,536.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    made = functools.partial(Connection, patience_s=patience_s, most=max(32, most - _OWN_FILES))
    return cast(type[asyncio.Protocol], made)  # uvicorn only calls it


class Connection(H11Protocol):
    """An HTTP connection that is cut where a request's head is not there in time, or an answer is not taken.

    Uvicorn's own limit runs between an answer and the first byte of what follows it, no longer. The clock of a head starts when a
    connection is made, or something comes on it while no request is under way, such as the rest of a body that was answered before its
    end. The body of a request under way is watched where it is read, for there it can be answered. Connections beyond ``most`` are closed
    at once.
    """

    def __init__(self, *rest: Any, patience_s: float, most: int, **named: Any) -> None:
        super().__init__(*rest, **named)
        self._patience_s = patience_s
        self._most = most
        self._head: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.abort()
        else:
            self._head = self._clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clocks."""
        super().connection_lost(exc)
        for clock in (self._head, self._taking):
            if clock:
                clock.cancel()

    def data_received(self, data: bytes) -> None:
        """Takes part of a request; cuts off who sends what is no HTTP after an answer, where no other can be given."""
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            self.transport.abort()
        if self.cycle and not self.cycle.response_complete:
            if self._head:
                self._head.cancel()
            self._head = None
        elif not self._head:
            self._head = self._clock()

    def send_400_response(self, msg: str) -> None:
        """Answers what is no HTTP, and keeps the app from answering as well, which may have got the request's head."""
        super().send_400_response(msg)
        if self.cycle:
            self.cycle.disconnected = True

    def pause_writing(self) -> None:
        """Begins to wait for the caller to take what was sent."""
        super().pause_writing()
        self._taking = self._clock()

    def resume_writing(self) -> None:
        """The caller has taken most of it."""
        super().resume_writing()
        if self._taking:
            self._taking.cancel()

    def _clock(self) -> asyncio.TimerHandle:
        return self.loop.call_later(self._patience_s, self.transport.abort)
