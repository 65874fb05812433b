"""Minimal HTTP/1.1 client, which leaves the cores to the service that it measures."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Sent:
    """A request before it is sent; ``id`` is that of the comment that a 2xx acknowledges."""

    method: str
    path: str
    body: bytes = b""
    id: str | None = None


class Wire:
    """Reusable connections to one service; as many as are needed at once, up to ``most``."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, most: int = 1024) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "127.0.0.1", address.port or 80
        self._head = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._room = asyncio.Semaphore(most)

    async def ask(self, sent: Sent) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers by lower-case name, and body; raise OSError or EOFError without an answer."""
        async with self._room:
            while self._free:
                reader, writer = self._free.pop()
                if not reader.at_eof() and not writer.is_closing():
                    break
                writer.close()
            else:
                reader, writer = await asyncio.open_connection(self._host, self._port)
            try:
                found = await self._exchange(reader, writer, sent)
            except BaseException:
                writer.close()
                raise
            if found[1].get("connection") == "close":
                writer.close()
            else:
                self._free.append((reader, writer))
            return found

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: Sent
    ) -> tuple[int, dict[str, str], bytes]:
        head = f"{sent.method} {sent.path} HTTP/1.1\r\nHost: {self._host}\r\n{self._head}"
        if sent.body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(sent.body)}\r\n"
        writer.write(head.encode() + b"\r\n" + sent.body)
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return int(first.split()[1]), headers, body

    def close(self) -> None:
        """Close the idle connections."""
        for _, writer in self._free:
            writer.close()
        self._free.clear()
