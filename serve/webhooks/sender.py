"""Sends deliveries from the outbox: signed, retried, and to private addresses only if that is allowed.

A delivery has the header ``X-Belowline-Signature: sha256=<hex>``: an HMAC-SHA256 of the raw body for each
secret of the webhook, separated by commas. Coral signs in the same way.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import Row
from starlette.concurrency import run_in_threadpool

from belowline.model.errors import BelowlineError
from belowline.serve.scoring.fault_isolation import describe
from belowline.serve.store.database import Database, StoreError
from belowline.serve.webhooks import endpoints

logger = logging.getLogger(__name__)
SIGNATURE = "X-Belowline-Signature"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The assigned addresses. Python takes some older ranges that lead into private networks for global ones.
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_AT_ONCE = 20
_EVERY_S = 1.0
_TIMEOUT_S = 10.0
_AT_MOST_S = 30.0  # a receiver that answers a byte at a time must not outlast the lease of a delivery


class Undeliverable(BelowlineError):
    """A delivery that failed; the message is for the delivery log."""


class Sender:
    """A task that sends due deliveries. Several workers may each run one on the same store."""

    def __init__(self, database: Database, *, private: bool, every_s: float = _EVERY_S) -> None:
        self._database = database
        self._private = private
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the task."""
        self._task = asyncio.create_task(self._run(), name="belowline-webhooks")

    async def close(self) -> None:
        """Stop the task; unfinished deliveries are sent again by the next one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
            logged = ""
            while True:
                sent, fault = 0, ""
                try:
                    sent = await self.send_due(client)
                except StoreError as error:
                    fault = str(error)
                except Exception as error:  # later deliveries must still be sent
                    fault = describe(error)
                if fault and fault != logged:  # once, not every second of an outage
                    logger.error("webhooks: %s", fault)
                logged = fault
                if not sent:
                    await asyncio.sleep(self._every_s)

    async def send_due(self, client: httpx.AsyncClient) -> int:
        """Send up to twenty due deliveries at once; returns their number."""
        due = await run_in_threadpool(self._take)
        await asyncio.gather(*(self._send(client, delivery) for delivery in due))
        return len(due)

    def _take(self) -> Sequence[Row[Any]]:
        with self._database.write() as tx:
            return endpoints.take_due(tx, _AT_ONCE)

    async def _send(self, client: httpx.AsyncClient, delivery: Row[Any]) -> None:
        status: int | None = None
        error: str | None = None
        try:
            async with asyncio.timeout(_AT_MOST_S):
                status = await self._post(client, delivery)
            if not 200 <= status < 300:
                error = f"answered {status}"
        except (Undeliverable, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as fault:
            error = str(fault) or type(fault).__name__
        await run_in_threadpool(self._record, delivery, status, error)

    def _record(self, delivery: Row[Any], status: int | None, error: str | None) -> None:
        with self._database.write() as tx:
            endpoints.record_outcome(tx, delivery, status, error)

    async def _post(self, client: httpx.AsyncClient, delivery: Row[Any]) -> int:
        url = httpx.URL(delivery.url)
        address = await self._address(url)
        message = {"message": delivery.message} if delivery.message else {}
        body = json.dumps({"id": delivery.id, **delivery.payload, **message}).encode()
        # The request goes to the address that was checked: the name may mean another one a moment later.
        host = f"[{address}]" if ":" in address else address
        request = client.build_request(
            "POST",
            url.copy_with(host=host),
            content=body,
            headers={
                "Host": url.netloc.decode(),
                "Content-Type": "application/json",
                "User-Agent": "belowline-webhook",
                "X-Belowline-Event": delivery.event,
                SIGNATURE: sign(body, delivery.secrets),
            },
            extensions={"sni_hostname": url.host},
        )
        response = await client.send(request, stream=True)  # the body of the answer is not needed
        await response.aclose()
        return response.status_code

    async def _address(self, url: httpx.URL) -> str:
        port = url.port or {"https": 443}.get(url.scheme, 80)
        loop = asyncio.get_running_loop()
        addresses = await loop.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
        address = str(addresses[0][4][0])
        if not self._private and not is_public(address):
            raise Undeliverable(
                f"{url.host} is at {address}, an address of a private network; "
                "set BELOWLINE_WEBHOOK_PRIVATE_ADDRESSES=true to allow it"
            )
        return address


def sign(body: bytes, secrets: Sequence[str]) -> str:
    """Return the signature header of a raw body: an HMAC-SHA256 for each secret."""
    digests = (hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join(f"sha256={digest}" for digest in digests)


def is_public(address: str) -> bool:
    """Return whether an IP address belongs to the public internet."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        within = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            within = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if within is None and ip not in _PUBLIC_V6:
            return False
        ip = within or ip
    return ip.is_global and not ip.is_multicast
