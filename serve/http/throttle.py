"""Wrong keys, counted by the address that they come from: guessing is slowed, and who has shown a right key is never held up.

Each process counts for itself, in bounded memory; nothing of it is kept.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from math import ceil
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

FREE = 60
"""Wrong keys that an address may send before it has to wait: what is set up wrongly should be told so."""
FORGET_S = 6.0
"""Seconds after which one of them is forgotten."""
MOST = 10_000
"""Addresses that are remembered, and holders of keys; the one that was silent longest is forgotten first."""
Name = TypeVar("Name", bound=Hashable)
_V6_NETWORK = 64  # one customer's, who has all addresses in it


class FailedKeyLimiter:
    """How many wrong keys came from where lately, and who has shown a right one; any thread may ask."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._forgotten_at: OrderedDict[str, float] = OrderedDict()
        self._holders: OrderedDict[tuple[str, str], None] = OrderedDict()

    def wait(self, address: str, key_digest: str) -> int:
        """Seconds until ``address`` may send another wrong key; 0 if it may now, or has shown this very key before."""
        network = network_of(address)
        with self._lock:
            if (network, key_digest) in self._holders:
                return 0
            over = self._forgotten_at.get(network, 0.0) - self._clock() - (FREE - 1) * FORGET_S
        return max(0, ceil(over))

    def wrong(self, address: str) -> None:
        """Notes a wrong key."""
        network = network_of(address)
        with self._lock:
            now = self._clock()
            since = max(now, self._forgotten_at.get(network, now))
            self._forgotten_at[network] = min(since, now + (FREE - 1) * FORGET_S) + FORGET_S
            _touch(self._forgotten_at, network)

    def right(self, address: str, key_digest: str) -> None:
        """Notes that ``address`` has a right key."""
        holder = network_of(address), key_digest
        with self._lock:
            self._holders[holder] = None
            _touch(self._holders, holder)


@lru_cache(MOST)
def network_of(address: str) -> str:
    """What counts as one address: itself, or in IPv6 the network of 64 bits that one customer has."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # a socket's path, a test's client
        return address[:100]
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _V6_NETWORK), strict=False))


def _touch(known: OrderedDict[Name, Any], name: Name) -> None:
    known.move_to_end(name)
    if len(known) > MOST:
        known.popitem(last=False)
