"""The worker processes of a running service, told apart by their metrics."""

import contextlib
import re
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.waiting import until


def eventually(condition: Callable[[], Any]) -> Any:
    """What ``condition`` gives once it gives something true, however busy the machine is."""
    return until(condition, 200)


def answered(url: str, path: str = "/metrics") -> str:
    """What a connection of its own is answered, whichever worker takes it; nothing where the worker dies over it."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(url + path, timeout=60).text
    return ""


def workers(url: str) -> dict[int, float]:
    """The requests that each living worker has answered, by its process."""
    found = re.findall(r'^belowline_worker_requests\{pid="(\d+)"\} (\S+)$', answered(url), re.MULTILINE)
    return {int(process): float(requests) for process, requests in found}


def busy(url: str) -> list[int]:
    """The processes of two workers, once both have answered."""
    return eventually(
        lambda: found if len(found := [pid for pid, n in workers(url).items() if n]) == 2 else None
    )
