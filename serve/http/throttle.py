"""Limits how fast an address can guess keys; a holder of a valid key never waits.

Each process counts for itself, in bounded memory; nothing is stored.
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
"""Wrong keys that an address may send before it has to wait; so many that a misconfigured client still sees 401."""
FORGET_S = 6.0
"""Seconds after which one wrong key is forgotten."""
MOST = 10_000
"""Remembered addresses, and as many holders of keys; the least recently used one is forgotten first."""
Name = TypeVar("Name", bound=Hashable)
_V6_NETWORK = 64  # one customer has all addresses in it


class FailedKeyLimiter:
    """Counts failed keys by address and remembers which address has shown a valid one; safe between threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._forgotten_at: OrderedDict[str, float] = OrderedDict()
        self._holders: OrderedDict[tuple[str, str], None] = OrderedDict()

    def retry_after(self, address: str, key_digest: str) -> int:
        """Returns the seconds until ``address`` may fail again; 0 if it may now, or has shown this key before."""
        network = network_of(address)
        with self._lock:
            if (network, key_digest) in self._holders:
                return 0
            over = self._forgotten_at.get(network, 0.0) - self._clock() - (FREE - 1) * FORGET_S
        return max(0, ceil(over))

    def fail(self, address: str) -> None:
        """Counts a wrong key."""
        network = network_of(address)
        with self._lock:
            now = self._clock()
            since = max(now, self._forgotten_at.get(network, now))
            self._forgotten_at[network] = min(since, now + (FREE - 1) * FORGET_S) + FORGET_S
            _touch(self._forgotten_at, network)

    def succeed(self, address: str, key_digest: str) -> None:
        """Remembers that ``address`` has shown a valid key."""
        holder = network_of(address), key_digest
        with self._lock:
            self._holders[holder] = None
            _touch(self._holders, holder)


@lru_cache(MOST)
def network_of(address: str) -> str:
    """Returns the address, or for IPv6 its /64 network; addresses of one network count as one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:  # the path of a socket, or a test client
        return address[:100]
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, _V6_NETWORK), strict=False))


def _touch(entries: OrderedDict[Name, Any], name: Name) -> None:
    entries.move_to_end(name)
    if len(entries) > MOST:
        entries.popitem(last=False)
